// @ts-check
// Undo and redo. A step is a rectangle of corrections as it was, or a setting's old and new value.
import { cut, put } from "./rects.js";

/** @import { Rect } from "./types.js" */

/**
 * A step as it is kept. `layer`: its class. `about`: the map that a setting's values refer to, if
 * any; beside another map the step is passed over. `status`: the picture's before.
 * @typedef {object} Drawn
 * @property {Rect} rect
 * @property {Uint8Array} pixels
 * @property {string} label
 * @property {number} layer
 * @property {string} [status]
 * @typedef {object} Changed
 * @property {string} name
 * @property {any} from
 * @property {any} to
 * @property {number} gesture
 * @property {number} layer
 * @property {string} [about]
 * @property {string} [status]
 * @typedef {Drawn | Changed} Step
 */

/**
 * What a step back or forth changed: pixels in a rectangle, or a setting that is to be set.
 * @typedef {object} Done
 * @property {number} layer
 * @property {Rect} [rect]
 * @property {string} [name]
 * @property {any} [value]
 * @property {string} [status]
 */

/** @param {Step | undefined} step */
const bytesOf = (step) => (step && "pixels" in step ? step.pixels.length : 0);

export class History {
  /** @param {number} limit  bytes of old pixels that are kept; the oldest steps go first */
  constructor(limit = 200e6) {
    this.limit = limit;
    /** @type {Step[]} */
    this.past = [];
    /** @type {Step[]} */
    this.future = [];
    this.bytes = 0;
  }

  /**
   * A drawn step: the rectangle and its pixels before.
   * @param {Rect} rect
   * @param {Uint8Array} before
   * @param {{ label?: string, layer?: number, status?: string }} [more]
   */
  drew(rect, before, { label = "", layer = 0, status } = {}) {
    this.push({ rect, pixels: before, label, layer, status });
  }

  /**
   * A setting moved; moves of one gesture are one step.
   * @param {Omit<Changed, "layer"> & { layer?: number }} moved
   */
  changed({ layer = 0, ...moved }) {
    const step = { ...moved, layer }, last = this.past[this.past.length - 1];
    const same = last && "name" in last && !this.future.length &&
      last.name === step.name && last.gesture === step.gesture && last.about === step.about &&
      last.layer === layer;
    if (same) last.to = step.to;
    else this.push(step);
  }

  /** @param {Step} step */
  push(step) {
    this.future = [];
    this.past.push(step);
    this.bytes = this.past.reduce((sum, one) => sum + bytesOf(one), 0);
    while (this.bytes > this.limit && this.past.length > 1) {
      this.bytes -= bytesOf(this.past.shift());
    }
  }

  /**
   * Take the last step back; null where there is none.
   * @param {Uint8Array[]} corrections  of each class
   * @param {number} width
   * @param {string} [about]  the map that is shown
   */
  undo(corrections, width, about) {
    return this.move(this.past, this.future, corrections, width, about, "from");
  }

  /**
   * Do it again.
   * @param {Uint8Array[]} corrections
   * @param {number} width
   * @param {string} [about]
   */
  redo(corrections, width, about) {
    return this.move(this.future, this.past, corrections, width, about, "to");
  }

  /**
   * @param {Step[]} source
   * @param {Step[]} target
   * @param {Uint8Array[]} corrections
   * @param {number} width
   * @param {string | undefined} about
   * @param {"from" | "to"} side
   * @returns {Done | null}
   */
  move(source, target, corrections, width, about, side) {
    let step = source.pop();
    while (step && "about" in step && step.about !== undefined && step.about !== about) {
      step = source.pop();
    }
    if (!step) return null;
    target.push(step);
    const { layer, status } = step;
    if ("name" in step) return { name: step.name, value: step[side], layer, status };
    const now = cut(corrections[layer], width, step.rect);
    put(corrections[layer], width, step.rect, step.pixels);
    step.pixels = now; // a step is its own inverse: what was there takes its place
    return { rect: step.rect, layer, status };
  }
}

/**
 * The same number for the same pixels (FNV-1a).
 * @param {Uint8Array[]} all
 */
function fingerprint(all) {
  let hash = 2166136261;
  for (const values of all) {
    for (let i = 0; i < values.length; i++) hash = Math.imul(hash ^ values[i], 16777619);
  }
  return hash;
}

/** The steps of pictures that were left, so that a return to one finds its undo again. */
export class Shelf {
  /** @param {number} limit  bytes of old pixels in all; what was left longest ago goes first */
  constructor(limit = 400e6) {
    this.limit = limit;
    /** @type {Map<string, { history: History, print: number }>} */
    this.kept = new Map();
  }

  /**
   * @param {string} id
   * @param {History} history
   * @param {Uint8Array[]} corrections
   */
  keep(id, history, corrections) {
    this.kept.delete(id);
    if (!history.past.length && !history.future.length) return;
    this.kept.set(id, { history, print: fingerprint(corrections) });
    let bytes = 0;
    for (const [key, { history: one }] of [...this.kept].reverse()) {
      bytes += one.bytes;
      if (bytes > this.limit) this.kept.delete(key);
    }
  }

  /**
   * The steps of a picture; null where there are none, or it was drawn on elsewhere meanwhile.
   * @param {string} id
   * @param {Uint8Array[]} corrections
   */
  take(id, corrections) {
    const found = this.kept.get(id);
    this.kept.delete(id);
    return found && found.print === fingerprint(corrections) ? found.history : null;
  }
}
