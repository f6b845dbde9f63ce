// @ts-check
// Events: who knows something says so, who wants to know listens; neither reaches into the other.

/** @import { Figures, Item, Opened, Rect, Shape, Standing } from "./types.js" */

/**
 * What is said in the editor, and what comes with it.
 * @typedef {object} Events
 * @property {Opened | null} opened  another picture is shown, or it has other maps; null: none is
 * @property {{ item: Item, curve: Figures[] | null }} described  verdict, status or curve changed;
 *   `curve`: figures at each level on this picture, where its truth is known
 * @property {null} leaving  another picture comes: what is drawn belongs to this one
 * @property {{ items: Item[], selected: string | undefined }} items  the list of pictures
 * @property {Rect} painted  pixels of the mask are others
 * @property {Rect} edited  a step of drawing is done
 * @property {null} changed  the mask of the open picture, or its truth, is another
 * @property {null} redraw  what lies under the mask is another
 * @property {Standing} figures  level, cleaning, figures or steps are others
 * @property {null} drawing  somebody begins to draw
 * @property {import("./tools/index.js").Tool} tool  another tool was picked
 * @property {string} cursor  CSS
 * @property {number} size  radius of brush and eraser
 * @property {Shape[]} overlay  what the tool shows over the picture
 * @property {{ level: number, done: boolean }} level  a slider asks for a level; `done`: let go
 * @property {string} order  another order of the strip
 * @property {string} pick  a thumbnail was clicked
 * @property {{ text: string, good?: boolean }} say  a sentence for the user; none: ""
 * @property {{ state: string, waiting: number, message?: string }} saving  see `Store`
 */

/**
 * Listeners by the name of their event.
 * @template {object} T
 */
export class Emitter {
  constructor() {
    /** @type {Map<keyof T, Set<(value: any) => void>>} */
    this.listeners = new Map();
  }

  /**
   * Call `listener` with what comes with each event of that name; returns a function that ends it.
   * @template {keyof T} K
   * @param {K} name
   * @param {(value: T[K]) => void} listener
   */
  on(name, listener) {
    const all = this.listeners.get(name) || new Set();
    this.listeners.set(name, all.add(listener));
    return () => void all.delete(listener);
  }

  /**
   * Tell all listeners, in the order in which they came.
   * @template {keyof T} K
   * @param {K} name
   * @param {T[K]} value
   */
  emit(name, value) {
    for (const listener of this.listeners.get(name) ?? []) listener(value);
  }
}

/** @typedef {Emitter<Events>} Bus */
