// @ts-check
// The mask's colours on the pixels of the screen, at one threshold.

// Okabe and Ito's blue, orange and purple.
const MASK = [0, 114, 178], ADDED = [230, 159, 0], REMOVED = [204, 121, 167];
const WHITE = 0xffffffff, BLACK = 0xff000000;

/** @import { Sight } from "./sight.js" */

/**
 * How the mask is shown.
 * @typedef {object} Look
 * @property {number} opacity  0 to 1
 * @property {boolean} contour  only its outline
 * @property {boolean} mask  false: it is hidden
 * @property {string} mode  picture, heatmap or mask: what lies under it
 * @property {boolean} changes  what was drawn has colours of its own
 */

/**
 * A rectangle of the screen; `x`, `y`: where the picture's corner is on the screen; `scale`: screen
 * pixels for one of its own.
 * @typedef {{ left: number, top: number, w: number, h: number }} Box
 * @typedef {Box & { x: number, y: number, scale: number }} Part
 */

/**
 * The mask's colours at a level for a rectangle of the screen, as ABGR words, row by row.
 * @param {Sight} sight
 * @param {number} level
 * @param {Look} look
 * @param {Box} box  in device pixels
 * @param {Uint32Array} [data]  zeros, to be filled
 */
export function rasterise(sight, level, look, box, data = new Uint32Array(box.w * box.h)) {
  const { left, top, w, h } = box, { reach, inner, drawn, width } = sight;
  const solid = look.mode === "mask";
  if (!solid && !look.mask) return data;
  const alpha = look.contour || look.mode === "heatmap" ? 0 : look.opacity;
  const fill = solid ? WHITE : colour(MASK, alpha);
  const rim = colour(MASK, 1), dashed = look.mode === "heatmap"; // black and white dashes
  const added = colour(ADDED, 0.75), removed = colour(REMOVED, 0.75);
  for (let j = 0; j < h; j++) {
    for (let i = 0; i < w; i++) {
      const at = j * w + i, k = (top + j) * width + left + i;
      if (look.changes && !solid && drawn[k]) data[at] = drawn[k] === 1 ? added : removed;
      else if (reach[k] <= level) continue;
      else if (solid || inner[k] > level) data[at] = fill;
      else if (!dashed) data[at] = rim;
      else data[at] = (left + i + top + j) & 4 ? WHITE : BLACK; // seen on any colour
    }
  }
  return data;
}

/**
 * @param {number[]} rgb
 * @param {number} alpha  0 to 1
 */
function colour([r, g, b], alpha) {
  return ((Math.round(alpha * 255) << 24) | (b << 16) | (g << 8) | r) >>> 0; // little-endian
}
