// Undo on the page: what is a step, and what taking it back asks of the server.
const assert = require("node:assert/strict");
const test = require("node:test");
const { History } = require("../../lrpseg/ui/static/history.js");
const { Steps } = require("../../lrpseg/ui/static/steps.js");

function makeApp() {
  const asked = [];
  const app = {
    gesture: 0,
    tools: { stroke: null, backspace: () => false },
    clock: { take: () => 1.5 },
    asked,
    open: {
      id: "a", level: 7, corrections: new Uint8Array(4), width: 2, history: new History(),
      item: { analysis: "m", status: "edited", choice: { network: "x" } },
    },
    store: {
      revisions: new Map([["a", 5]]),
      saveSettings: (id, settings) => asked.push([id, settings]),
      request: async (path, { body }) => asked.push([path, JSON.parse(body)]),
    },
    refresh: async () => {},
    again: async () => {
      const to = { ...app.open.item, analysis: "m", choice: { network: "x" } };
      app.steps.chose(app.open, to);
      app.open.item = to;
    },
    assign: (...setting) => asked.push(setting),
    trigger: (...event) => asked.push(event),
    mark: (status) => { app.open.item.status = status; },
    figures: () => {},
    say: (text) => asked.push(text),
  };
  app.steps = new Steps(app);
  return app;
}

test("acceptance is taken back to the status of before", () => {
  const app = makeApp();
  app.steps.accept();
  app.steps.accept(); // twice is no second step
  assert.equal(app.open.history.past.length, 1);
  app.steps.go("undo");
  assert.equal(app.open.item.status, "edited");
  assert.deepEqual(app.asked.pop(), ["a", {
    status: "todo", shown: { analysis: "m", revision: 5 }, seconds: 1.5,
  }]);
  app.steps.go("redo");
  assert.equal(app.open.item.status, "accepted");
});

test("a choice is taken back at the server, and that is no new step", async () => {
  const app = makeApp(), to = { ...app.open.item, analysis: "n", choice: { network: "y" } };
  app.steps.chose(app.open, to);
  app.open.item = to;
  const done = app.steps.go("undo");
  assert.equal(app.steps.go("undo"), undefined); // not while the first is under way
  await done;
  assert.deepEqual(app.asked[0], ["/items/a/choice", { network: "x" }]);
  assert.deepEqual(app.asked[1], ["select", { id: "a" }]);
  assert.deepEqual(app.asked[2], ["level", 7]); // the server forgets it with the choice
  assert.equal(app.open.history.past.length, 0);
  assert.equal(app.open.history.future.length, 1);
});

test("no step is taken while a stroke is under way", () => {
  const app = makeApp();
  app.steps.accept();
  app.tools.stroke = {};
  assert.equal(app.steps.go("undo"), undefined);
  assert.equal(app.open.item.status, "accepted");
});
