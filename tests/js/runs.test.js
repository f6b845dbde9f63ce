// The pixels of lines and polygons against the definition.
import assert from "node:assert/strict";
import test from "node:test";
import { polygonRuns, segmentRuns } from "../../lrpseg/ui/static/runs.js";

function random(seed) {
  let state = seed + 1;
  return () => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state / 2147483648;
  };
}

test("a stroke paints the pixels whose centre is near the segment", () => {
  const next = random(3), [w, h] = [24, 19];
  for (let turn = 0; turn < 200; turn++) {
    const [x0, y0, x1, y1] = [0, 1, 2, 3].map((i) => next() * (i % 2 ? h : w) * 1.4 - 3);
    const radius = 0.5 + next() * 6;
    const got = new Uint8Array(w * h);
    for (const [y, from, to] of segmentRuns(w, h, x0, y0, x1, y1, radius)) got.fill(1, y * w + from, y * w + to);
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
  assert.deepEqual(segmentRuns(9, 9, 4.5, 2.5, 4.5, 2.5, 0.5), [[2, 4, 5]]);
});

test("a polygon holds the pixels whose centre is inside", () => {
  const square = polygonRuns(8, 8, [[1, 1], [4, 1], [4, 3], [1, 3]]);
  assert.deepEqual(square, [[1, 1, 4], [2, 1, 4]]);
  const beyond = polygonRuns(4, 4, [[-5, -5], [50, -5], [50, 50], [-5, 50]]);
  assert.equal(beyond.reduce((n, [, a, b]) => n + b - a, 0), 16);
  const cross = polygonRuns(10, 10, [[0, 0], [10, 10], [10, 0], [0, 10]]); // two triangles
  assert.deepEqual(cross.filter(([y]) => y === 1), [[1, 0, 1], [1, 8, 10]]);
});
