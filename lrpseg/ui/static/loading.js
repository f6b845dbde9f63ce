// @ts-check
// Gets what the server has of a picture, and puts it into a scene.
import { curve } from "./figures.js";

/** @import { Client } from "./client.js" */
/** @import { Scene } from "./scene.js" */
/** @import { Item, Opened } from "./types.js" */

/**
 * Levels (zeros as long as there are none), corrections and truth by pixel, and the picture itself
 * unless `picture` is it already.
 * @param {Client} client
 * @param {Item} item
 * @param {ImageBitmap | null} picture
 */
export async function loadMaps(client, item, picture) {
  const size = item.width * item.height, ready = item.levels !== undefined;
  /** @type {(what: string) => Promise<Uint8Array>} */
  const get = (what) => client.bytes(`/items/${item.id}/${what}`);
  const [levels, drawn, truth, base] = await Promise.all([
    ready ? get("levels") : new Uint8Array(size),
    size ? get("corrections") : new Uint8Array(0),
    ready && item.has_truth ? get("truth") : null,
    picture || (size ? loadImage(client, item.id, "view") : null),
  ]);
  return { levels, drawn, truth, picture: base };
}

/**
 * What another tab may have changed of a picture whose maps are the same.
 * @param {Client} client
 * @param {Item} item
 */
export async function loadDrawn(client, item) {
  const [drawn, truth] = await Promise.all([
    client.bytes(`/items/${item.id}/corrections`),
    item.has_truth ? client.bytes(`/items/${item.id}/truth`) : null,
  ]);
  return { drawn, truth };
}

/**
 * @param {Client} client
 * @param {string} id
 * @param {string} what  "view" or "heatmap?..."
 */
export async function loadImage(client, id, what) {
  return createImageBitmap(await client.blob(`/items/${id}/${what}`));
}

/**
 * Whether a scene is of an item's size; one that waits may have none yet.
 * @param {Scene} scene
 * @param {Item} item
 */
export const fits = (scene, item) => scene.width === item.width && scene.height === item.height;

/**
 * The class that is worked on, as requests name it; none where the picture has but one.
 * @param {{ item: Item, scene: Scene }} open
 */
export const classOf = ({ item: { layers = [] }, scene }) =>
  (layers.length > 1 ? layers[scene.active].name : undefined);

/**
 * The first class of a picture that has several: whose maps `loadMaps` gets.
 * @param {Item} item
 */
export const firstClass = ({ layers = [] }) => (layers.length > 1 ? layers[0].name : undefined);

/**
 * The open picture, of a scene that takes over the maps. Settings that are not saved yet are newer
 * than the item's, a level only beside its own analysis.
 * @param {Item} item
 * @param {Scene} scene
 * @param {Awaited<ReturnType<typeof loadMaps>>} maps
 * @param {Record<string, any>} unsaved
 * @returns {Opened}
 */
export function opened(item, scene, { levels, truth, picture }, unsaved) {
  const { id, analysis } = item, ready = item.levels !== undefined;
  const of = firstClass(item), own = of ? unsaved.classes?.[of] ?? {} : unsaved;
  const newer = own.analysis === analysis ? own.level : undefined;
  scene.status = item.status;
  scene.setMaps(analysis, [{
    levels, explained: ready && Boolean(item.explained),
    level: ready ? newer ?? item.level : 0,
    minArea: own.min_area ?? item.min_area ?? 0,
    maxHole: own.max_hole ?? item.max_hole ?? 0,
  }]);
  return { id, item, scene, ready, truth, picture, heatmap: null };
}

/**
 * Figures at each level on the picture itself; null where its truth is not known.
 * @param {Opened} open
 */
export function ownCurve({ item, truth, scene }) {
  return truth && item.levels ? curve(scene.layer.levels, truth, item.levels.length) : null;
}

/**
 * The picture that this tab had open, over a reload; with `id` it is kept.
 * @param {string} token  of the workspace
 * @param {string} [id]
 */
export function lastOpen(token, id) {
  const key = `lrpseg-open ${token}`;
  try {
    if (id) sessionStorage.setItem(key, id);
    return sessionStorage.getItem(key);
  } catch {
    return null; // a browser that keeps nothing
  }
}
