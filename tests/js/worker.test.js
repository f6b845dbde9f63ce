// What the worker answers, without a browser.
import assert from "node:assert/strict";
import test from "node:test";
import { threshold } from "../../lrpseg/ui/static/mask.js";

test("a worker hands back the mask that is seen, then what holds at any threshold", async () => {
  const answers = [];
  globalThis.self = { postMessage: (answer, { transfer }) => answers.push({ ...answer, transfer }) };
  await import("../../lrpseg/ui/static/worker.js");
  const levels = Uint8Array.of(5, 0, 0, 7, 7, 0, 3, 3, 3); // of 9x1 pixels
  globalThis.self.onmessage({ data: { levels, width: 9, height: 1, minArea: 2, maxHole: 0, level: 4 } });
  delete globalThis.self;
  assert.deepEqual(answers.map(({ whole }) => whole), [false, true]);
  const [first, all] = answers.map((answer) => answer.levels);
  assert.deepEqual([...threshold(first, 4)], [0, 0, 0, 1, 1, 0, 0, 0, 0]);
  assert.deepEqual([...all], [0, 0, 0, 7, 7, 0, 3, 3, 3]);
  for (const { levels: made, transfer } of answers) assert.deepEqual(transfer, [made.buffer]);
  assert.equal(levels[0], 5); // what came is left
});
