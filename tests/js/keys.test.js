// Keys: each tool's, and the table of all.
import assert from "node:assert/strict";
import test from "node:test";
import { bindings, keyTable, withControl } from "../../lrpseg/ui/static/keys.js";
import { TOOLS } from "../../lrpseg/ui/static/tools/index.js";
import { boxOf, picture, sceneOf } from "./support.js";

function make() {
  const { box } = boxOf(sceneOf(picture("....", "....", "....")), "add"), done = [];
  const act = (name) => (...args) => void done.push([name, ...args]);
  const names = ["fit", "zoom", "toggleMask", "turn", "previous", "next", "accept", "help"];
  const actions = Object.fromEntries(names.map((name) => [name, act(name)]));
  return { box, done, bound: bindings(box, actions) };
}

test("each tool's key takes it, and no key has two meanings", () => {
  const { box, bound } = make();
  for (const { key, id } of TOOLS) {
    bound.get(key)();
    assert.equal(box.tool.id, id);
  }
  assert.equal(bound.size, 14 + TOOLS.length);
});

test("other keys do what the table says", () => {
  const { box, bound, done } = make();
  for (const key of "0hvad?+=-") bound.get(key)();
  assert.deepEqual(done, [
    ["fit"], ["toggleMask"], ["turn"], ["previous"], ["next"], ["help"],
    ["zoom", 1.25], ["zoom", 1.25], ["zoom", 0.8],
  ]);
  bound.get("]")();
  assert.equal(box.radius, 10);
  bound.get("[")();
  assert.equal(box.radius, 8);
});

test("Enter closes a polygon before it accepts; Backspace is the browser's where nothing is open", () => {
  const { box, bound, done } = make();
  box.state = [[0, 0], [3, 0], [3, 2]];
  bound.get("enter")();
  assert.deepEqual(done, []);
  assert.ok(box.scene.corrections.some(Boolean));
  bound.get("enter")();
  assert.deepEqual(done, [["accept"]]);
  assert.equal(bound.get("backspace")(), false);
  box.state = [[0, 0]];
  assert.notEqual(bound.get("backspace")(), false);
});

test("Ctrl with Z and Y", () => {
  assert.equal(withControl("z", false), "undo");
  assert.equal(withControl("z", true), "redo");
  assert.equal(withControl("y", false), "redo");
  assert.equal(withControl("a", false), null);
});

test("the table of keys", () => {
  assert.deepEqual(keyTable(TOOLS), [
    ["B, E", "brush, eraser"], ["[ and ]", "smaller, larger"], ["P, C", "polygon: add, cut"],
    ["Enter, Escape, Backspace", "close, drop, shorten the polygon"],
    ["F, X", "fill a hole, delete a spot"], ["Ctrl+Z, Ctrl+Shift+Z", "undo, redo"],
    ["Space, G", "move the picture"], ["Wheel, + and -, 0", "zoom, show all"], ["H", "hide the mask"],
    ["V", "picture, heatmap, mask"], ["A, D", "previous, next picture"], ["Enter", "accept"],
    ["?", "this table"],
  ]);
  const more = keyTable([...TOOLS, { id: "new", key: "n", help: "do something new", kind: "new" }]);
  assert.ok(more.some(([key, what]) => key === "N" && what === "do something new"));
});
