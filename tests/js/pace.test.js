import assert from "node:assert/strict";
import test from "node:test";

import { Pace } from "../../lrpseg/ui/static/pace.js";

let now = 0;
const running = (id, tiles_done, tiles = 950) => ({ id, status: "running", tiles, tiles_done });

test("time left follows from the tiles that were done while one looked", () => {
  const pace = new Pace(() => now);
  now = 100;
  pace.note([running("a", 50)]);
  assert.equal(pace.left(running("a", 50)), ""); // nothing is known yet
  now = 110;
  pace.note([running("a", 150)]); // ten a second, 800 to go
  assert.equal(pace.left(running("a", 150)), "about 2 min left");
  now = 190;
  pace.note([running("a", 949)]);
  assert.equal(pace.left(running("a", 949)), "about 5 s left");
  assert.equal(pace.left(running("b", 1)), "");
});

test("what was done long ago says nothing of what is left", () => {
  const pace = new Pace(() => now);
  for (now = 0; now <= 4; now++) pace.note([running("a", 200 * now)]); // a first look
  assert.equal(pace.left(running("a", 800)), "about 5 s left");
  for (; now < 40; now++) pace.note([running("a", 801 + now)]); // one a second
  now = 39;
  assert.equal(pace.left(running("a", 840)), "about 2 min left");
});

test("one that began again is watched anew, and an ended one is forgotten", () => {
  const pace = new Pace(() => now);
  now = 0;
  pace.note([running("a", 0), running("b", 0, 40_000)]);
  now = 10;
  pace.note([running("a", 500), running("b", 10, 40_000)]);
  assert.equal(pace.left(running("b", 10, 40_000)), "about 11 h left");
  pace.note([running("a", 8), { id: "b", status: "todo" }]);
  assert.equal(pace.left(running("a", 8)), "");
  assert.equal(pace.left(running("b", 10, 40_000)), "");
});

test("a picture that waits or whose tiles nobody knows says nothing", () => {
  const pace = new Pace(() => now);
  pace.note([{ id: "a", status: "waiting" }, { id: "b", status: "running", tiles: 0, tiles_done: 0 }]);
  now += 60;
  assert.equal(pace.left({ id: "a", status: "waiting" }), "");
  assert.equal(pace.left({ id: "b", status: "running", tiles: 0 }), "");
});
