// @ts-check
// The pixels that a line or a polygon covers, as runs: those whose centre lies inside.

/** @import { Point, Runs } from "./types.js" */

/**
 * Runs of the pixels whose centre lies within `radius` of the segment (x0,y0)-(x1,y1).
 * @param {number} width
 * @param {number} height
 * @param {number} x0
 * @param {number} y0
 * @param {number} x1
 * @param {number} y1
 * @param {number} radius
 * @returns {Runs}
 */
export function segmentRuns(width, height, x0, y0, x1, y1, radius) {
  /** @type {Runs} */
  const runs = [];
  const dx = x1 - x0, dy = y1 - y0, length = dx * dx + dy * dy;
  const top = Math.max(0, Math.ceil(Math.min(y0, y1) - radius - 0.5));
  const bottom = Math.min(height - 1, Math.floor(Math.max(y0, y1) + radius - 0.5));
  const left = Math.max(0, Math.ceil(Math.min(x0, x1) - radius - 0.5));
  const right = Math.min(width - 1, Math.floor(Math.max(x0, x1) + radius - 0.5));
  /** @type {(x: number, y: number) => boolean} */
  const near = (x, y) => {
    const px = x + 0.5 - x0, py = y + 0.5 - y0;
    const t = length ? Math.min(1, Math.max(0, (px * dx + py * dy) / length)) : 0;
    const ex = px - t * dx, ey = py - t * dy;
    return ex * ex + ey * ey <= radius * radius;
  };
  for (let y = top; y <= bottom; y++) {
    let from = left;
    while (from <= right && !near(from, y)) from++;
    if (from > right) continue;
    let to = right;
    while (to > from && !near(to, y)) to--;
    runs.push([y, from, to + 1]); // the shape is convex: a row of it is one run
  }
  return runs;
}

/**
 * Runs of the pixels whose centre lies inside the polygon (even-odd).
 * @param {number} width
 * @param {number} height
 * @param {Point[]} points
 * @returns {Runs}
 */
export function polygonRuns(width, height, points) {
  /** @type {Runs} */
  const runs = [];
  const ys = points.map((p) => p[1]);
  const top = Math.max(0, Math.floor(Math.min(...ys)));
  const bottom = Math.min(height - 1, Math.ceil(Math.max(...ys)));
  for (let y = top; y <= bottom; y++) {
    /** @type {number[]} */
    const crossings = [];
    for (let i = 0; i < points.length; i++) {
      const [ax, ay] = points[i], [bx, by] = points[(i + 1) % points.length];
      if (ay <= y + 0.5 === by <= y + 0.5) continue;
      crossings.push(ax + ((y + 0.5 - ay) / (by - ay)) * (bx - ax));
    }
    crossings.sort((a, b) => a - b);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const from = Math.max(0, Math.ceil(crossings[i] - 0.5));
      const to = Math.min(width, Math.ceil(crossings[i + 1] - 0.5));
      if (to > from) runs.push([y, from, to]);
    }
  }
  return runs;
}
