// @ts-check
// Fill: closes the hole of the mask that is clicked.
import { part } from "../gestures/part.js";
import { ADDED } from "../mask.js";

/** @type {import("./index.js").Tool} */
export const fill = {
  id: "fill", key: "f", title: "Fill", hint: "Fill the hole that you click (F)", icon: "◉",
  help: "fill a hole",
  ...part({ of: 0, value: ADDED, label: "fill", none: "There is no closed hole here." }),
};
