// Events reach who listens, in order, and nobody else.
import assert from "node:assert/strict";
import test from "node:test";
import { Emitter } from "../../lrpseg/ui/static/events.js";

test("listeners hear their event in the order in which they came, until they stop", () => {
  const events = new Emitter(), heard = [];
  const stop = events.on("size", (radius) => heard.push(["first", radius]));
  events.on("size", (radius) => heard.push(["second", radius]));
  events.on("cursor", () => heard.push("never"));
  events.emit("size", 3);
  stop();
  events.emit("size", 4);
  events.emit("leaving", null); // nobody listens
  assert.deepEqual(heard, [["first", 3], ["second", 3], ["second", 4]]);
});
