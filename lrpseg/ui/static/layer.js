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
 * What is to be cleaned, and how; `level`: of the mask that is seen meanwhile.
 * @typedef {Pick<Maps, "levels" | "minArea" | "maxHole">} Wish
 * @typedef {Wish & { width: number, height: number, level: number }} Request
 *
 * A cleaned map, for the level of its request alone or for all.
 * @typedef {{ request: Request, levels: Uint8Array }} Cleaned
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
    /** @type {Cleaned | null} */
    this.cleaned = null; // the last that was made of these levels
    /** @type {Cleaned | null} */
    this.first = null; // the last for one level
    this.rows = rowsOf(corrections, width, height); // 1 where something may be drawn
    this.strokes = 0; // raised by what is drawn here
    this.version = 0; // raised by what was drawn elsewhere
  }

  /**
   * Other maps or settings.
   * @param {Partial<Maps>} settings
   */
  set(settings) {
    Object.assign(this, settings);
    if (this.cleaned?.request.levels !== this.levels) this.cleaned = null;
    if (this.first?.request.levels !== this.levels) this.first = null;
    if (this.levels.length < LARGE && !this.settled) {
      this.take(this.request, cleanedOf(this.request), true);
    }
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
    const { levels, width, height, minArea, maxHole, level } = this;
    return { levels, width, height, minArea, maxHole, level };
  }

  /** Whether no cleaning is to come. */
  get settled() {
    const { cleaned, empty, minArea, maxHole } = this;
    if (empty || (minArea <= 1 && !maxHole)) return true;
    return cleaned !== null && fits(cleaned.request, this);
  }

  /** Whether `map` gives the mask at the present level. */
  get exact() {
    const { first, settled, level } = this;
    if (settled || first?.request.level !== level) return settled;
    return fits(first.request, this);
  }

  /**
   * Take what came of a request; one that is not for these maps and settings is left.
   * @param {Request} request
   * @param {Uint8Array} levels
   * @param {boolean} whole  it holds at all levels
   */
  take(request, levels, whole) {
    if (!fits(request, this)) return;
    this.first = whole ? null : { request, levels };
    if (whole) this.cleaned = { request, levels };
  }

  /** Whether nothing is marked but what was drawn. */
  get empty() {
    return !this.explained || this.levels.length < this.minArea;
  }

  /** The level map that is shown: cleaned, as far as that is done. */
  get map() {
    const { cleaned, first, settled, exact, levels, minArea, maxHole } = this;
    if (first && exact && !settled) return first.levels;
    return (minArea > 1 || maxHole) && cleaned ? cleaned.levels : levels;
  }

  /** The mask at the present level, exact in any case: 1 where there is damage. A new array. */
  get mask() {
    const { empty, exact, map, request, level, corrections } = this;
    const base = empty ? new Uint8Array(corrections.length)
      : threshold(exact ? map : firstOf(request), level);
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

  /**
   * Two of these that hold the same show the same pixels, but for the level and strokes.
   * @returns {unknown[]}
   */
  get shown() {
    return [this, this.map, this.empty, this.version];
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

/**
 * The cleaned map, for all levels.
 * @param {Request} request
 */
export const cleanedOf = ({ levels, width, height, minArea, maxHole }) =>
  clean(levels, width, height, minArea, maxHole);

/**
 * A map that holds at the request's level alone; it is there several times sooner.
 * @param {Request} request
 */
export function firstOf(request) {
  const mask = cleanedOf({ ...request, levels: threshold(request.levels, request.level) });
  for (let i = 0; i < mask.length; i++) if (mask[i]) mask[i] = LEVELS - 1;
  return mask;
}
