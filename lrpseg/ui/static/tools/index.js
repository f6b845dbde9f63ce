// @ts-check
// The tools, one file each. Buttons, keys, the table of keys and the tests are made from this list.
import { add } from "./add.js";
import { brush } from "./brush.js";
import { cut } from "./cut.js";
import { eraser } from "./eraser.js";
import { fill } from "./fill.js";
import { hand } from "./hand.js";
import { spot } from "./spot.js";

/** @import { Scene } from "../scene.js" */
/** @import { Edit, Point, Shape } from "../types.js" */

/**
 * What a tool works with.
 * @typedef {object} Work
 * @property {Scene} scene  is only looked at: what is to be drawn is returned
 * @property {number} radius  of brush and eraser, in pixels of the picture
 * @property {Point | null} hover  where the pointer is
 * @property {boolean} panning  the picture is being moved
 * @property {any} state  what the tool keeps until it is done; null: nothing was begun
 * @property {(text: string) => void} say  shows a sentence
 */

/**
 * A tool. Its handlers change nothing: they return the edit to be drawn, or null. `press` and
 * `drag` act at once, and what they draw ends when the pointer is let go; `tap` acts when it is let
 * go, so that a second finger can still make it a pinch.
 * @typedef {object} Tool
 * @property {string} id
 * @property {string} key  that picks it, in lower case
 * @property {string} title  on its button
 * @property {string} hint  what it does, in a sentence
 * @property {string} icon  one character
 * @property {string} cursor  CSS
 * @property {string} help  its words in the table of keys
 * @property {string} kind  its gesture; tools of one kind share a row of the table of keys
 * @property {[string, string][]} [more]  rows for other keys of that kind: [keys, what they do]
 * @property {string} [held]  another key that does the same while it is held
 * @property {"size"[]} [options]  which options of the toolbar it takes
 * @property {boolean} [pans]  it moves the picture
 * @property {(work: Work, at: Point) => Edit | null} [press]
 * @property {(work: Work, at: Point) => Edit | null} [drag]
 * @property {(work: Work, at: Point) => Edit | null} [tap]
 * @property {(work: Work) => Edit | null} [close]  Enter or a double click ends what was begun
 * @property {(work: Work) => void} [shorten]  Backspace or undo takes the last part of it back
 * @property {(work: Work) => Shape[]} [overlay]  what is shown over the picture
 */

/** In the order of their buttons; the first is picked at the start. @type {readonly Tool[]} */
export const TOOLS = [brush, eraser, add, cut, fill, spot, hand];
