// A scene of two classes: what changes its pixels, and that all of it can be taken back.
import assert from "node:assert/strict";
import test from "node:test";
import { clean } from "../../lrpseg/ui/static/areas.js";
import { ADDED, NONE, REMOVED, compose, threshold } from "../../lrpseg/ui/static/mask.js";
import { Scene } from "../../lrpseg/ui/static/scene.js";
import { lines, picture, random, sceneOf } from "./support.js";

const first = () => picture("##..", "##..", "....");
const second = () => picture("...#", "....", "#...");
const dot = (x, y, value = ADDED, more = {}) => ({ runs: [[y, x, x + 1]], value, label: "dot", ...more });
const pixels = (scene) => scene.layers.map(({ mask, corrections }) => [mask.slice(), corrections.slice()]);

test("without maps the mask is what was drawn", () => {
  const scene = new Scene({ width: 3, height: 1, corrections: [Uint8Array.of(0, 1, 2)] });
  assert.deepEqual(scene.mask, Uint8Array.of(0, 1, 0));
});

test("an edit changes the class that is worked on, and no other", () => {
  const scene = sceneOf(first(), second());
  assert.deepEqual(scene.apply(dot(3, 2)), { x: 3, y: 2, w: 1, h: 1 });
  scene.choose(1);
  scene.apply(dot(0, 2, REMOVED));
  scene.apply({ runs: [[0, 0, 2], [1, 1, 3]], value: ADDED, label: "two" });
  assert.deepEqual(lines(scene.layers[0].mask, 4), ["##..", "##..", "...#"]);
  assert.deepEqual(lines(scene.layers[1].mask, 4), ["##.#", ".##.", "...."]);
  for (const expected of [
    [["##..", "##..", "...#"], ["...#", "....", "...."]],
    [["##..", "##..", "...#"], ["...#", "....", "#..."]],
    [["##..", "##..", "...."], ["...#", "....", "#..."]],
  ]) {
    scene.undo();
    assert.deepEqual(scene.layers.map((layer) => lines(layer.mask, 4)), expected);
  }
  assert.equal(scene.active, 0); // who undoes sees what
  assert.equal(scene.undo(), null);
});

test("level and cleaning are of one class; the other keeps its own", () => {
  const scene = sceneOf(first(), second());
  scene.layers.forEach((layer) => { layer.levels = layer.levels.map((v, i) => v * (i + 1)); });
  const other = scene.layers[1].mask.slice();
  scene.set("level", 6);
  assert.deepEqual(lines(scene.mask, 4), ["....", ".#..", "...."]);
  scene.set("minArea", 2);
  assert.deepEqual(lines(scene.mask, 4), ["....", "....", "...."]);
  assert.deepEqual(scene.layers[1].mask, other);
  assert.equal(scene.layers[1].level, 1);
});

test("what was drawn wins over level and cleaning", () => {
  const scene = sceneOf(picture("#...#", ".....", "##.##"));
  scene.apply(dot(2, 1));
  scene.apply(dot(0, 2, REMOVED));
  scene.set("minArea", 2);
  assert.deepEqual(lines(scene.mask, 5), [".....", "..#..", ".#.##"]);
  scene.set("level", 9);
  assert.deepEqual(lines(scene.mask, 5), [".....", "..#..", "....."]);
});

test("open edits are one step with the first that is not", () => {
  const scene = sceneOf(first());
  for (const x of [0, 1, 2]) scene.apply(dot(x, 2, ADDED, { open: true }));
  assert.equal(scene.history.past.length, 0);
  assert.deepEqual(scene.settle(), { x: 0, y: 2, w: 3, h: 1 });
  assert.equal(scene.settle(), null);
  assert.equal(scene.history.past.length, 1);
  assert.deepEqual(lines(scene.mask, 4), ["##..", "##..", "###."]);
  scene.undo();
  assert.deepEqual(lines(scene.mask, 4), ["##..", "##..", "...."]);
  scene.redo();
  assert.deepEqual(lines(scene.mask, 4), ["##..", "##..", "###."]);
});

test("an abandoned gesture never was", () => {
  const scene = sceneOf(first());
  scene.apply(dot(1, 1, REMOVED));
  const before = pixels(scene);
  scene.apply(dot(1, 1, ADDED, { open: true }));
  scene.apply(dot(3, 0, ADDED, { open: true }));
  assert.deepEqual(scene.abandon(), { x: 1, y: 0, w: 3, h: 2 });
  assert.deepEqual(pixels(scene), before);
  assert.equal(scene.history.past.length, 1);
  assert.equal(scene.abandon(), null);
});

