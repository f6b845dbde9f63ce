// @ts-check
// The picture that is worked on: maps, masks, corrections and steps of each class; knows no page.
import { History } from "./history.js";
import { NONE, clean, composeRange, threshold } from "./mask.js";
import { around, cut, put, union } from "./rects.js";

/** @import { Done } from "./history.js" */
/** @import { Edit, Rect } from "./types.js" */

/**
 * What belongs to one class of damage; all arrays are flat, row by row.
 * @typedef {object} Layer
 * @property {Uint8Array} levels  the level of each pixel's likelihood
 * @property {boolean} explained  without a heatmap no level means anything: the base mask is empty
 * @property {number} level  pixels of at least this level are in the base mask
 * @property {number} minArea  smaller spots are left out, in pixels
 * @property {number} maxHole  holes of up to so many pixels are filled
 * @property {Uint8Array} corrections  NONE, ADDED or REMOVED: they win over the base mask
 * @property {Uint8Array} base  1 where threshold and cleaning see damage
 * @property {Uint8Array} mask  base and corrections: what is shown and saved
 */

/** @typedef {"level" | "minArea" | "maxHole"} Setting */

/** Pixels are changed by `apply`, `abandon`, `undo`, `redo` and `replace`, and by nothing else. */
export class Scene {
  /**
   * One empty layer for each class; `setMaps` brings what the server found.
   * @param {{ width: number, height: number, corrections: Uint8Array[], history?: History }} parts
   */
  constructor({ width, height, corrections, history = new History() }) {
    this.width = width;
    this.height = height;
    this.history = history;
    /** @type {Layer[]} */
    this.layers = corrections.map((drawn) => ({
      levels: new Uint8Array(drawn.length), explained: false, level: 0, minArea: 0, maxHole: 0,
      corrections: drawn, base: new Uint8Array(drawn.length), mask: new Uint8Array(drawn.length),
    }));
    this.active = 0; // the class that is worked on
    /** @type {string | undefined} */
    this.analysis = undefined; // names the maps
    /** @type {string | undefined} */
    this.status = undefined; // the picture's; steps bring it back
    this.gesture = 0; // moves of a slider in one gesture are one step
    this.revision = 0; // raised by all that is done to the scene
    /** @type {{ rect: Rect, before: Uint8Array, label: string, layer: number } | null} */
    this.pending = null; // a stroke under way
    this.layers.forEach((_, index) => this.compose(index));
  }

  /**
   * Work on another class; returns where a gesture under way on the former one ended.
   * @param {number} index
   */
  choose(index) {
    const rect = this.settle();
    this.active = index;
    return rect;
  }

  get layer() {
    return this.layers[this.active];
  }

  get mask() {
    return this.layer.mask;
  }

  get corrections() {
    return this.layer.corrections;
  }

  get level() {
    return this.layer.level;
  }

  /** Corrections of all classes. */
  get drawn() {
    return this.layers.map((layer) => layer.corrections);
  }

  /**
   * Other maps of the same picture; what was drawn stays.
   * @param {string | undefined} analysis
   * @param {Pick<Layer, "levels" | "explained" | "level" | "minArea" | "maxHole">[]} maps  by class
   */
  setMaps(analysis, maps) {
    this.analysis = analysis;
    this.revision++;
    maps.forEach((map, index) => {
      Object.assign(this.layers[index], map);
      this.compose(index);
    });
  }

  /**
   * Set a threshold level or a limit of the cleaning, of the class that is worked on.
   * @param {Setting} name
   * @param {number} value
   */
  set(name, value) {
    this.layer[name] = value;
    this.revision++;
    this.compose();
  }

  /**
   * The same as a step; false where nothing changes.
   * @param {Setting} name
   * @param {number} value
   */
  change(name, value) {
    const from = this.layer[name];
    if (from === value) return false;
    const about = name === "level" ? this.analysis : undefined;
    const { gesture, active: layer, status } = this;
    this.history.changed({ name, from, to: value, gesture, layer, about, status });
    this.set(name, value);
    return true;
  }

  /**
   * Keep something else that can be taken back: a status, a choice.
   * @param {string} name
   * @param {unknown} from
   * @param {unknown} to
   */
  step(name, from, to) {
    this.history.changed({ name, from, to, gesture: ++this.gesture, layer: this.active });
    this.revision++;
  }

