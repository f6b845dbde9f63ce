// @ts-check
// Cut: removes the area within the corners that are clicked.
import { polygon } from "../gestures/polygon.js";
import { REMOVED } from "../mask.js";

/** @type {import("./index.js").Tool} */
export const cut = {
  id: "cut", key: "c", title: "Cut", icon: "✂",
  hint: "Remove an area: click its corners, Enter closes (C)",
  help: "cut",
  ...polygon({ value: REMOVED, label: "cut", colour: "#CC79A7" }),
};
