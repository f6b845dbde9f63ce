// @ts-check
// Precision over recall as an SVG: the measured curve, this picture's, and the chosen points.

/** @import { Figures } from "./types.js" */

const WIDTH = 260, HEIGHT = 170, LEFT = 34, BOTTOM = 30, MARGIN = 8;
/** @param {number} recall */
const px = (recall) => LEFT + recall * (WIDTH - LEFT - MARGIN);
/** @param {number} precision */
const py = (precision) => MARGIN + (1 - precision) * (HEIGHT - BOTTOM - MARGIN);

/**
 * @param {Figures[]} points
 * @param {string} name  of its class
 */
function line(points, name) {
  const corners = points.map((p) => `${px(p.recall).toFixed(1)},${py(p.precision).toFixed(1)}`);
  return `<polyline class="${name}" points="${corners.join(" ")}"/>`;
}

/**
 * @param {Figures} at
 * @param {string} name
 * @param {number} radius
 */
const dot = (at, name, radius) =>
  `<circle class="${name}" cx="${px(at.recall)}" cy="${py(at.precision)}" r="${radius}"/>`;

/**
 * @param {number} tick
 * @returns {string[]}
 */
function grid(tick) {
  const label = tick === 0 || tick === 0.5 || tick === 1 ? tick : "";
  return [
    `<line class="grid" x1="${px(tick)}" x2="${px(tick)}" y1="${py(0)}" y2="${py(1)}"/>`,
    `<line class="grid" x1="${px(0)}" x2="${px(1)}" y1="${py(tick)}" y2="${py(tick)}"/>`,
    `<text x="${px(tick)}" y="${py(0) + 12}" text-anchor="middle">${label}</text>`,
    `<text x="${LEFT - 4}" y="${py(tick) + 3}" text-anchor="end">${label}</text>`,
  ];
}

/**
 * `measured`, `point`: on validation pictures, and the threshold at hand there. `truth`, `own`: on
 * this picture, at each level and of its mask with all that was drawn. Any may be missing.
 * @param {object} what
 * @param {Figures[] | null} what.measured
 * @param {Figures | null} what.point
 * @param {Figures[] | null} what.truth
 * @param {Figures | null} what.own
 */
export function plot({ measured, point, truth, own }) {
  const parts = [0, 0.25, 0.5, 0.75, 1].flatMap(grid);
  parts.push(
    `<text x="${px(0.5)}" y="${HEIGHT - 3}" text-anchor="middle">recall</text>`,
    `<text transform="translate(9 ${py(0.5)}) rotate(-90)" text-anchor="middle">precision</text>`,
  );
  if (measured) parts.push(line(measured, "curve"));
  if (truth) parts.push(line(truth, "own-curve"));
  if (point) parts.push(dot(point, "chosen", 5));
  if (own) parts.push(dot(own, "own-chosen", 4));
  const label = 'role="img" aria-label="Precision over recall"';
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" ${label}>${parts.join("")}</svg>`;
}
