// @ts-check
// Has level maps cleaned beside the page: the newest wish wins, what it replaces is given up.
import { cleanedOf, fits } from "./layer.js";

/** @import { Bus } from "./events.js" */
/** @import { Request } from "./layer.js" */
/** @import { Scene } from "./scene.js" */

/**
 * Takes a cleaned map, for the level of its request or, at last, for all.
 * @typedef {(levels: Uint8Array, whole: boolean) => void} Take
 *
 * Starts to clean a map; returns a function that gives it up. What it finds it gives later.
 * @typedef {(request: Request, take: Take) => () => void} Start
 */

export class Cleaner {
  /** @param {{ events: Bus, start?: Start }} parts */
  constructor({ events, start = inWorker }) {
    this.events = events;
    this.start = start;
    /** @type {Scene | null} */
    this.scene = null;
    /** @type {{ request: Request, stop: () => void } | null} */
    this.job = null;
    events.on("opened", (open) => {
      this.scene = open && open.scene;
      this.look();
    });
    events.on("changed", () => this.look());
  }

  /** See whether the open picture has a map that is to be cleaned, and which. */
  look() {
    const layer = this.scene?.layers.find(({ settled }) => !settled), { job } = this;
    if (job && layer && fits(job.request, layer)) return; // it is under way
    job?.stop();
    this.job = null;
    if (!layer) return;
    const { request } = layer;
    const stop = this.start(request, (levels, whole) => {
      if (whole) this.job = null;
      layer.take(request, levels, whole);
      this.events.emit("changed", null); // we hear it, too, and look for the next
    });
    this.job = { request, stop };
  }
}

/**
 * In a worker of its own, whose memory goes with it. A browser that has none cleans in the page.
 * @type {Start}
 */
function inWorker(request, take) {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  worker.addEventListener("message", ({ data: { levels, whole } }) => {
    if (whole) worker.terminate();
    take(levels, whole);
  });
  worker.addEventListener("error", () => take(cleanedOf(request), true));
  worker.postMessage(request);
  return () => worker.terminate();
}
