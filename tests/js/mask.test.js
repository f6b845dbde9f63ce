// Masks against slow references that flood pixel by pixel.
import assert from "node:assert/strict";
import test from "node:test";
import * as M from "../../lrpseg/ui/static/mask.js";

function random(seed) {
  let state = seed + 1;
  return () => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state / 2147483648;
  };
}

function noise(seed, size, share) {
  const next = random(seed);
  return Uint8Array.from({ length: size }, () => (next() < share ? 1 : 0));
}

/** Connected parts by flooding, as sets of indices. */
function slowParts(mask, w, h, value, eight) {
  const left = new Set([...mask.keys()].filter((i) => mask[i] === value)), found = [];
  while (left.size) {
    const todo = [left.values().next().value], part = new Set(todo);
    left.delete(todo[0]);
    while (todo.length) {
      const i = todo.pop(), x = i % w, y = (i - x) / w;
      for (let dy = -1; dy <= 1; dy++) {
        for (let dx = -1; dx <= 1; dx++) {
          if ((!eight && dx && dy) || x + dx < 0 || x + dx >= w || y + dy < 0 || y + dy >= h) continue;
          const j = (y + dy) * w + x + dx;
          if (left.delete(j)) {
            part.add(j);
            todo.push(j);
          }
        }
      }
    }
    found.push(part);
  }
  return found;
}

const touches = (part, w, h) =>
  [...part].some((i) => i % w === 0 || i % w === w - 1 || i < w || i >= w * (h - 1));

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

test("threshold is q >= level", () => {
  assert.deepEqual([...M.threshold(Uint8Array.of(0, 4, 5, 6, 255), 5)], [0, 0, 1, 1, 1]);
  assert.deepEqual([...M.threshold(Uint8Array.of(0, 255), 0)], [1, 1]);
});

test("compose lets corrections win", () => {
  const base = Uint8Array.of(0, 0, 0, 1, 1, 1), drawn = Uint8Array.of(0, 1, 2, 0, 1, 2);
  assert.deepEqual([...M.compose(base, drawn)], [0, 1, 0, 1, 1, 0]);
});

test("clean is what flooding gives, on noise of every density", () => {
  for (let seed = 0; seed < 60; seed++) {
    const [w, h] = [1 + (seed % 13), 1 + ((seed * 7) % 11)];
    const mask = noise(seed, w * h, 0.15 + 0.012 * seed), before = mask.slice();
    for (const [a, b] of [[0, 0], [1, 0], [2, 0], [3, 2], [0, 4], [9, 9], [500, 500]]) {
      assert.deepEqual(M.clean(mask, w, h, a, b), slowClean(mask, w, h, a, b), `${w}x${h} ${a} ${b}`);
    }
    assert.deepEqual(mask, before);
  }
});

test("the part under a pixel is its flood", () => {
  for (let seed = 0; seed < 40; seed++) {
    const [w, h] = [9, 8], mask = noise(seed, w * h, 0.4);
    for (let i = 0; i < w * h; i += 5) {
      const x = i % w, y = (i - x) / w;
      for (const value of [0, 1]) {
        const flood = slowParts(mask, w, h, value, value === 1).find((p) => p.has(i));
        const part = M.partAt(mask, w, h, x, y, value);
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

test("a picture of 24 megapixels is cleaned without recursion", () => {
  const [w, h] = [6000, 4000], mask = new Uint8Array(w * h);
  for (let y = 0; y < h; y += 2) mask.fill(1, y * w, (y + 1) * w); // stripes
  for (let y = 1; y < h; y += 2) mask[y * w + (y % 4 === 1 ? 0 : w - 1)] = 1; // one long snake
  const cleaned = M.clean(mask, w, h, 1000, 0);
  assert.deepEqual(cleaned, mask);
});
