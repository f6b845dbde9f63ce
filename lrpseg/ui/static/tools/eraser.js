// @ts-check
// Eraser: removes what it is moved over.
import { stroke } from "../gestures/stroke.js";
import { REMOVED } from "../mask.js";

/** @type {import("./index.js").Tool} */
export const eraser = {
  id: "eraser", key: "e", title: "Eraser", hint: "Remove from the mask (E)", icon: "⌫",
  help: "eraser",
  ...stroke({ value: REMOVED, label: "eraser", colour: "#CC79A7" }),
};
