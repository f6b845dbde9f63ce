// @ts-check
// What a worker runs, beside the page: it cleans one level map and hands it back.
import { clean } from "./areas.js";

/** @param {MessageEvent<import("./layer.js").Request>} event */
self.onmessage = ({ data: { levels, width, height, minArea, maxHole } }) => {
  const cleaned = clean(levels, width, height, minArea, maxHole);
  self.postMessage(cleaned, { transfer: [cleaned.buffer] });
};
