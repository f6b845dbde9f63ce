// @ts-check
// In which order pictures stand, which of them are under way, and where work goes on.

/** @import { Item } from "./types.js" */

/**
 * Whether an item's analysis is still to come.
 * @param {{ status: string }} item
 */
export const busy = ({ status }) => status === "waiting" || status === "running";

/**
 * How many tiles of a running picture are done, and how long the others take, where it is known.
 * @param {Pick<Item, "status" | "tiles" | "tiles_done" | "left">} item
 */
export const progress = (item) => tiles(item) + (tiles(item) && item.left ? `, ${item.left}` : "");

/**
 * How many tiles of a running picture are done, where that is known.
 * @param {Pick<Item, "status" | "tiles" | "tiles_done">} item
 */
export const tiles = (item) =>
  item.status === "running" && item.tiles ? ` ${item.tiles_done}/${item.tiles}` : "";

/**
 * Items with those that changed, each at its place, new ones at the end, and without those that are
 * gone.
 * @template {Pick<Item, "id">} T
 * @param {T[]} items
 * @param {T[]} changed
 * @param {string[]} gone
 */
export function merged(items, changed, gone) {
  const fresh = new Map(changed.map((i) => [i.id, i])), left = new Set(gone);
  const kept = items.filter((i) => !left.has(i.id)).map((i) => fresh.get(i.id) ?? i);
  const known = new Set(items.map((i) => i.id));
  return [...kept, ...changed.filter((i) => !known.has(i.id))];
}

/**
 * By name as people sort it, or by doubt: first those on which network and witness disagree, each
 * by how near the probability is to a toss-up.
 * @template {Pick<Item, "name" | "probability" | "doubtful">} T
 * @param {T[]} items
 * @param {string} order  "name" or "certainty"
 */
export function sorted(items, order) {
  /** @type {(a: T, b: T) => number} */
  const byName = (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true });
  /** @type {(item: T) => number} */
  const doubt = (i) =>
    i.probability === null ? 1 : Math.abs(i.probability - 0.5) - (i.doubtful ? 1 : 0);
  if (order === "name") return [...items].sort(byName);
  return [...items].sort((a, b) => doubt(a) - doubt(b) || byName(a, b));
}

/**
 * The next item after `selected` that is neither accepted nor failed, from the start again at the
 * end; null when all are done.
 * @template {Pick<Item, "id" | "status">} T
 * @param {T[]} ordered
 * @param {string} selected
 * @returns {T | null}
 */
export function unfinished(ordered, selected) {
  const at = ordered.findIndex((i) => i.id === selected);
  const others = [...ordered.slice(at + 1), ...ordered.slice(0, Math.max(at, 0))];
  return others.find((i) => i.status !== "accepted" && i.status !== "failed") || null;
}

/**
 * The neighbour of an item: +1 next, -1 previous; null at the ends.
 * @template {Pick<Item, "id">} T
 * @param {T[]} ordered
 * @param {string | undefined} selected
 * @param {number} step
 * @returns {T | null}
 */
export function neighbour(ordered, selected, step) {
  const at = ordered.findIndex((i) => i.id === selected);
  return (at >= 0 && ordered[at + step]) || null;
}
