// @ts-check
// Polygon: adds the area within the corners that are clicked.
import { polygon } from "../gestures/polygon.js";
import { ADDED } from "../mask.js";

/** @type {import("./index.js").Tool} */
export const add = {
  id: "add", key: "p", title: "Polygon", icon: "⬠",
  hint: "Add an area: click its corners, Enter closes (P)",
  help: "polygon: add",
  ...polygon({ value: ADDED, label: "polygon", colour: "#E69F00" }),
};
