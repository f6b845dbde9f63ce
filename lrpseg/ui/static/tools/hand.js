// @ts-check
// Hand: moves the picture, as the space bar does with any tool.

/** @type {import("./index.js").Tool} */
export const hand = {
  id: "hand", key: "g", title: "Move", hint: "Move the picture (G, or hold Space)", icon: "✥",
  help: "move the picture", kind: "move", held: "Space",
  cursor: "grab",
  pans: true,
};