test("a gesture that is left for another class is a step of its own", () => {
  const scene = sceneOf(first(), second());
  scene.apply(dot(3, 2, ADDED, { open: true }));
  assert.deepEqual(scene.choose(1), { x: 3, y: 2, w: 1, h: 1 });
  assert.equal(scene.history.past.length, 1);
  assert.equal(scene.pending, null);
});

test("an edit without pixels is nothing", () => {
  const scene = sceneOf(first()), { revision } = scene;
  assert.equal(scene.apply({ runs: [], value: ADDED, label: "none" }), null);
  assert.equal(scene.revision, revision);
  assert.equal(scene.history.past.length, 0);
});

test("a level of another map is passed over by undo, what was drawn is not", () => {
  const scene = sceneOf(first());
  scene.apply(dot(3, 2));
  scene.change("level", 0);
  scene.setMaps("other", [{ levels: new Uint8Array(12), explained: true, level: 1, minArea: 0, maxHole: 0 }]);
  assert.deepEqual(lines(scene.mask, 4), ["....", "....", "...#"]);
  assert.deepEqual(scene.undo().rect, { x: 3, y: 2, w: 1, h: 1 });
  assert.ok(!scene.mask.some(Boolean));
});

test("steps carry the status of before, and a change to the same value is none", () => {
  const scene = sceneOf(first());
  scene.status = "accepted";
  assert.equal(scene.change("level", 1), false);
  assert.equal(scene.change("level", 0), true);
  scene.status = "edited";
  scene.apply(dot(0, 0));
  assert.equal(scene.undo().status, "edited");
  assert.deepEqual(scene.undo(), { name: "level", value: 1, layer: 0, status: "accepted" });
});

test("what was drawn elsewhere takes the place of ours, and can be undone", () => {
  const scene = sceneOf(first(), second());
  scene.apply(dot(3, 2));
  const before = pixels(scene), drawn = scene.drawn.map((c) => c.slice());
  assert.equal(scene.replace(drawn), false);
  drawn[1][5] = ADDED;
  assert.equal(scene.replace(drawn), true);
  assert.deepEqual(lines(scene.layers[1].mask, 4), ["...#", ".#..", "#..."]);
  scene.undo();
  assert.deepEqual(pixels(scene), before);
});

test("clearing takes back all of one class, in one step", () => {
  const scene = sceneOf(first(), second());
  assert.equal(scene.clear(), null);
  scene.apply(dot(3, 2));
  scene.apply(dot(0, 0, REMOVED));
  const before = pixels(scene);
  assert.deepEqual(scene.clear(), { x: 0, y: 0, w: 4, h: 3 });
  assert.ok(scene.corrections.every((c) => c === NONE));
  assert.deepEqual(lines(scene.mask, 4), ["##..", "##..", "...."]);
  scene.undo();
  assert.deepEqual(pixels(scene), before);
});

test("any sequence of edits leaves base and corrections composed, and goes back step by step", () => {
  const [w, h] = [11, 9];
  for (let seed = 0; seed < 20; seed++) {
    const next = random(seed), whole = (n) => Math.floor(next() * n);
    const maps = [0, 1].map(() => ({ width: w, height: h, values: Uint8Array.from({ length: w * h }, () => whole(5)) }));
    const scene = sceneOf(...maps), states = [];
    const check = () => scene.layers.forEach(({ levels, level, minArea, maxHole, corrections, mask }) => {
      const base = clean(threshold(levels, level), w, h, minArea, maxHole);
      assert.deepEqual(mask, compose(base, corrections));
    });
    const state = () => JSON.stringify(scene.layers.map((l) => [[...l.mask], l.level, l.minArea, l.maxHole]));
    for (let i = 0; i < 25; i++) {
      scene.choose(whole(2));
      scene.gesture++;
      const was = state(), steps = scene.history.past.length;
      const kind = whole(3);
      if (kind === 0) scene.change("level", whole(5));
      else if (kind === 1) scene.change(["minArea", "maxHole"][whole(2)], whole(6));
      else {
        const y = whole(h), x = whole(w - 1);
        scene.apply({ runs: [[y, x, w]], value: whole(3), label: "row", open: next() < 0.5 });
        scene.settle();
      }
      if (scene.history.past.length > steps) states.push(was);
      check();
    }
    for (const expected of states.reverse()) {
      const done = scene.undo();
      if (done.name) scene.set(done.name, done.value);
      assert.equal(state(), expected);
      check();
    }
    assert.equal(scene.undo(), null);
  }
});
