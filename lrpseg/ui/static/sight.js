// @ts-check
// What the pixels of the screen show of a picture, at all thresholds at once: moving the threshold
// looks at the screen alone, however large the picture is.

/** @import { Layer } from "./layer.js" */
/** @import { Part } from "./raster.js" */

export class Sight {
  /**
   * Of a screen of so many device pixels.
   * @param {number} width
   * @param {number} height
   * @param {number | null} [only]  the one level that counts: it is quicker to look for; null: all
   */
  constructor(width, height, only = null) {
    this.width = width;
    this.reach = new Uint16Array(width * height); // in how many levels the mask is seen there
    this.inner = new Uint16Array(width * height); // and in how many of these it is not its rim
    this.drawn = new Uint8Array(width * height); // NONE, ADDED or REMOVED
    this.only = only;
  }

  /**
   * Look at a rectangle of the screen again. Zoomed out, one marked pixel marks its block.
   * @param {Layer} layer
   * @param {Part} part
   */
  look(layer, { left, top, w, h, x: x0, y: y0, scale: s }) {
    const { width, height, map, rows, empty } = layer, { only } = this;
    const columns = spans(left, w, x0, s, width), lines = spans(top, h, y0, s, height);
    const rim = Math.max(1, Math.round(1.5 / s)); // of the mask's pixels, at any zoom as thick
    for (let j = 0; j < h; j++) {
      const y = lines[2 * j], bottom = lines[2 * j + 1], from = (top + j) * this.width + left;
      this.reach.fill(0, from, from + w);
      this.inner.fill(0, from, from + w);
      this.drawn.fill(0, from, from + w);
      if (y >= bottom) continue;
      const drawn = rows.subarray(Math.max(0, y - rim), Math.max(bottom, y + rim + 1)).includes(1);
      if (drawn) this.lookClosely(layer, columns, y, bottom, rim, from);
      else if (empty) continue; // what was drawn is all that there is
      const inside = y >= rim && y < height - rim, up = rim * width;
      for (let i = 0; i < w && !drawn; i++) {
        const x = columns[2 * i], right = columns[2 * i + 1], k = y * width + x;
        if (x >= right) continue;
        const found = only === null ? highest(map, width, x, y, right, bottom)
          : any(map, width, x, y, right, bottom, only);
        this.reach[from + i] = found + 1;
        if (!inside || x < rim || x >= width - rim || (only !== null && found < only)) continue;
        const least = Math.min(map[k - rim], map[k + rim], map[k - up], map[k + up]);
        this.inner[from + i] = least + 1;
      }
    }
  }

  /**
   * The same for a line of the screen that shows what was drawn.
   * @param {Layer} layer
   * @param {Int32Array} columns  see `spans`
   * @param {number} y  the line's first row
   * @param {number} bottom  one past its last
   * @param {number} rim
   * @param {number} from  the line's place in the arrays
   */
  lookClosely(layer, columns, y, bottom, rim, from) {
    const { width, height, map, empty, corrections } = layer, up = rim * width;
    const reaches = layer.reaches();
    for (let i = 0; 2 * i < columns.length; i++) {
      const x = columns[2 * i], right = columns[2 * i + 1], k = y * width + x;
      if (x >= right) continue;
      const mark = any(corrections, width, x, y, right, bottom, 1);
      this.drawn[from + i] = mark;
      if (mark) this.reach[from + i] = furthest(reaches, width, x, y, right, bottom);
      else if (!empty) this.reach[from + i] = highest(map, width, x, y, right, bottom) + 1;
      if (x < rim || y < rim || x >= width - rim || y >= height - rim) continue;
      const across = Math.min(reaches(k - rim), reaches(k + rim));
      this.inner[from + i] = Math.min(across, reaches(k - up), reaches(k + up));
    }
  }
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
 * The first value in a block that is at least so much, or 0.
 * @param {Uint8Array} values
 * @param {number} width
 * @param {number} x
 * @param {number} y
 * @param {number} right
 * @param {number} bottom
 * @param {number} least
 */
export function any(values, width, x, y, right, bottom, least) {
  for (let row = y; row < bottom; row++) {
    for (let i = row * width + x; i < row * width + right; i++) {
      if (values[i] >= least) return values[i];
    }
  }
  return 0;
}

/**
 * The highest value in a block.
 * @param {Uint8Array} values
 * @param {number} width
 * @param {number} x
 * @param {number} y
 * @param {number} right
 * @param {number} bottom
 */
function highest(values, width, x, y, right, bottom) {
  let found = 0;
  for (let row = y; row < bottom; row++) {
    for (let i = row * width + x; i < row * width + right; i++) {
      if (values[i] > found) found = values[i];
    }
  }
  return found;
}

/**
 * The furthest reach in a block.
 * @param {(i: number) => number} reaches
 * @param {number} width
 * @param {number} x
 * @param {number} y
 * @param {number} right
 * @param {number} bottom
 */
function furthest(reaches, width, x, y, right, bottom) {
  let found = 0;
  for (let row = y; row < bottom; row++) {
    for (let i = row * width + x; i < row * width + right; i++) {
      found = Math.max(found, reaches(i));
    }
  }
  return found;
}
