// What is done to the open picture: what is a step, what is saved, and what undo asks of the server.
import assert from "node:assert/strict";
import test from "node:test";
import { Editing } from "../../lrpseg/ui/static/editing.js";
import { Emitter } from "../../lrpseg/ui/static/events.js";
import { Steps, chose } from "../../lrpseg/ui/static/steps.js";
import { picture, sceneOf } from "./support.js";

function make() {
  const asked = [], events = new Emitter(), scene = sceneOf(picture("#.", ".."));
  const item = { id: "a", analysis: "map", status: "edited", choice: { network: "x" }, levels: [0, 1] };
  scene.status = item.status;
  const store = {
    revisions: new Map([["a", 5]]),
    saveSettings: (id, settings) => asked.push([id, settings]),
    saveCorrections: (id, drawn, width, rect) => asked.push([id, [...drawn], width, rect]),
    request: async (path, { body }) => asked.push([path, JSON.parse(body)]),
  };
  const pictures = {
    store, reverting: "", ordered: [{ id: "a", status: "accepted" }],
    open: { id: "a", item, scene, ready: true, truth: null },
    mark: (status) => { pictures.open.item.status = scene.status = status; },
    refresh: async () => {},
    again: async () => {
      const to = { ...pictures.open.item, analysis: "map", choice: { network: "x" } };
      chose(pictures.open, to, pictures.reverting);
      pictures.open.item = to;
    },
    select: (id) => asked.push(["select", id]),
  };
  events.on("say", ({ text }) => text && asked.push(text));
  const editing = new Editing({ events, pictures, store, clock: { take: () => 1.5 } });
  const state = { begun: false };
  const steps = new Steps({
    events, pictures, editing,
    shorten: () => state.begun && !(state.begun = false),
    selected: (id) => asked.push(["selected", id]),
  });
  const dot = { runs: [[1, 1, 2]], value: 1, label: "dot" };
  const draw = () => events.emit("edited", scene.apply(dot));
  return { asked, events, scene, pictures, editing, steps, state, dot, draw };
}

test("acceptance is taken back to the status of before", () => {
  const { asked, scene, pictures, editing, steps } = make();
  editing.accept();
  editing.accept(); // twice is no second step
  assert.equal(scene.history.past.length, 1);
  assert.equal(asked.pop(), "All pictures are accepted. Export their masks on the left.");
  steps.go("undo");
  assert.equal(pictures.open.item.status, "edited");
  assert.deepEqual(asked.pop(), ["a", {
    status: "todo", shown: { analysis: "map", revision: 5 }, seconds: 1.5,
  }]);
  steps.go("redo");
  assert.equal(pictures.open.item.status, "accepted");
});

test("what is not analysed is not accepted", () => {
  const { asked, pictures, editing } = make();
  pictures.open.item.status = "running";
  editing.accept();
  pictures.open.item.status = "failed";
  pictures.open.item.reason = "It is no picture.";
  editing.accept();
  assert.deepEqual(asked, ["Wait for its analysis.", "It is no picture."]);
});

test("a stroke is saved where it was drawn, and where it is undone", () => {
  const { asked, draw, steps, pictures } = make();
  const rect = { x: 1, y: 1, w: 1, h: 1 };
  draw();
  assert.deepEqual(asked, [["a", [0, 0, 0, 1], 2, rect]]);
  steps.go("undo");
  assert.deepEqual(asked[1], ["a", [0, 0, 0, 0], 2, rect]);
  steps.go("redo");
  assert.deepEqual(asked[2], ["a", [0, 0, 0, 1], 2, rect]);
  assert.equal(pictures.open.item.status, "edited");
});

test("undo of a stroke gives the status of before back", () => {
  for (const [before, asked] of [["accepted", "accepted"], ["todo", "todo"], ["empty", "todo"]]) {
    const made = make();
    made.pictures.mark(before);
    made.draw();
    assert.equal(made.pictures.open.item.status, "edited");
    made.steps.go("undo");
    assert.equal(made.pictures.open.item.status, before);
    assert.equal(made.asked.at(-1)[1].status, asked);
  }
});

test("a slider's gesture is one step, and what undo brings is none", () => {
  const { asked, events, scene, editing, steps } = make();
  for (const level of [2, 3, 4]) events.emit("level", { level, done: false });
  events.emit("level", { level: 4, done: true });
  editing.change("minArea", 5);
  assert.equal(scene.history.past.length, 2);
  assert.deepEqual(asked.at(-1), ["a", { min_area: 5 }]);
  steps.go("undo");
  steps.go("undo");
  assert.deepEqual(asked.at(-1), ["a", { level: 1, analysis: "map" }]);
  assert.equal(scene.level, 1);
  assert.equal(scene.history.past.length, 0);
  assert.equal(scene.history.future.length, 2);
});

test("a choice is taken back at the server, and that is no new step", async () => {
  const { asked, scene, pictures, steps } = make();
  const to = { ...pictures.open.item, analysis: "n", choice: { network: "y" } };
  chose(pictures.open, to, "");
  pictures.open.item = to;
  const done = steps.go("undo");
  assert.equal(steps.go("undo"), undefined); // not while the first is under way
  await done;
  assert.deepEqual(asked[0], ["/items/a/choice", { network: "x" }]);
  assert.deepEqual(asked[1], ["selected", "a"]);
  assert.deepEqual(asked[2], ["a", { level: 1, analysis: "map" }]); // the server forgets it
  assert.equal(scene.history.past.length, 0);
  assert.equal(scene.history.future.length, 1);
});

test("no step is taken while a stroke is under way", () => {
  const { scene, pictures, editing, steps, dot } = make();
  editing.accept();
  scene.apply({ ...dot, open: true });
  assert.equal(steps.go("undo"), undefined);
  assert.equal(pictures.open.item.status, "accepted");
  scene.settle();
  steps.go("undo");
  steps.go("undo");
  assert.equal(pictures.open.item.status, "edited");
});

test("a polygon's last corner goes before any step", () => {
  const { scene, steps, state, draw } = make();
  draw();
  state.begun = true;
  steps.go("undo");
  assert.equal(scene.history.past.length, 1);
  steps.go("undo");
  assert.equal(scene.history.past.length, 0);
});

test("clearing is saved as one step; nothing to clear is none", () => {
  const { asked, scene, editing, draw } = make();
  editing.clear();
  assert.deepEqual(asked, []);
  draw();
  editing.clear();
  assert.deepEqual(asked.at(-1), ["a", [0, 0, 0, 0], 2, { x: 0, y: 1, w: 2, h: 1 }]);
  assert.equal(scene.history.past.length, 2);
});
