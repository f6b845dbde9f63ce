// @ts-check
// Drawing by moving: what lies under the pointer is painted as it goes, and all of it is one step.
import { segmentRuns } from "../runs.js";

/** @import { Tool, Work } from "../tools/index.js" */
/** @import { Edit, Point } from "../types.js" */

/**
 * The handlers of a tool that paints `value` under the pointer, which shows as a ring.
 * @param {{ value: number, label: string, colour: string }} what
 * @returns {Pick<Tool, "kind" | "more" | "cursor" | "options" | "press" | "drag" | "overlay">}
 */
export function stroke({ value, label, colour }) {
  /**
   * @param {Work} work
   * @param {Point} at
   * @returns {Edit}
   */
  const draw = (work, [x, y]) => {
    const { width, height } = work.scene, [x0, y0] = work.state ?? [x, y];
    work.state = [x, y];
    const runs = segmentRuns(width, height, x0, y0, x, y, work.radius);
    return { runs, value, label, open: true };
  };
  return {
    kind: "stroke",
    more: [["[ and ]", "smaller, larger"]],
    cursor: "none", // the ring is the cursor
    options: ["size"],
    press: draw,
    drag: draw,
    overlay: ({ hover, radius, panning }) =>
      hover && !panning ? [{ kind: "ring", x: hover[0], y: hover[1], radius, colour }] : [],
  };
}
