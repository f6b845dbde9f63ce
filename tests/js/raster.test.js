// What the mask looks like on the screen, pixel by pixel.
import assert from "node:assert/strict";
import test from "node:test";
import { any, rasterise, spans } from "../../lrpseg/ui/static/raster.js";

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

const LOOK = { opacity: 0.5, contour: false, mask: true, mode: "picture", changes: false };
const [FILL, RIM, WHITE, BLACK] = [0x80b27200, 0xffb27200, 0xffffffff, 0xff000000];

/** A mask of 5x5 with a square of 3x3 in its middle, of which the centre was added. */
function square() {
  const mask = new Uint8Array(25), corrections = new Uint8Array(25);
  for (const y of [1, 2, 3]) mask.fill(1, y * 5 + 1, y * 5 + 4);
  corrections[12] = 1;
  corrections[0] = 2;
  return { width: 5, height: 5, mask, corrections };
}

const drawn = (look, scale = 1, part = { left: 0, top: 0, w: 5, h: 5 }) =>
  [...rasterise(square(), { ...LOOK, ...look }, { x: 0, y: 0, scale, ...part })];

test("inside is filled, the rim is full, outside is empty", () => {
  const found = drawn({}, 2, { left: 0, top: 0, w: 10, h: 10 });
  assert.equal(found[5 * 10 + 5], FILL);
  assert.equal(found[2 * 10 + 2], RIM);
  assert.equal(found[0], 0);
  assert.equal(found.filter(Boolean).length, 36);
});

test("modes: outline, mask alone, hidden, heatmap, changes", () => {
  const outline = drawn({ contour: true }, 2, { left: 0, top: 0, w: 10, h: 10 });
  assert.equal(outline[5 * 10 + 5] >>> 24, 0); // transparent
  assert.equal(outline[2 * 10 + 2], RIM);
  assert.deepEqual(new Set(drawn({ mode: "mask" })), new Set([0, WHITE]));
  assert.deepEqual(new Set(drawn({ mode: "mask", mask: false })), new Set([0, WHITE]));
  assert.deepEqual(new Set(drawn({ mask: false })), new Set([0]));
  const dashes = new Set(drawn({ mode: "heatmap" }, 4, { left: 0, top: 0, w: 20, h: 20 }));
  assert.ok(dashes.has(WHITE) && dashes.has(BLACK));
  const changes = drawn({ changes: true });
  assert.equal(changes[12], 0xbf009fe6);
  assert.equal(changes[0], 0xbfa779cc);
});

test("a part of the screen is drawn as it is in the whole", () => {
  const whole = drawn({}, 3, { left: 0, top: 0, w: 15, h: 15 });
  const part = drawn({}, 3, { left: 4, top: 5, w: 6, h: 7 });
  part.forEach((value, i) => {
    assert.equal(value, whole[(5 + Math.floor(i / 6)) * 15 + 4 + (i % 6)]);
  });
});