  /** From the level map to the mask: threshold, cleaning, corrections. */
  compose(index = this.active) {
    const layer = this.layers[index], { levels, level, minArea, maxHole } = layer;
    if (!layer.explained) layer.base.fill(0);
    else {
      layer.base = threshold(levels, level);
      if (minArea > 1 || maxHole) {
        layer.base = clean(layer.base, this.width, this.height, minArea, maxHole);
      }
    }
    composeRange(layer.base, layer.corrections, layer.mask, 0, layer.mask.length);
  }

  /**
   * The same in a rectangle whose corrections changed.
   * @param {Rect} rect
   * @param {Layer} layer
   */
  recompose({ x, y, w, h }, { base, corrections, mask }) {
    for (let row = y; row < y + h; row++) {
      const from = row * this.width + x;
      composeRange(base, corrections, mask, from, from + w);
    }
  }

  /**
   * Draw an edit on the class that is worked on; returns where. An open one joins what was drawn
   * since the last step; the first that is not open ends that step.
   * @param {Edit} edit
   * @returns {Rect | null}  null where it has no pixels
   */
  apply({ runs, value, label, open = false }) {
    if (!runs.length) return null;
    const { layer, width, active, status } = this, { corrections } = layer, rect = around(runs);
    if (open || this.pending) {
      this.pending ??= { rect, before: corrections.slice(), label, layer: active };
      this.pending.rect = union(this.pending.rect, rect);
    } else {
      this.history.drew(rect, cut(corrections, width, rect), { label, layer: active, status });
    }
    for (const [y, from, to] of runs) corrections.fill(value, y * width + from, y * width + to);
    this.recompose(rect, layer);
    this.revision++;
    if (!open) this.settle();
    return rect;
  }

  /**
   * End the gesture under way: what it drew is one step. Returns where, or null if it drew nothing.
   * @returns {Rect | null}
   */
  settle() {
    const { pending, status } = this;
    if (!pending) return null;
    this.pending = null;
    const { rect, label, layer } = pending;
    this.history.drew(rect, cut(pending.before, this.width, rect), { label, layer, status });
    this.revision++;
    return rect;
  }

  /**
   * Take the gesture under way back, as if it never was.
   * @returns {Rect | null}
   */
  abandon() {
    const { pending } = this;
    if (!pending) return null;
    this.pending = null;
    const layer = this.layers[pending.layer], { rect } = pending;
    put(layer.corrections, this.width, rect, cut(pending.before, this.width, rect));
    this.recompose(rect, layer);
    this.revision++;
    return rect;
  }

  /** Take the last step back; a setting is told, not set: see `Done`. */
  undo() {
    return this.moved(this.history.undo(this.drawn, this.width, this.analysis));
  }

  /** Do it again. */
  redo() {
    return this.moved(this.history.redo(this.drawn, this.width, this.analysis));
  }

  /** @param {Done | null} done */
  moved(done) {
    if (!done) return null;
    this.revision++;
    const ofLayer = done.rect || (done.name && done.name in this.layer);
    if (ofLayer) this.active = done.layer; // who undoes sees what
    if (done.rect) this.recompose(done.rect, this.layer);
    return done;
  }

  /**
   * Put corrections that were drawn elsewhere in the place of ours, as a step; false where they are
   * the same.
   * @param {Uint8Array[]} drawn  by class
   */
  replace(drawn) {
    const rect = { x: 0, y: 0, w: this.width, h: this.height };
    let changed = false;
    drawn.forEach((corrections, index) => {
      const layer = this.layers[index];
      if (!corrections.some((c, i) => c !== layer.corrections[i])) return;
      this.history.drew(rect, layer.corrections.slice(), { label: "elsewhere", layer: index });
      layer.corrections.set(corrections);
      this.recompose(rect, layer);
      this.revision++;
      changed = true;
    });
    return changed;
  }

  /** Take back all that was drawn on the class that is worked on; null where nothing was. */
  clear() {
    if (!this.corrections.some(Boolean)) return null;
    /** @type {import("./types.js").Runs} */
    const runs = Array.from({ length: this.height }, (_, y) => [y, 0, this.width]);
    return this.apply({ runs, value: NONE, label: "clear" });
  }
}
