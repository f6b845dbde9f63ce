// @ts-check
// Drawing by corners: each click sets one, and closing paints what is inside.
import { polygonRuns } from "../runs.js";

/** @import { Tool } from "../tools/index.js" */

/**
 * The handlers of a tool that gives what lies inside a polygon a value.
 * @param {{ value: number, label: string, colour: string }} what
 * @returns {Pick<Tool, "kind" | "more" | "cursor" | "tap" | "close" | "shorten" | "overlay">}
 */
export function polygon({ value, label, colour }) {
  return {
    kind: "polygon",
    more: [["Enter, Escape, Backspace", "close, drop, shorten the polygon"]],
    cursor: "crosshair",
    tap(work, at) {
      work.state = [...(work.state ?? []), at];
      return null;
    },
    close(work) {
      const corners = work.state ?? [], { width, height } = work.scene;
      work.state = null;
      if (corners.length < 3) return null;
      return { runs: polygonRuns(width, height, corners), value, label };
    },
    shorten(work) {
      const left = work.state.slice(0, -1);
      work.state = left.length ? left : null;
    },
    overlay({ state: corners, hover }) {
      if (!corners) return [];
      return [{ kind: "polygon", points: hover ? [...corners, hover] : corners, corners, colour }];
    },
  };
}
