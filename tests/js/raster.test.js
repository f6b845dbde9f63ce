// What the mask looks like on the screen, pixel by pixel.
import assert from "node:assert/strict";
import test from "node:test";
import { Layer } from "../../lrpseg/ui/static/layer.js";
import { rasterise } from "../../lrpseg/ui/static/raster.js";
import { Sight, any, spans } from "../../lrpseg/ui/static/sight.js";
import { random } from "./support.js";

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
  assert.equal(any(values, 4, 1, 0, 3, 3, 1), 2);
  assert.equal(any(values, 4, 0, 0, 2, 3, 1), 0);
  assert.equal(any(values, 4, 1, 0, 3, 3, 3), 0);
});

const LOOK = { opacity: 0.5, contour: false, mask: true, mode: "picture", changes: false };
const [FILL, RIM, WHITE, BLACK] = [0x80b27200, 0xffb27200, 0xffffffff, 0xff000000];

/** A layer of 5x5 with a square of 3x3 in its middle at level 1, of which the centre was added. */
function square() {
  const levels = new Uint8Array(25), corrections = new Uint8Array(25);
  for (const y of [1, 2, 3]) levels.fill(1, y * 5 + 1, y * 5 + 4);
  levels[12] = 0;
  corrections[12] = 1;
  corrections[0] = 2;
  const layer = new Layer(corrections, 5, 5);
  layer.set({ levels, explained: true, level: 1, minArea: 0, maxHole: 0 });
  return layer;
}

/** The colours of a rectangle of the screen. */
function seen(layer, look, part, sight = new Sight(part.left + part.w, part.top + part.h)) {
  sight.look(layer, part);
  return [...rasterise(sight, layer.level, { ...LOOK, ...look }, part)];
}

const drawn = (look, scale = 1, part = { left: 0, top: 0, w: 5, h: 5 }) =>
  seen(square(), look, { x: 0, y: 0, scale, ...part });

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

/** What a screen pixel shows, looked up in the mask block by block. */
function slowly({ mask, corrections, width, height }, look, { w, h, x, y, scale }) {
  const columns = spans(0, w, x, scale, width), lines = spans(0, h, y, scale, height);
  const rim = Math.max(1, Math.round(1.5 / scale));
  const at = (cx, cy) => cx >= 0 && cy >= 0 && cx < width && cy < height && mask[cy * width + cx];
  return Array.from({ length: w * h }, (_, i) => {
    const [cx, right] = columns.slice(2 * (i % w)), [cy, bottom] = lines.slice(2 * Math.floor(i / w));
    if (cx >= right || cy >= bottom) return 0;
    const change = any(corrections, width, cx, cy, right, bottom, 1);
    if (look.changes && change) return change === 1 ? 0xbf009fe6 : 0xbfa779cc;
    if (!any(mask, width, cx, cy, right, bottom, 1)) return 0;
    const inside = at(cx - rim, cy) && at(cx + rim, cy) && at(cx, cy - rim) && at(cx, cy + rim);
    return inside ? FILL : RIM;
  });
}

test("at any zoom and level, over any strokes, the screen shows the mask", () => {
  const next = random(1), whole = (n) => Math.floor(next() * n), [width, height] = [37, 23];
  for (const scale of [0.13, 0.4, 0.77, 1, 2.5]) {
    const layer = new Layer(new Uint8Array(width * height), width, height);
    const levels = layer.levels.map(() => whole(9) * whole(2) * 30); // 255 is one of them
    layer.set({ levels, explained: true });
    const part = { left: 0, top: 0, w: 40, h: 30, x: 3.3, y: -2.1, scale };
    const sight = new Sight(part.w, part.h);
    for (let i = 0; i < 12; i++) {
      const y = whole(height), look = { changes: i % 2 === 0 };
      layer.corrections.fill(whole(3), y * width + whole(width), (y + 1) * width);
      layer.drew({ x: 0, y, w: width, h: 1 });
      layer.set({ level: [0, 1, 30, 120, 240, 255][whole(6)], explained: i < 10 });
      const expected = slowly(layer, look, part), alone = new Sight(part.w, part.h, layer.level);
      assert.deepEqual(seen(layer, look, part, sight), expected, `${scale}, ${i}`);
      assert.deepEqual(seen(layer, look, part, alone), expected, `${scale}, ${i}`);
    }
  }
});

test("another threshold needs no other look at the picture", () => {
  const layer = square(), part = { left: 0, top: 0, w: 5, h: 5, x: 0, y: 0, scale: 1 };
  const sight = new Sight(5, 5);
  seen(layer, {}, part, sight);
  layer.set({ level: 0 });
  const moved = [...rasterise(sight, layer.level, LOOK, part)];
  assert.deepEqual(moved, seen(layer, {}, part));
});
