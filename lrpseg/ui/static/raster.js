// @ts-check
// The mask's colours on the pixels of the screen: no line of one pixel is lost, at any zoom.

// Okabe and Ito's blue, orange and purple.
const MASK = [0, 114, 178], ADDED = [230, 159, 0], REMOVED = [204, 121, 167];
const WHITE = 0xffffffff, BLACK = 0xff000000;

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
 * The mask's colours for a part of the screen, as ABGR words of its pixels, row by row.
 * @param {{ width: number, height: number, mask: Uint8Array, corrections: Uint8Array }} scene
 * @param {Look} look
 * @param {Part} part  in device pixels
 * @param {Uint32Array} [data]  zeros, to be filled
 */
export function rasterise(scene, look, part, data = new Uint32Array(part.w * part.h)) {
  const { width, height, mask, corrections } = scene, { left, top, w, h, scale: s } = part;
  const solid = look.mode === "mask";
  if (!solid && !look.mask) return data;
  const alpha = look.contour || look.mode === "heatmap" ? 0 : look.opacity;
  const fill = solid ? WHITE : colour(MASK, alpha);
  const rim = colour(MASK, 1), dashed = look.mode === "heatmap"; // black and white dashes
  const added = colour(ADDED, 0.75), removed = colour(REMOVED, 0.75);
  const columns = spans(left, w, part.x, s, width), lines = spans(top, h, part.y, s, height);
  const blocks = s < 1;
  const rimWidth = Math.max(1, Math.round(1.5 / s)); // of a contour, in mask pixels
  for (let j = 0; j < h; j++) {
    const y = lines[2 * j], bottom = lines[2 * j + 1];
    if (y >= bottom) continue;
    for (let i = 0; i < w; i++) {
      const x = columns[2 * i], right = columns[2 * i + 1];
      if (x >= right) continue;
      const at = j * w + i;
      if (look.changes && !solid) {
        const c = blocks
          ? any(corrections, width, x, y, right, bottom) : corrections[y * width + x];
        if (c) {
          data[at] = c === 1 ? added : removed;
          continue;
        }
      }
      if (!(blocks ? any(mask, width, x, y, right, bottom) : mask[y * width + x])) continue;
      if (solid || !edge(mask, width, height, x, y, rimWidth)) data[at] = fill;
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

/**
 * [from, to) in mask pixels of each screen pixel, flat. Zoomed out, the blocks join without gaps or
 * overlaps, so that no line of one pixel falls between them; zoomed in, it is the pixel below.
 * @param {number} first  the first screen pixel
 * @param {number} count
 * @param {number} origin  where the picture begins on the screen
 * @param {number} s  screen pixels for one pixel of the mask
 * @param {number} size  of the picture
 */
export function spans(first, count, origin, s, size) {
  const found = new Int32Array(2 * count);
  for (let i = 0; i < count; i++) {
    const from = Math.floor((first + i + (s < 1 ? 0 : 0.5) - origin) / s);
    const to = s < 1 ? Math.floor((first + i + 1 - origin) / s) : from + 1;
    found[2 * i] = Math.max(0, from);
    found[2 * i + 1] = Math.min(size, to);
  }
  return found;
}

/**
 * The first value in a block that is not 0: a crack of one pixel must not vanish.
 * @param {Uint8Array} values
 * @param {number} width
 * @param {number} x
 * @param {number} y
 * @param {number} right
 * @param {number} bottom
 */
export function any(values, width, x, y, right, bottom) {
  for (let row = y; row < bottom; row++) {
    for (let i = row * width + x; i < row * width + right; i++) if (values[i]) return values[i];
  }
  return 0;
}

/**
 * Whether a pixel of the mask is at most `d` from what is not in it.
 * @param {Uint8Array} mask
 * @param {number} width
 * @param {number} height
 * @param {number} x
 * @param {number} y
 * @param {number} d
 */
function edge(mask, width, height, x, y, d) {
  return (
    x < d || y < d || x >= width - d || y >= height - d ||
    !mask[y * width + x - d] || !mask[y * width + x + d] ||
    !mask[(y - d) * width + x] || !mask[(y + d) * width + x]
  );
}
