// @ts-check
// One class of damage on a picture: its level map, the cleaning, what was drawn. Masks are made of
// these when they are asked for, at any threshold: none is kept, none can be out of date.
import { clean } from "./areas.js";
import { ADDED, NONE, REMOVED, compose, threshold } from "./mask.js";

/** @import { Rect } from "./types.js" */

/** The number of levels: a pixel that is marked at all of them has this reach. */
export const LEVELS = 256;
/** From so many pixels on cleaning takes more than a frame: somebody does it beside the page. */
export const LARGE = 250_000;

/**
 * Maps and settings; all arrays are flat, row by row.
 * @typedef {object} Maps
 * @property {Uint8Array} levels  the level of each pixel's likelihood
 * @property {boolean} explained  without a heatmap no level means anything: nothing is marked
 * @property {number} level  pixels of at least this level are marked
 * @property {number} minArea  smaller spots are left out, in pixels
 * @property {number} maxHole  holes of up to so many pixels are filled
 *
 * What is to be cleaned, and how.
 * @typedef {Pick<Maps, "levels" | "minArea" | "maxHole">} Wish
 * @typedef {Wish & { width: number, height: number }} Request
 */

export class Layer {
  /**
   * @param {Uint8Array} corrections  NONE, ADDED or REMOVED: they win over the level map
   * @param {number} width
   * @param {number} height
   */
  constructor(corrections, width, height) {
    this.width = width;
    this.height = height;
    this.corrections = corrections;
    this.levels = new Uint8Array(corrections.length);
    this.explained = false;
    this.level = this.minArea = this.maxHole = 0;
    /** @type {{ request: Request, levels: Uint8Array } | null} */
    this.cleaned = null; // the last that was made of these levels
    this.rows = rowsOf(corrections, width, height); // 1 where something may be drawn
    this.version = 0; // raised by other maps, cleaning or corrections from elsewhere
    this.strokes = 0; // raised by what is drawn
  }

  /**
   * Other maps or settings.
   * @param {Partial<Maps>} settings
   */
  set(settings) {
    Object.assign(this, settings);
    if (Object.keys(settings).some((name) => name !== "level")) this.version++;
    if (this.cleaned?.request.levels !== this.levels) this.cleaned = null;
    if (this.levels.length < LARGE && !this.exact) this.take(this.request, cleanedOf(this.request));
  }

  /**
   * Corrections in a rectangle were changed.
   * @param {Rect} rect
   */
  drew({ y, h }) {
    this.rows.fill(1, y, y + h);
    this.strokes++;
  }

  /**
   * Corrections that were drawn elsewhere are here instead.
   * @param {Uint8Array} corrections
   */
  replace(corrections) {
    this.corrections.set(corrections);
    this.rows = rowsOf(corrections, this.width, this.height);
    this.version++;
  }

  /** @returns {Request} */
  get request() {
    const { levels, width, height, minArea, maxHole } = this;
    return { levels, width, height, minArea, maxHole };
  }

  /** Whether no cleaning is to come. */
  get exact() {
    const { cleaned, empty, minArea, maxHole } = this;
    if (empty || (minArea <= 1 && !maxHole)) return true;
    return cleaned !== null && fits(cleaned.request, this);
  }

  /**
   * Take what came of a request; one that is not for these maps and settings is left.
   * @param {Request} request
   * @param {Uint8Array} levels
   */
  take(request, levels) {
    if (!fits(request, this)) return;
    this.cleaned = { request, levels };
    this.version++;
  }

  /** Whether nothing is marked but what was drawn. */
  get empty() {
    return !this.explained || this.levels.length < this.minArea;
  }

  /** The level map that is shown: cleaned, as far as that is done. */
  get map() {
    return (this.minArea > 1 || this.maxHole) && this.cleaned ? this.cleaned.levels : this.levels;
  }

  /** The mask at the present level, exact in any case: 1 where there is damage. A new array. */
  get mask() {
    const { empty, exact, request, level, corrections } = this;
    const base = empty ? new Uint8Array(corrections.length)
      : exact ? threshold(this.map, level)
        : cleanedOf({ ...request, levels: threshold(this.levels, level) });
    return compose(base, corrections);
  }

  /** Whether a pixel is in the mask, exact in any case; holds until something changes. */
  marked() {
    if (!this.exact) {
      const { mask } = this;
      return (/** @type {number} */ i) => mask[i] === 1;
    }
    const reaches = this.reaches(), { level } = this;
    return (/** @type {number} */ i) => reaches(i) > level;
  }

  /** In how many levels a pixel is marked, as it is shown; holds until something changes. */
  reaches() {
    const { map, empty, corrections } = this;
    /** @param {number} i */
    return (i) => {
      const c = corrections[i];
      return c === NONE ? (empty ? 0 : map[i] + 1) : c === ADDED ? LEVELS : 0;
    };
  }
}

/**
 * Whether what came of a request is still what is wanted.
 * @param {Request} request
 * @param {Wish} wanted
 */
export const fits = ({ levels, minArea, maxHole }, wanted) =>
  levels === wanted.levels && minArea === wanted.minArea && maxHole === wanted.maxHole;

/**
 * 1 for each row that something is drawn on.
 * @param {Uint8Array} corrections
 * @param {number} width
 * @param {number} height
 */
function rowsOf(corrections, width, height) {
  const rows = new Uint8Array(height);
  for (let y = 0; y < height; y++) {
    const row = corrections.subarray(y * width, (y + 1) * width);
    if (row.includes(ADDED) || row.includes(REMOVED)) rows[y] = 1;
  }
  return rows;
}

/** @param {Request} request */
export const cleanedOf = ({ levels, width, height, minArea, maxHole }) =>
  clean(levels, width, height, minArea, maxHole);
