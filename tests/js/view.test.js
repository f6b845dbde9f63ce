// Which mask pixels a screen pixel stands for.
const assert = require("node:assert/strict");
const test = require("node:test");
const { spans, any } = require("../../lrpseg/ui/static/view.js");

test("zoomed out, every mask pixel belongs to exactly one screen pixel", () => {
  for (const s of [0.017, 0.26, 0.34, 0.5, 0.53, 0.67, 0.99]) {
    for (const origin of [0, 3.4, -17.9]) {
      const size = 400, found = spans(0, Math.ceil(size * s + 20), origin + 1, s, size);
      const seen = new Uint8Array(size);
      for (let i = 0; i < found.length; i += 2) {
        for (let x = found[i]; x < found[i + 1]; x++) seen[x]++;
      }
      const first = found[0];
      for (let x = Math.max(0, first); x < size; x++) assert.equal(seen[x], 1, `scale ${s}, pixel ${x}`);
    }
  }
});

test("zoomed in, a screen pixel shows the mask pixel under its centre", () => {
  const found = spans(0, 12, 2, 4, 2); // two pixels of four, from 2 on
  const pixels = Array.from({ length: 12 }, (_, i) => (found[2 * i] < found[2 * i + 1] ? found[2 * i] : -1));
  assert.deepEqual(pixels, [-1, -1, 0, 0, 0, 0, 1, 1, 1, 1, -1, -1]);
});

test("a block with a single marked pixel is marked", () => {
  const values = new Uint8Array(12);
  values[6] = 2;
  assert.equal(any(values, 4, 1, 0, 3, 3), 2);
  assert.equal(any(values, 4, 0, 0, 2, 3), 0);
});
