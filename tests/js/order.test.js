// In which order pictures stand, and where work goes on.
import assert from "node:assert/strict";
import test from "node:test";
import { merged, neighbour, progress, sorted, tiles, unfinished } from "../../lrpseg/ui/static/order.js";

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

test("of equal doubt by name, and of no probability last", () => {
  const list = [["b10", 0.9], ["b9", 0.55], ["a", 0.1], ["c", null]]
    .map(([name, probability]) => ({ name, probability }));
  assert.deepEqual(sorted(list, "name").map((i) => i.name), ["a", "b9", "b10", "c"]);
  assert.deepEqual(sorted(list, "certainty").map((i) => i.name), ["b9", "a", "b10", "c"]);
});

test("work goes on at the next that is not done, from the start again at the end", () => {
  const ordered = sorted(items, "name");
  assert.equal(unfinished(ordered, "b").id, "d");
  assert.equal(unfinished(ordered, "a").id, "d");
  assert.equal(unfinished(ordered, "d").id, "a");
  const done = ordered.map((i) => ({ ...i, status: i.id === "d" ? "todo" : "accepted" }));
  assert.equal(unfinished(done, "d"), null);
});

test("neighbours end at the ends", () => {
  const ordered = sorted(items, "name");
  assert.equal(neighbour(ordered, "b", 1).id, "d");
  assert.equal(neighbour(ordered, "b", -1).id, "c");
  assert.equal(neighbour(ordered, "c", -1), null);
  assert.equal(neighbour(ordered, "a", 1), null);
  assert.equal(neighbour(ordered, "gone", 1), null);
});

test("a running picture counts its tiles", () => {
  assert.equal(tiles({ status: "running", tiles: 9, tiles_done: 4 }), " 4/9");
  assert.equal(tiles({ status: "todo", tiles: 9, tiles_done: 4 }), "");
  const left = "about 2 min left";
  assert.equal(progress({ status: "running", tiles: 9, tiles_done: 4, left }), ` 4/9, ${left}`);
  assert.equal(progress({ status: "running", tiles: 9, tiles_done: 4, left: "" }), " 4/9");
  assert.equal(progress({ status: "todo", left }), "");
});

test("what changed takes its place, what is new comes last, what is gone goes", () => {
  const list = ["a", "b", "c"].map((id) => ({ id, status: "todo" }));
  const now = merged(list, [{ id: "d", status: "new" }, { id: "b", status: "edited" }], ["a", "x"]);
  assert.deepEqual(now.map((i) => i.id + i.status), ["bedited", "ctodo", "dnew"]);
  assert.equal(now[1], list[2]); // the others stay the objects that they were
  assert.deepEqual(merged(list, [], []), list);
  assert.deepEqual(merged([], [list[0]], ["a"]), [list[0]]);
});

test("of the least certain, those on which network and witness disagree come first", () => {
  const list = [
    { name: "a", probability: 0.5 }, { name: "b", probability: 0.99, doubtful: true },
    { name: "c", probability: 0.6, doubtful: true }, { name: "d", probability: null },
  ];
  assert.deepEqual(sorted(list, "certainty").map((i) => i.name), ["c", "b", "a", "d"]);
});
