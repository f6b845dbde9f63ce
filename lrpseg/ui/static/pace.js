// @ts-check
// How long a running analysis will still take, from how it went so far.

/** @import { Item } from "./types.js" */
/** @typedef {Pick<Item, "id" | "status" | "tiles" | "tiles_done">} Running */

const SETTLED = 3; // seconds that are watched before anything is said

export class Pace {
  /** @param {() => number} now  seconds */
  constructor(now = () => performance.now() / 1000) {
    this.now = now;
    /** @type {Map<string, { at: number, from: number, done: number }>} */
    this.seen = new Map();
  }

  /**
   * Note how far the running pictures are; others are forgotten.
   * @param {Running[]} items
   */
  note(items) {
    const before = this.seen;
    this.seen = new Map();
    for (const { id, status, tiles, tiles_done: done = 0 } of items) {
      if (status !== "running" || !tiles) continue;
      const known = before.get(id);
      const goesOn = known && done >= known.done; // fewer: it began again, with other settings
      this.seen.set(id, goesOn ? { ...known, done } : { at: this.now(), from: done, done });
    }
  }

  /**
   * In words how long a picture will still take; "" where nothing is known yet.
   * @param {Running} item
   */
  left({ id, tiles = 0 }) {
    const known = this.seen.get(id);
    if (!known) return "";
    const passed = this.now() - known.at, did = known.done - known.from;
    return passed < SETTLED || did < 1 ? "" : words(((tiles - known.done) * passed) / did);
  }
}

/** @param {number} seconds */
function words(seconds) {
  if (seconds < 50) return `about ${Math.max(5, Math.ceil(seconds / 5) * 5)} s left`;
  if (seconds < 5400) return `about ${Math.ceil(seconds / 60)} min left`;
  return `about ${Math.round(seconds / 3600)} h left`;
}
