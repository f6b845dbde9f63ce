// @ts-check
// The picture that is worked on: maps, masks, corrections and steps of each class; knows no page.
import { History } from "./history.js";
import { Layer } from "./layer.js";
import { NONE } from "./mask.js";
import { around, cut, put, same, union } from "./rects.js";

/** @import { Done } from "./history.js" */
/** @import { Maps } from "./layer.js" */
/** @import { Edit, Rect } from "./types.js" */

/** @typedef {"level" | "minArea" | "maxHole"} Setting */

/**
 * A stroke under way. `before`: the rows that it touched, as they were, by y; a large picture is
 * not copied for a stroke.
 * @typedef {object} Pending
 * @property {Rect} rect
 * @property {Map<number, Uint8Array>} before
 * @property {string} label
 * @property {number} layer
 */

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
    this.layers = corrections.map((drawn) => new Layer(drawn, width, height));
    this.active = 0; // the class that is worked on
    /** @type {string | undefined} */
    this.analysis = undefined; // names the maps
    /** @type {string | undefined} */
    this.status = undefined; // the picture's; steps bring it back
    this.gesture = 0; // moves of a slider in one gesture are one step
    this.revision = 0; // raised by all that is done to the scene
    /** @type {Pending | null} */
    this.pending = null; // a stroke under way
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

  /** What is seen and saved, a new array: see `Layer`. */
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
   * @param {Maps[]} maps  by class
   */
  setMaps(analysis, maps) {
    this.analysis = analysis;
    this.revision++;
    maps.forEach((map, index) => this.layers[index].set(map));
  }

  /**
   * Set a threshold level or a limit of the cleaning, of the class that is worked on.
   * @param {Setting} name
   * @param {number} value
   */
  set(name, value) {
    this.layer.set({ [name]: value });
    this.revision++;
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
      this.pending ??= { rect, before: new Map(), label, layer: active };
      const { before } = this.pending;
      this.pending.rect = union(this.pending.rect, rect);
      for (const [y] of runs) {
        if (!before.has(y)) before.set(y, corrections.slice(y * width, (y + 1) * width));
      }
    } else {
      this.history.drew(rect, cut(corrections, width, rect), { label, layer: active, status });
    }
    for (const [y, from, to] of runs) corrections.fill(value, y * width + from, y * width + to);
    layer.drew(rect);
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
    this.history.drew(rect, this.former(pending), { label, layer, status });
    this.revision++;
    return rect;
  }

  /**
   * The corrections in the rectangle of a gesture, as they were before it.
   * @param {Pending} pending
   */
  former({ rect, before, layer }) {
    const pixels = cut(this.layers[layer].corrections, this.width, rect);
    for (const [y, row] of before) {
      pixels.set(row.subarray(rect.x, rect.x + rect.w), (y - rect.y) * rect.w);
    }
    return pixels;
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
    put(layer.corrections, this.width, rect, this.former(pending));
    layer.drew(rect);
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
    if (done.rect) this.layer.drew(done.rect);
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
      if (same(corrections, layer.corrections)) return;
      this.history.drew(rect, layer.corrections.slice(), { label: "elsewhere", layer: index });
      layer.replace(corrections);
      this.revision++;
      changed = true;
    });
    return changed;
  }

  /** Take back all that was drawn on the class that is worked on; null where nothing was. */
  clear() {
    const { width, corrections, layer: { rows } } = this;
    /** @type {import("./types.js").Runs} */
    const runs = [];
    rows.forEach((drawn, y) => {
      const row = corrections.subarray(y * width, (y + 1) * width);
      if (drawn && row.some(Boolean)) runs.push([y, 0, width]);
    });
    return this.apply({ runs, value: NONE, label: "clear" });
  }
}
