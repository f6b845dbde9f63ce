// @ts-check
// Brush: adds what it is moved over.
import { stroke } from "../gestures/stroke.js";
import { ADDED } from "../mask.js";

/** @type {import("./index.js").Tool} */
export const brush = {
  id: "brush", key: "b", title: "Brush", hint: "Add to the mask (B)", icon: "✎",
  help: "brush",
  ...stroke({ value: ADDED, label: "brush", colour: "#56B4E9" }),
};
