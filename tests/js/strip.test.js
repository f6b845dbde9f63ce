// The strip: in which order pictures stand, and where work goes on.
const assert = require("node:assert/strict");
const test = require("node:test");
const { sorted, unfinished } = require("../../lrpseg/ui/static/strip.js");

const items = [
  { id: "a", name: "tile 10.png", probability: 0.97, status: "todo" },
  { id: "b", name: "tile 2.png", probability: 0.45, status: "accepted" },
  { id: "c", name: "tile 1.png", probability: null, status: "failed" },
  { id: "d", name: "tile 3.png", probability: 0.02, status: "edited" },
];
const ids = (list) => list.map((i) => i.id).join("");

test("by name as people count, or least certain first", () => {
  assert.equal(ids(sorted(items, "name")), "cbda");
  assert.equal(ids(sorted(items, "certainty")), "badc");
  assert.equal(ids(items), "abcd"); // as it was
});

test("work goes on at the next that is not done, from the start again at the end", () => {
  const ordered = sorted(items, "name");
  assert.equal(unfinished(ordered, "b").id, "d");
  assert.equal(unfinished(ordered, "a").id, "d");
  assert.equal(unfinished(ordered, "d").id, "a");
  const done = ordered.map((i) => ({ ...i, status: i.id === "d" ? "todo" : "accepted" }));
  assert.equal(unfinished(done, "d"), null);
});
