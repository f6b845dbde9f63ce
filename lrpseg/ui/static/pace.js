// @ts-check
// How long a running analysis will still take, from how it went so far.

/** @import { Item } from "./types.js" */
/** @typedef {Pick<Item, "id" | "status" | "tiles" | "tiles_done">} Running */

const SETTLED = 3; // seconds that are watched before anything is said
const RECENT = 10; // seconds back that count: a first look is far quicker than what follows

export class Pace {
  /** @param {() => number} now  seconds */
  constructor(now = () => performance.now() / 1000) {
    this.now = now;
    /** @type {Map<string, { at: number, done: number }[]>} */
    this.seen = new Map();
  }

  /**
   * Note how far the running pictures are; others are forgotten.
   * @param {Running[]} items
   */
  note(items) {
    const before = this.seen, at = this.now();
    this.seen = new Map();
    for (const { id, status, tiles, tiles_done: done = 0 } of items) {
      if (status !== "running" || !tiles) continue;
      const known = before.get(id) ?? [];
      const goesOn = known.every((past) => done >= past.done); // else it began again
      // The last one before what is recent stays: from there on it is watched.
      const recent = known.filter((_, i) => (known[i + 1]?.at ?? at) > at - RECENT);
      this.seen.set(id, [...(goesOn ? recent : []), { at, done }]);
    }
  }

  /**
   * In words how long a picture will still take; "" where nothing is known yet.
   * @param {Running} item
   */
  left({ id, tiles = 0 }) {
    const known = this.seen.get(id);
    if (!known) return "";
    const [from] = known, { done } = known[known.length - 1];
    const passed = this.now() - from.at, did = done - from.done;
    return passed < SETTLED || did < 1 ? "" : words(((tiles - done) * passed) / did);
  }
}

/** @param {number} seconds */
function words(seconds) {
  if (seconds < 50) return `about ${Math.max(5, Math.ceil(seconds / 5) * 5)} s left`;
  if (seconds < 5400) return `about ${Math.ceil(seconds / 60)} min left`;
  return `about ${Math.round(seconds / 3600)} h left`;
}
