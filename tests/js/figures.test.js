// Figures are those of lrpseg/masks/figures.py: the same cases check both.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { counts, curve, figures } from "../../lrpseg/ui/static/figures.js";
import { threshold } from "../../lrpseg/ui/static/mask.js";

const CASES = JSON.parse(readFileSync(new URL("../cases/figures.json", import.meta.url), "utf8"));

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

test("counts of literal masks", () => {
  const found = counts(Uint8Array.of(1, 1, 0, 0), Uint8Array.of(1, 0, 1, 0));
  assert.deepEqual(found, { tp: 1, fp: 1, fn: 1 });
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
