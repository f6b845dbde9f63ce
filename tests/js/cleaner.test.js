// Cleaning beside the page: the newest wish wins, and no result lands where it does not belong.
import assert from "node:assert/strict";
import test from "node:test";
import { Cleaner } from "../../lrpseg/ui/static/cleaner.js";
import { Emitter } from "../../lrpseg/ui/static/events.js";
import { LARGE, cleanedOf, firstOf } from "../../lrpseg/ui/static/layer.js";
import { ADDED } from "../../lrpseg/ui/static/mask.js";
import { Scene } from "../../lrpseg/ui/static/scene.js";

const [WIDTH, HEIGHT] = [600, 500];

/** A scene so large that it is cleaned beside the page: a dot and a square on nothing. */
function large() {
  assert.ok(WIDTH * HEIGHT >= LARGE);
  const corrections = [new Uint8Array(WIDTH * HEIGHT)], levels = new Uint8Array(WIDTH * HEIGHT);
  levels[0] = 9;
  for (const y of [5, 6, 7]) levels.fill(9, y * WIDTH + 5, y * WIDTH + 8);
  const scene = new Scene({ width: WIDTH, height: HEIGHT, corrections });
  scene.setMaps("map", [{ levels, explained: true, level: 1, minArea: 0, maxHole: 0 }]);
  return scene;
}

/** A cleaner whose work is done when the test says so, on the scenes that it is told of. */
function bench() {
  const events = new Emitter(), jobs = [];
  const start = (request, take) => {
    const job = {
      stopped: false,
      first: () => take(firstOf(request), false),
      end: () => take(cleanedOf(request), true),
    };
    jobs.push(job);
    return () => { job.stopped = true; };
  };
  new Cleaner({ events, start });
  let changes = 0;
  events.on("changed", () => { changes++; });
  return {
    jobs,
    open: (scene) => events.emit("opened", scene && { scene }),
    set: (scene, name, value) => {
      scene.set(name, value);
      events.emit("changed", null);
    },
    changes: () => changes,
  };
}

const area = (mask) => mask.reduce((sum, v) => sum + v, 0);

test("without cleaning there is nothing to do", () => {
  const { jobs, open, set } = bench(), scene = large();
  open(scene);
  set(scene, "level", 5);
  assert.equal(jobs.length, 0);
  assert.ok(scene.layer.exact);
});

test("the mask is exact before the result is there, and after it", () => {
  const { jobs, open, set, changes } = bench(), scene = large();
  open(scene);
  set(scene, "minArea", 5);
  assert.equal(scene.layer.exact, false);
  assert.equal(area(scene.mask), 9);
  assert.ok(scene.layer.marked()(6 * WIDTH + 6));
  assert.equal(scene.layer.marked()(0), false);
  set(scene, "level", 10);
  assert.equal(area(scene.mask), 0);
  set(scene, "level", 4);
  assert.equal(jobs.length, 1); // one for all thresholds
  const before = changes();
  jobs[0].end();
  assert.equal(changes(), before + 1);
  assert.ok(scene.layer.exact);
  assert.equal(area(scene.mask), 9);
  set(scene, "level", 10);
  assert.equal(area(scene.mask), 0);
  assert.equal(jobs.length, 1);
});

test("the mask that is seen comes first, and holds at its own threshold alone", () => {
  const { jobs, open, set } = bench(), scene = large();
  open(scene);
  set(scene, "level", 4);
  set(scene, "minArea", 5);
  jobs[0].first();
  assert.ok(scene.layer.exact);
  assert.equal(scene.layer.settled, false);
  assert.equal(area(scene.mask), 9);
  set(scene, "level", 10);
  assert.equal(scene.layer.exact, false);
  assert.equal(area(scene.mask), 0);
  set(scene, "level", 4);
  assert.ok(scene.layer.exact);
  assert.equal(jobs.length, 1);
  jobs[0].end();
  assert.ok(scene.layer.settled);
  assert.equal(area(scene.mask), 9);
});

test("the newest wish wins", () => {
  const { jobs, open, set } = bench(), scene = large();
  open(scene);
  set(scene, "minArea", 5);
  set(scene, "minArea", 10);
  assert.deepEqual(jobs.map(({ stopped }) => stopped), [true, false]);
  jobs[1].end();
  assert.ok(scene.layer.exact);
  assert.equal(area(scene.mask), 0);
  set(scene, "minArea", 0);
  assert.equal(area(scene.mask), 10);
  assert.equal(jobs.length, 2);
});

test("what is switched off is given up", () => {
  const { jobs, open, set } = bench(), scene = large();
  open(scene);
  set(scene, "minArea", 5);
  set(scene, "minArea", 0);
  assert.ok(jobs[0].stopped);
  assert.ok(scene.layer.exact);
});

test("a stroke that is drawn meanwhile stays", () => {
  const { jobs, open, set } = bench(), scene = large();
  open(scene);
  set(scene, "minArea", 5);
  scene.apply({ runs: [[0, 0, 2]], value: ADDED, label: "dot" });
  assert.equal(area(scene.mask), 11);
  jobs[0].end();
  assert.equal(area(scene.mask), 11);
  scene.undo();
  assert.equal(area(scene.mask), 9);
});

test("another picture is cleaned for itself", () => {
  const { jobs, open, set } = bench(), [first, second] = [large(), large()];
  open(first);
  set(first, "minArea", 5);
  open(second);
  assert.ok(jobs[0].stopped);
  set(second, "maxHole", 3);
  assert.deepEqual(jobs.length, 2);
  jobs[1].end();
  assert.ok(second.layer.exact);
  assert.equal(first.layer.exact, false);
  open(first); // as it was left
  jobs[2].end();
  assert.equal(area(first.mask), 9);
  open(null);
});

test("a result for another map is left", () => {
  const { jobs, open, set } = bench(), scene = large();
  open(scene);
  set(scene, "minArea", 5);
  const levels = new Uint8Array(WIDTH * HEIGHT).fill(3, 0, 7);
  scene.setMaps("other", [{ levels, explained: true, level: 1, minArea: 5, maxHole: 0 }]);
  jobs[0].first(); // it was not told to stop yet
  jobs[0].end();
  assert.equal(scene.layer.exact, false);
  assert.equal(scene.layer.map, levels); // what is shown
  assert.equal(area(scene.mask), 7);
  jobs[1].end();
  assert.ok(scene.layer.exact);
  assert.equal(area(scene.mask), 7);
});
