// @ts-check
// The shapes of what the editor's modules hand to each other; no code.

/** @typedef {{ x: number, y: number, w: number, h: number }} Rect  In pixels of the picture. */
/** @typedef {[number, number]} Point  [x, y] in pixels of the picture; their centres are at .5. */
/** @typedef {[number, number, number]} Run  [y, from, to): pixels of one row. */
/** @typedef {Run[]} Runs  In ascending order of y. */

/**
 * What a tool wants to be drawn on the class that is worked on.
 * @typedef {object} Edit
 * @property {Runs} runs
 * @property {number} value  ADDED, REMOVED or NONE
 * @property {string} label  what was done, in a word
 * @property {boolean} [open]  more of the same gesture follows; all of it is one step
 */

/**
 * Something that a tool shows over the picture, in pixels of the picture.
 * @typedef {{ kind: "ring", x: number, y: number, radius: number, colour: string }} Ring
 * @typedef {{ kind: "polygon", points: Point[], corners: Point[], colour: string }} Outline
 * @typedef {Ring | Outline} Shape
 */

/** @typedef {{ precision: number, recall: number, iou: number }} Figures  Each 0 to 1. */
/** @typedef {[number, number]} Interval  [low, high] at 95 %. */

/**
 * Figures at one threshold, as the server measured them.
 * @typedef {object} CurveValues
 * @property {number} threshold
 * @property {Interval} precision_interval
 * @property {Interval} recall_interval
 * @property {Interval} iou_interval
 * @typedef {Figures & CurveValues} CurvePoint
 */

/**
 * A picture as the server tells about it; what comes only with an analysis is optional.
 * @typedef {object} Item
 * @property {string} id
 * @property {string} name
 * @property {string} status  waiting, running, todo, edited, accepted, empty or failed
 * @property {number} width
 * @property {number} height
 * @property {number} revision  raised by each change at the server
 * @property {number | null} probability  of damage, 0 to 1
 * @property {boolean} [doubtful]  whether network and witness disagree
 * @property {string} [reason]  why it failed
 * @property {string[]} [read]  what was not plain about reading it
 * @property {number} [tiles]
 * @property {number} [tiles_done]
 * @property {string} [left]  in words how long it will still take, as the page has seen
 * @property {string} [analysis]  names the maps: others have another name
 * @property {Choice} [choice]
 * @property {boolean} [explained]  whether there is a heatmap
 * @property {boolean} [evidence]  whether the thresholder gets something else than that
 * @property {boolean} [has_truth]
 * @property {string} [verdict]
 * @property {string} [note]
 * @property {number[]} [levels]  the threshold of each level
 * @property {number} [level]
 * @property {number} [own_level]
 * @property {number} [min_area]
 * @property {number} [max_hole]
 * @property {Record<string, string[]>} [colourbars]
 * @property {Measured | null} [points]  what was measured on other pictures
 * @property {{ name: string }[]} [layers]  what is known of each class; of the first, the above
 */
/**
 * @typedef {{ curve: CurvePoint[], split: string, images: number, regions: number }} Measured
 */
/** @typedef {Record<string, unknown>} Choice  Network, thresholder and so on, for the server. */

/**
 * The picture that is open.
 * @typedef {object} Opened
 * @property {string} id
 * @property {Item} item
 * @property {import("./scene.js").Scene} scene
 * @property {boolean} ready  whether it is analysed
 * @property {Uint8Array | null} truth  1 where there is damage
 * @property {ImageBitmap | null} picture
 * @property {ImageBitmap | null} heatmap
 */

/**
 * What the panel shows of the open picture.
 * @typedef {object} Standing
 * @property {Opened} open
 * @property {Figures | null} own  of the present mask, where its truth is known
 */

export {};
