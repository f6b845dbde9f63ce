// @ts-check
// What an operating curve says about a threshold, chosen as lrpseg.OperatingPoints chooses.

/** @import { CurvePoint, Figures, Interval } from "./types.js" */

const FIGURES = /** @type {const} */ (["precision", "recall", "iou"]);
const INTERVALS = /** @type {const} */ (["precision_interval", "recall_interval", "iou_interval"]);

/**
 * What to expect at a threshold: linear between the two neighbours on the curve; the ends go on.
 * @param {CurvePoint[]} curve  ascending in threshold
 * @param {number} threshold
 * @returns {CurvePoint}
 */
export function expected(curve, threshold) {
  const at = Math.max(0, curve.findLastIndex((point) => point.threshold <= threshold));
  const a = curve[at], b = curve[at + 1];
  if (!b || threshold <= a.threshold) return { ...a, threshold };
  const share = (threshold - a.threshold) / (b.threshold - a.threshold);
  /** @type {(from: number, to: number) => number} */
  const between = (from, to) => from + share * (to - from);
  const found = { ...a, threshold };
  for (const name of FIGURES) found[name] = between(a[name], b[name]);
  for (const name of INTERVALS) {
    found[name] = [between(a[name][0], b[name][0]), between(a[name][1], b[name][1])];
  }
  return found;
}

/**
 * Among the points whose `limited` figure is at least `least`, the one with the highest `other`
 * figure; null where there is none.
 * @template {Figures} P
 * @param {P[]} curve
 * @param {keyof Figures} limited
 * @param {number} least
 * @param {keyof Figures} other
 * @returns {P | null}
 */
export function atLeast(curve, limited, least, other) {
  const reaching = curve.filter((p) => p[limited] >= least);
  if (!reaching.length) return null;
  return reaching.reduce((a, b) =>
    b[other] > a[other] || (b[other] === a[other] && b[limited] > a[limited]) ? b : a,
  );
}

/**
 * The level whose threshold is nearest.
 * @param {number[]} levels  the threshold of each
 * @param {number} threshold
 */
export function nearestLevel(levels, threshold) {
  let best = 0;
  for (let k = 1; k < levels.length; k++) {
    if (Math.abs(levels[k] - threshold) < Math.abs(levels[best] - threshold)) best = k;
  }
  return best;
}

/**
 * A threshold with as many digits as tell it from 0 and 1.
 * @param {number} value
 */
export function format(value) {
  if (value > 0.999 && value < 1) return `1 - ${(1 - value).toExponential(1)}`;
  if (value > 0 && value < 0.001) return value.toExponential(1);
  return String(Number(value.toFixed(3)));
}

/** @type {(value: number, interval: Interval) => string} */
const interval = (value, [low, high]) =>
  `${value.toFixed(2)} (${low.toFixed(2)}-${high.toFixed(2)})`;

/**
 * The sentence that says what to expect at a point.
 * @param {{ split: string, images: number, regions: number }} measured
 * @param {CurvePoint} point
 */
export function sentence({ split, images, regions }, point) {
  const where = split === "val" ? "validation" : split;
  return (
    `To expect, from ${images} ${where} crops of ${regions} regions: precision ` +
    `${interval(point.precision, point.precision_interval)}, recall ` +
    `${interval(point.recall, point.recall_interval)}, IoU ` +
    `${interval(point.iou, point.iou_interval)}.`
  );
}
