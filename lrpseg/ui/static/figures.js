// @ts-check
// Precision, recall and IoU of masks, as lrpseg/masks/figures.py defines them.

/** @import { Figures } from "./types.js" */
/** @typedef {{ tp: number, fp: number, fn: number }} Counts */

/**
 * Pixels of two masks: true positives, false positives, false negatives.
 * @param {Uint8Array} mask
 * @param {Uint8Array} truth
 * @returns {Counts}
 */
export function counts(mask, truth) {
  let tp = 0, fp = 0, fn = 0;
  for (let i = 0; i < mask.length; i++) {
    if (mask[i] && truth[i]) tp++;
    else if (mask[i]) fp++;
    else if (truth[i]) fn++;
  }
  return { tp, fp, fn };
}

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
 * Figures at every level in one pass over the pixels.
 * @param {Uint8Array} quantised  the level of each pixel
 * @param {Uint8Array} truth
 * @param {number} levels  how many there are
 * @returns {Figures[]}
 */
export function curve(quantised, truth, levels) {
  const all = new Float64Array(levels + 1), hit = new Float64Array(levels + 1);
  let damage = 0;
  for (let i = 0; i < quantised.length; i++) {
    all[quantised[i]]++;
    if (truth[i]) {
      hit[quantised[i]]++;
      damage++;
    }
  }
  /** @type {Figures[]} */
  const found = Array.from({ length: levels });
  let marked = 0, tp = 0;
  for (let k = levels - 1; k >= 0; k--) {
    marked += all[k];
    tp += hit[k];
    found[k] = figures({ tp, fp: marked - tp, fn: damage - tp });
  }
  return found;
}
