// @ts-check
// What a worker runs beside the page: it cleans a level map, first for the mask that is seen.
import { cleanedOf, firstOf } from "./layer.js";

/** @param {MessageEvent<import("./layer.js").Request>} event */
self.onmessage = ({ data: request }) => {
  for (const [make, whole] of /** @type {const} */ ([[firstOf, false], [cleanedOf, true]])) {
    const levels = make(request);
    self.postMessage({ levels, whole }, { transfer: [levels.buffer] });
  }
};
