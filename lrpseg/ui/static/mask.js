// @ts-check
// Masks as flat Uint8Arrays, row by row: the same to the pixel as lrpseg/masks/corrections.py.
import { around } from "./rects.js";

/** @import { Rect, Runs } from "./types.js" */

export const NONE = 0, ADDED = 1, REMOVED = 2;

/**
 * 1 where the quantised likelihood reaches the level.
 * @param {Uint8Array} quantised
 * @param {number} level
 */
export function threshold(quantised, level) {
  const out = new Uint8Array(quantised.length);
  for (let i = 0; i < quantised.length; i++) out[i] = quantised[i] >= level ? 1 : 0;
  return out;
}

/**
 * The mask with what was added and without what was removed.
 * @param {Uint8Array} base
 * @param {Uint8Array} corrections
 */
export function compose(base, corrections) {
  const out = new Uint8Array(base.length);
  for (let i = 0; i < base.length; i++) {
    const c = corrections[i];
    out[i] = c === NONE ? base[i] : c === ADDED ? 1 : 0;
  }
  return out;
}

/**
 * The part under a pixel: a spot of the mask (value 1, 8-connected) or a hole (value 0,
 * 4-connected; null if it reaches the edge). It is flooded run by run: only what it touches is
 * looked at, however large the picture is.
 * @param {(i: number) => boolean} marked  whether a pixel is in the mask, by its index
 * @param {number} width
 * @param {number} height
 * @param {number} x
 * @param {number} y
 * @param {number} value
 * @returns {{ runs: Runs, rect: Rect } | null}
 */
export function partAt(marked, width, height, x, y, value) {
  const taken = new Uint8Array(width * height), reach = value; // of spots diagonally, too
  /** @param {number} i */
  const open = (i) => !taken[i] && marked(i) === Boolean(value);
  if (!open(y * width + x)) return null;
  /** @type {Runs} */
  const runs = [];
  /** @type {[number, number, number][]} */
  const todo = [[y, x, x + 1]]; // rows, and where in them the part goes on
  for (let next = todo.pop(); next; next = todo.pop()) {
    const [row, first, end] = next, line = row * width;
    for (let i = first; i < end; i++) {
      if (!open(line + i)) continue;
      let from = i, to = i + 1;
      while (from > 0 && open(line + from - 1)) from--;
      while (to < width && open(line + to)) to++;
      if (!value && (!row || row === height - 1 || !from || to === width)) return null;
      taken.fill(1, line + from, line + to);
      runs.push([row, from, to]);
      const [a, b] = [Math.max(0, from - reach), Math.min(width, to + reach)];
      if (row) todo.push([row - 1, a, b]);
      if (row < height - 1) todo.push([row + 1, a, b]);
      i = to;
    }
  }
  runs.sort(([a, s], [b, t]) => a - b || s - t);
  return { runs, rect: around(runs) };
}
