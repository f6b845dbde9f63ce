// Seconds spent: work counts, pauses do not.
import assert from "node:assert/strict";
import test from "node:test";
import { Clock } from "../../lrpseg/ui/static/clock.js";

test("time between two things counts, unless it is a pause", () => {
  let now = 0;
  const clock = new Clock(() => now);
  const after = (ms) => {
    now += ms;
    clock.touch();
  };
  after(5000); // the first thing: nothing to count from
  after(2000);
  after(61000); // somebody went away
  after(3000);
  assert.equal(clock.take(), 5);
  assert.equal(clock.take(), 0);
  clock.pause();
  after(4000);
  assert.equal(clock.take(), 0);
});
