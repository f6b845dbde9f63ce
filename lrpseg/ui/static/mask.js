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
export function threshold(quantised, level, out = new Uint8Array(quantised.length)) {
  for (let i = 0; i < quantised.length; i++) out[i] = quantised[i] >= level ? 1 : 0;
  return out;
}

/**
 * The mask with what was added and without what was removed.
 * @param {Uint8Array} base
 * @param {Uint8Array} corrections
 */
export function compose(base, corrections, out = new Uint8Array(base.length)) {
  composeRange(base, corrections, out, 0, base.length);
  return out;
}

/**
 * The same for the pixels from one index up to another.
 * @param {Uint8Array} base
 * @param {Uint8Array} corrections
 * @param {Uint8Array} out
 * @param {number} from
 * @param {number} to
 */
export function composeRange(base, corrections, out, from, to) {
  for (let i = from; i < to; i++) {
    const c = corrections[i];
    out[i] = c === NONE ? base[i] : c === ADDED ? 1 : 0;
  }
}

/**
 * Connected parts as horizontal runs: row y has the runs rows[y] to rows[y + 1], each from `start`
 * to one before `end`; runs with the same root are one part.
 * @typedef {object} Parts
 * @property {Int32Array} start
 * @property {Int32Array} end
 * @property {Int32Array} rows
 * @property {number} count
 * @property {(run: number) => number} root
 */

/**
 * Connected parts of the pixels that equal `value`, joined by union-find: linear in the pixels, and
 * no recursion. Diagonal neighbours join if `eight`.
 * @param {Uint8Array} mask
 * @param {number} width
 * @param {number} height
 * @param {number} value
 * @param {boolean} eight
 * @returns {Parts}
 */
function parts(mask, width, height, value, eight) {
  let capacity = 1024;
  let start = new Int32Array(capacity), end = new Int32Array(capacity);
  let parent = new Int32Array(capacity);
  const grow = () => {
    capacity *= 2;
    [start, end, parent] = [start, end, parent].map((old) => {
      const larger = new Int32Array(capacity);
      larger.set(old);
      return larger;
    });
  };
  /** @param {number} i */
  const root = (i) => {
    while (parent[i] !== i) i = parent[i] = parent[parent[i]];
    return i;
  };
  const rows = new Int32Array(height + 1); // first run of each row
  const reach = eight ? 1 : 0;
  let count = 0;
  for (let y = 0; y < height; y++) {
    rows[y] = count;
    const line = y * width;
    for (let x = 0; x < width; x++) {
      if (mask[line + x] !== value) continue;
      const first = x;
      while (x < width && mask[line + x] === value) x++;
      if (count === capacity) grow();
      start[count] = first;
      end[count] = x; // one past the last pixel
      parent[count] = count;
      count++;
    }
    if (!y) continue;
    let above = rows[y - 1];
    for (let run = rows[y]; run < count; run++) {
      while (above < rows[y] && end[above] + reach <= start[run]) above++;
      for (let other = above; other < rows[y] && start[other] < end[run] + reach; other++) {
        parent[root(other)] = root(run);
      }
    }
  }
  rows[height] = count;
  return { start, end, rows, count, root };
}

/**
 * Area of each part, and whether it touches the picture's edge, by its root run.
 * @param {Parts} found
 * @param {number} width
 * @param {number} height
 */
function measure(found, width, height) {
  const area = new Float64Array(found.count), edge = new Uint8Array(found.count);
  for (let y = 0; y < height; y++) {
    for (let run = found.rows[y]; run < found.rows[y + 1]; run++) {
      const r = found.root(run);
      area[r] += found.end[run] - found.start[run];
      if (!y || y === height - 1 || !found.start[run] || found.end[run] === width) edge[r] = 1;
    }
  }
  return { area, edge };
}

/**
 * Give the chosen parts a value.
 * @param {Uint8Array} mask
 * @param {Parts} found
 * @param {number} width
 * @param {number} height
 * @param {number} value
 * @param {(root: number) => boolean} chosen
 */
function paint(mask, found, width, height, value, chosen) {
  for (let y = 0; y < height; y++) {
    for (let run = found.rows[y]; run < found.rows[y + 1]; run++) {
      if (!chosen(found.root(run))) continue;
      mask.fill(value, y * width + found.start[run], y * width + found.end[run]);
    }
  }
}

/**
 * Remove 8-connected spots below minArea, then fill inner holes of up to maxHole; 0 is off.
 * @param {Uint8Array} mask
 * @param {number} width
 * @param {number} height
 * @param {number} minArea
 * @param {number} maxHole
 */
export function clean(mask, width, height, minArea, maxHole) {
  const out = mask.slice();
  if (minArea > 1) {
    const spots = parts(out, width, height, 1, true);
    const { area } = measure(spots, width, height);
    paint(out, spots, width, height, 0, (r) => area[r] < minArea);
  }
  if (maxHole > 0) {
    const holes = parts(out, width, height, 0, false);
    const { area, edge } = measure(holes, width, height);
    paint(out, holes, width, height, 1, (r) => !edge[r] && area[r] <= maxHole);
  }
  return out;
}

/**
 * The part under a pixel: a spot of the mask (value 1, 8-connected) or a hole (value 0,
 * 4-connected; null if it reaches the edge).
 * @param {Uint8Array} mask
 * @param {number} width
 * @param {number} height
 * @param {number} x
 * @param {number} y
 * @param {number} value
 * @returns {{ runs: Runs, rect: Rect } | null}
 */
export function partAt(mask, width, height, x, y, value) {
  if (mask[y * width + x] !== value) return null;
  const found = parts(mask, width, height, value, value === 1);
  let mine = -1;
  for (let run = found.rows[y]; run < found.rows[y + 1]; run++) {
    if (found.start[run] <= x && x < found.end[run]) mine = found.root(run);
  }
  if (value === 0 && measure(found, width, height).edge[mine]) return null;
  /** @type {Runs} */
  const runs = [];
  for (let row = 0; row < height; row++) {
    for (let run = found.rows[row]; run < found.rows[row + 1]; run++) {
      if (found.root(run) === mine) runs.push([row, found.start[run], found.end[run]]);
    }
  }
  return { runs, rect: around(runs) };
}
