// Figures are those of lrpseg/masks/figures.py: the same cases check both.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { Score, curve, figures } from "../../lrpseg/ui/static/figures.js";
import { threshold } from "../../lrpseg/ui/static/mask.js";
import { random, sceneOf } from "./support.js";

const CASES = JSON.parse(readFileSync(new URL("../cases/figures.json", import.meta.url), "utf8"));

/** What the figures are counted from, pixel by pixel. */
function counts(mask, truth) {
  const number = (m, t) => mask.reduce((sum, v, i) => sum + (v === m && truth[i] === t), 0);
  return { tp: number(1, 1), fp: number(1, 0), fn: number(0, 1) };
}

test("figures of the shared cases", () => {
  assert.ok(CASES.length > 5);
  for (const { tp, fp, fn, ...expected } of CASES) {
    const found = figures({ tp, fp, fn });
    assert.deepEqual(Object.keys(found).sort(), Object.keys(expected).sort());
    for (const [name, value] of Object.entries(expected)) {
      assert.ok(Math.abs(found[name] - value) < 1e-12, `${name} of ${tp} ${fp} ${fn}`);
    }
  }
});

test("the curve equals the figures of each level's mask", () => {
  const q = Uint8Array.from({ length: 300 }, (_, i) => (i * 37) % 7);
  for (const truth of [
    Uint8Array.from({ length: 300 }, (_, i) => Number((i * 53) % 10 < 3)), new Uint8Array(300),
  ]) {
    curve(q, truth, 7).forEach((found, level) => {
      assert.deepEqual(found, figures(counts(threshold(q, level), truth)));
    });
  }
});

test("the score of a layer is that of its mask, whatever is done to it", () => {
  const next = random(3), whole = (n) => Math.floor(next() * n), [width, height] = [9, 7];
  const values = Uint8Array.from({ length: width * height }, () => whole(6));
  const truth = values.map(() => whole(2)), scene = sceneOf({ width, height, values });
  const score = new Score();
  const check = (of = truth) =>
    assert.deepEqual(score.at(scene.layer, of), figures(counts(scene.mask, of)));
  for (let i = 0; i < 60; i++) {
    const y = whole(height), x = whole(width - 1);
    scene.apply({ runs: [[y, x, width]], value: whole(3), label: "row" });
    check();
    scene.set("level", whole(7));
    check();
    if (i % 9 === 0) scene.set("minArea", whole(5));
    check();
    scene.undo();
    check();
    scene.redo();
  }
  check(truth.map((v) => 1 - v)); // another truth came
  scene.layer.set({ explained: false });
  check();
});
