// @ts-check
// Drawing by one click: the connected part of the mask, or of what is not in it, that lies there.
import { partAt } from "../mask.js";

/** @import { Tool } from "../tools/index.js" */

/**
 * The handlers of a tool that paints `value` over the part of pixels that are `of` in the mask.
 * @param {{ of: 0 | 1, value: number, label: string, none: string }} what  `none`: the sentence for
 *   a click where there is no such part
 * @returns {Pick<Tool, "kind" | "cursor" | "tap">}
 */
export function part({ of, value, label, none }) {
  return {
    kind: "part",
    cursor: "crosshair",
    tap({ scene, say }, at) {
      const { width, height } = scene, [x, y] = at.map(Math.floor);
      if (x < 0 || y < 0 || x >= width || y >= height) return null;
      const found = partAt(scene.layer.marked(), width, height, x, y, of);
      if (found) return { runs: found.runs, value, label };
      say(none);
      return null;
    },
  };
}
