// @ts-check
// Precision, recall and IoU of masks, as lrpseg/masks/figures.py defines them.
import { LEVELS } from "./layer.js";
import { ADDED, NONE } from "./mask.js";

/** @import { Layer } from "./layer.js" */
/** @import { Figures } from "./types.js" */
/** @typedef {{ tp: number, fp: number, fn: number }} Counts */

/**
 * Precision, recall and IoU; an empty mask has precision 0 unless there is nothing to find.
 * @param {Counts} counts
 * @returns {Figures}
 */
export function figures({ tp, fp, fn }) {
  return {
    precision: tp + fp ? tp / (tp + fp) : Number(fn === 0),
    recall: tp + fn ? tp / (tp + fn) : 1,
    iou: tp + fp + fn ? tp / (tp + fp + fn) : 1,
  };
}

/**
 * Pixels by their level, and how many of them are damage.
 * @typedef {{ all: Float64Array, hit: Float64Array }} Counted
 */

/**
 * @param {Uint8Array} map  the level of each pixel
 * @param {Uint8Array} truth
 * @returns {Counted}
 */
function count(map, truth) {
  const all = new Float64Array(LEVELS), hit = new Float64Array(LEVELS);
  for (let i = 0; i < map.length; i++) {
    all[map[i]]++;
    if (truth[i]) hit[map[i]]++;
  }
  return { all, hit };
}

/**
 * Figures at each of so many levels: what is of a level is marked at this and all below.
 * @param {Counted} counted
 * @param {number} damage  pixels
 * @param {number} levels
 */
function figuresOf({ all, hit }, damage, levels) {
  /** @type {Figures[]} */
  const found = Array.from({ length: levels });
  let marked = 0, tp = 0;
  for (let k = LEVELS - 1; k >= 0; k--) {
    marked += all[k];
    tp += hit[k];
    if (k < levels) found[k] = figures({ tp, fp: marked - tp, fn: damage - tp });
  }
  return found;
}

/**
 * Figures at every level in one pass over the pixels.
 * @param {Uint8Array} quantised  the level of each pixel
 * @param {Uint8Array} truth
 * @param {number} levels  how many there are
 * @returns {Figures[]}
 */
export function curve(quantised, truth, levels) {
  const counted = count(quantised, truth);
  return figuresOf(counted, counted.hit.reduce((a, b) => a + b, 0), levels);
}

/** Figures of a layer's mask at any level: its map is counted once, then only what is drawn. */
export class Score {
  constructor() {
    /** @type {unknown[]} */
    this.of = []; // what `counted` and `found` are of
    /** @type {Counted} */
    this.counted = count(new Uint8Array(0), new Uint8Array(0));
    /** @type {Figures[]} */
    this.found = [];
  }

  /**
   * At the present level.
   * @param {Layer} layer
   * @param {Uint8Array} truth
   */
  at(layer, truth) {
    const { map, shown, strokes } = layer, now = [truth, map, strokes, ...shown];
    const was = this.of;
    if (now.some((value, i) => value !== was[i])) {
      if (truth !== was[0] || map !== was[1]) this.counted = count(map, truth);
      this.found = withDrawn(this.counted, layer, truth);
      this.of = now;
    }
    return this.found[layer.level];
  }
}

/**
 * Figures at all levels of a map with its corrections: only rows that were drawn on are looked at.
 * @param {Counted} counted  of the map
 * @param {Layer} layer
 * @param {Uint8Array} truth
 */
function withDrawn(counted, { map, empty, corrections, rows, width }, truth) {
  const damage = counted.hit.reduce((a, b) => a + b, 0);
  const all = empty ? new Float64Array(LEVELS) : counted.all.slice();
  const hit = empty ? new Float64Array(LEVELS) : counted.hit.slice();
  for (let y = 0; y < rows.length; y++) {
    for (let i = y * width; rows[y] && i < (y + 1) * width; i++) {
      const c = corrections[i], damaged = truth[i] ? 1 : 0;
      if (c === NONE) continue;
      if (!empty) {
        all[map[i]]--;
        hit[map[i]] -= damaged;
      }
      if (c !== ADDED) continue;
      all[LEVELS - 1]++; // it is marked at every level
      hit[LEVELS - 1] += damaged;
    }
  }
  return figuresOf({ all, hit }, damage, LEVELS);
}
