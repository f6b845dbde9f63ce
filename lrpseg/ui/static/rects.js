// @ts-check
// Rectangles of flat arrays: cut out, put back, joined.

/** @import { Rect, Runs } from "./types.js" */

/**
 * Copy of a rectangle of a flat array.
 * @param {Uint8Array} array
 * @param {number} width
 * @param {Rect} rect
 */
export function cut(array, width, { x, y, w, h }) {
  const out = new Uint8Array(w * h);
  for (let row = 0; row < h; row++) {
    const from = (y + row) * width + x;
    out.set(array.subarray(from, from + w), row * w);
  }
  return out;
}

/**
 * Put a rectangle back.
 * @param {Uint8Array} array
 * @param {number} width
 * @param {Rect} rect
 * @param {Uint8Array} values
 */
export function put(array, width, { x, y, w, h }, values) {
  for (let row = 0; row < h; row++) {
    array.set(values.subarray(row * w, (row + 1) * w), (y + row) * width + x);
  }
}

/**
 * Whether two arrays of one length hold the same.
 * @param {Uint8Array} a
 * @param {Uint8Array} b
 */
export function same(a, b) {
  if (a === b) return true;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/**
 * The smallest rectangle around two; `a` may be null.
 * @param {Rect | null | undefined} a
 * @param {Rect} b
 * @returns {Rect}
 */
export function union(a, b) {
  if (!a) return b;
  const x = Math.min(a.x, b.x), y = Math.min(a.y, b.y);
  const w = Math.max(a.x + a.w, b.x + b.w) - x, h = Math.max(a.y + a.h, b.y + b.h) - y;
  return { x, y, w, h };
}

/**
 * The smallest rectangle around runs, of which there is at least one.
 * @param {Runs} runs
 * @returns {Rect}
 */
export function around(runs) {
  let [left, right] = [Infinity, -Infinity];
  for (const [, from, to] of runs) {
    left = Math.min(left, from);
    right = Math.max(right, to);
  }
  const top = runs[0][0];
  return { x: left, y: top, w: right - left, h: runs[runs.length - 1][0] - top + 1 };
}
