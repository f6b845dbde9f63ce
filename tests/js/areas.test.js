// Level maps without small spots and holes, against a slow reference at each level.
import assert from "node:assert/strict";
import test from "node:test";
import { clean } from "../../lrpseg/ui/static/areas.js";
import { threshold } from "../../lrpseg/ui/static/mask.js";
import { noise, random, slowParts, touches } from "./support.js";

function slowClean(mask, w, h, minArea, maxHole) {
  const out = mask.slice();
  for (const part of slowParts(out, w, h, 1, true)) {
    if (part.size < minArea) for (const i of part) out[i] = 0;
  }
  for (const part of slowParts(out, w, h, 0, false)) {
    if (maxHole && part.size <= maxHole && !touches(part, w, h)) for (const i of part) out[i] = 1;
  }
  return out;
}

test("clean is what flooding gives, on noise of every density", () => {
  for (let seed = 0; seed < 60; seed++) {
    const [w, h] = [1 + (seed % 13), 1 + ((seed * 7) % 11)];
    const mask = noise(seed, w * h, 0.15 + 0.012 * seed), before = mask.slice();
    for (const [a, b] of [[0, 0], [1, 0], [2, 0], [3, 2], [0, 4], [9, 9], [500, 500]]) {
      assert.deepEqual(clean(mask, w, h, a, b), slowClean(mask, w, h, a, b), `${w}x${h} ${a} ${b}`);
    }
    assert.deepEqual(mask, before);
  }
});

test("a cleaned level map gives at each level the mask that was cleaned there", () => {
  for (let seed = 0; seed < 40; seed++) {
    const [w, h] = [2 + (seed % 9), 2 + ((seed * 5) % 8)], next = random(seed);
    const steps = seed % 2 ? 4 : 256; // plateaus, or nearly all values different
    const map = Uint8Array.from({ length: w * h }, () => Math.floor(next() * steps));
    for (const [a, b] of [[2, 0], [4, 0], [0, 1], [0, 5], [3, 4]]) {
      const cleaned = clean(map, w, h, a, b);
      for (const level of new Set([1, 255, ...map].filter(Boolean))) {
        const expected = slowClean(threshold(map, level), w, h, a, b);
        assert.deepEqual(threshold(cleaned, level), expected, `${w}x${h} ${a} ${b} at ${level}`);
      }
    }
  }
});

test("one part that winds through a large picture is followed to its end", () => {
  const [w, h] = [3000, 1000], mask = new Uint8Array(w * h);
  for (let y = 0; y < h; y += 2) mask.fill(1, y * w, (y + 1) * w); // stripes
  for (let y = 1; y < h; y += 2) mask[y * w + (y % 4 === 1 ? 0 : w - 1)] = 1; // one long snake
  const cleaned = clean(mask, w, h, 1000, 0);
  assert.deepEqual(cleaned, mask);
});
