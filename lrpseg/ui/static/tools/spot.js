// @ts-check
// Delete: removes the spot of the mask that is clicked.
import { part } from "../gestures/part.js";
import { REMOVED } from "../mask.js";

/** @type {import("./index.js").Tool} */
export const spot = {
  id: "spot", key: "x", title: "Delete", hint: "Delete the spot that you click (X)", icon: "⌀",
  help: "delete a spot",
  ...part({ of: 1, value: REMOVED, label: "delete", none: "There is no spot here." }),
};
