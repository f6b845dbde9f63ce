// Masks against slow references that flood pixel by pixel.
const assert = require("node:assert/strict");
const test = require("node:test");
const M = require("../../lrpseg/ui/static/mask.js");

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

test("a stroke paints the pixels whose centre is near the segment", () => {
  const next = random(3), [w, h] = [24, 19];
  for (let turn = 0; turn < 200; turn++) {
    const [x0, y0, x1, y1] = [0, 1, 2, 3].map((i) => next() * (i % 2 ? h : w) * 1.4 - 3);
    const radius = 0.5 + next() * 6;
    const got = new Uint8Array(w * h);
    for (const [y, from, to] of M.segmentRuns(w, h, x0, y0, x1, y1, radius)) got.fill(1, y * w + from, y * w + to);
    for (let i = 0; i < w * h; i++) {
      const [px, py] = [(i % w) + 0.5, Math.floor(i / w) + 0.5];
      const length = (x1 - x0) ** 2 + (y1 - y0) ** 2;
      const t = length ? Math.max(0, Math.min(1, ((px - x0) * (x1 - x0) + (py - y0) * (y1 - y0)) / length)) : 0;
      const d2 = (px - x0 - t * (x1 - x0)) ** 2 + (py - y0 - t * (y1 - y0)) ** 2;
      if (Math.abs(d2 - radius * radius) > 1e-9) assert.equal(got[i], d2 < radius * radius ? 1 : 0);
    }
  }
});

test("a dot of half a pixel in a pixel's middle is that pixel", () => {
  assert.deepEqual(M.segmentRuns(9, 9, 4.5, 2.5, 4.5, 2.5, 0.5), [[2, 4, 5]]);
});

test("a polygon holds the pixels whose centre is inside", () => {
  const square = M.polygonRuns(8, 8, [[1, 1], [4, 1], [4, 3], [1, 3]]);
  assert.deepEqual(square, [[1, 1, 4], [2, 1, 4]]);
  const beyond = M.polygonRuns(4, 4, [[-5, -5], [50, -5], [50, 50], [-5, 50]]);
  assert.equal(beyond.reduce((n, [, a, b]) => n + b - a, 0), 16);
  const cross = M.polygonRuns(10, 10, [[0, 0], [10, 10], [10, 0], [0, 10]]); // two triangles
  assert.deepEqual(cross.filter(([y]) => y === 1), [[1, 0, 1], [1, 8, 10]]);
});

test("figures of literal masks", () => {
  const counts = M.counts(Uint8Array.of(1, 1, 0, 0), Uint8Array.of(1, 0, 1, 0));
  assert.deepEqual(counts, { tp: 1, fp: 1, fn: 1 });
  assert.deepEqual(M.figures(counts), { precision: 0.5, recall: 0.5, iou: 1 / 3 });
  assert.deepEqual(M.figures({ tp: 0, fp: 0, fn: 0 }), { precision: 1, recall: 1, iou: 1 });
  assert.deepEqual(M.figures({ tp: 0, fp: 0, fn: 3 }), { precision: 0, recall: 0, iou: 0 });
});

test("the curve equals the figures of each level's mask", () => {
  const next = random(5), q = Uint8Array.from({ length: 300 }, () => Math.floor(next() * 7));
  const truth = noise(8, 300, 0.3);
  M.curve(q, truth, 7).forEach((figures, level) => {
    assert.deepEqual(figures, M.figures(M.counts(M.threshold(q, level), truth)));
  });
});

test("a picture of 24 megapixels is cleaned without recursion", () => {
  const [w, h] = [6000, 4000], mask = new Uint8Array(w * h);
  for (let y = 0; y < h; y += 2) mask.fill(1, y * w, (y + 1) * w); // stripes
  for (let y = 1; y < h; y += 2) mask[y * w + (y % 4 === 1 ? 0 : w - 1)] = 1; // one long snake
  const cleaned = M.clean(mask, w, h, 1000, 0);
  assert.deepEqual(cleaned, mask);
});
