// @ts-check
// What waits to be saved of a picture: drawn rectangles, and settings by name.

/** @import { Rect } from "./types.js" */

/**
 * A drawn rectangle; `source`: the array it was cut from, unknown for what a reload brought back;
 * `of`: the class that was drawn on, none where the picture has but one.
 * @typedef {Uint8Array<ArrayBuffer>} Values
 * @typedef {{ rect: Rect, values: Values, source?: Uint8Array, of?: string }} Patch
 *
 * Threshold, cleaning, status and seconds, by name; `classes`: threshold and cleaning of each
 * class, by its name, where the picture has several.
 * @typedef {Record<string, any>} Settings
 * @typedef {{ patches: Patch[], settings: Settings, seconds: number }} Job
 */

/**
 * Put newer settings over `old` and return it: later values win, seconds add up, classes stay
 * apart.
 * @param {Settings} old
 * @param {Settings} newer
 */
export function merge(old, newer) {
  const seconds = (old.seconds || 0) + (newer.seconds || 0), { classes } = old;
  Object.assign(old, newer, seconds ? { seconds } : {});
  if (classes || newer.classes) old.classes = { ...classes };
  for (const [of, values] of Object.entries(newer.classes || {})) {
    old.classes[of] = { ...old.classes[of], ...values };
  }
  return old;
}

/**
 * A job of what was kept of one over a reload.
 * @param {string} what  "pixels" or "settings"
 * @param {any} kept
 * @returns {Job}
 */
export const jobOf = (what, kept) =>
  what === "pixels" ? { patches: kept, settings: {}, seconds: 0 }
    : { patches: [], settings: kept, seconds: 0 };

/**
 * Answers of a login, of the page's door, or of a proxy before it: whoever runs them can mend it.
 */
const MENDED = [401, 403, 408, 413, 429];

/**
 * Whether the server understood a request and said no: again would not help.
 * @param {number | undefined} status
 */
export const isFinal = (status) =>
  status !== undefined && status >= 400 && status < 500 && !MENDED.includes(status);
