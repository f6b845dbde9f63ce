// Masks on small literal arrays, and against a slow reference that floods pixel by pixel.
import assert from "node:assert/strict";
import test from "node:test";
import * as M from "../../lrpseg/ui/static/mask.js";
import { noise, slowParts, touches } from "./support.js";

test("threshold is q >= level", () => {
  assert.deepEqual([...M.threshold(Uint8Array.of(0, 4, 5, 6, 255), 5)], [0, 0, 1, 1, 1]);
  assert.deepEqual([...M.threshold(Uint8Array.of(0, 255), 0)], [1, 1]);
});

test("compose lets corrections win", () => {
  const base = Uint8Array.of(0, 0, 0, 1, 1, 1), drawn = Uint8Array.of(0, 1, 2, 0, 1, 2);
  assert.deepEqual([...M.compose(base, drawn)], [0, 1, 0, 1, 1, 0]);
});

test("the part under a pixel is its flood", () => {
  for (let seed = 0; seed < 40; seed++) {
    const [w, h] = [9, 8], mask = noise(seed, w * h, 0.4);
    for (let i = 0; i < w * h; i += 5) {
      const x = i % w, y = (i - x) / w;
      for (const value of [0, 1]) {
        const flood = slowParts(mask, w, h, value, value === 1).find((p) => p.has(i));
        const part = M.partAt((j) => mask[j] === 1, w, h, x, y, value);
        if (!flood || (value === 0 && touches(flood, w, h))) {
          assert.equal(part, null);
          continue;
        }
        const got = new Set();
        for (const [row, from, to] of part.runs) for (let c = from; c < to; c++) got.add(row * w + c);
        assert.deepEqual(got, flood);
        const xs = [...flood].map((j) => j % w), ys = [...flood].map((j) => Math.floor(j / w));
        assert.deepEqual(part.rect, {
          x: Math.min(...xs), y: Math.min(...ys),
          w: Math.max(...xs) - Math.min(...xs) + 1, h: Math.max(...ys) - Math.min(...ys) + 1,
        });
      }
    }
  }
});
