// Undo and redo bring back exactly what was there.
import assert from "node:assert/strict";
import test from "node:test";
import { History, Shelf } from "../../lrpseg/ui/static/history.js";
import { cut, put, union } from "../../lrpseg/ui/static/rects.js";

const W = 12, H = 10;
function random(seed) {
  let state = seed + 7;
  return (n) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * n);
  };
}

test("rectangles are cut out and put back", () => {
  const array = Uint8Array.from({ length: W * H }, (_, i) => i);
  const rect = { x: 3, y: 2, w: 4, h: 5 };
  const piece = cut(array, W, rect);
  assert.deepEqual(piece.slice(0, 5), Uint8Array.of(27, 28, 29, 30, 39));
  const other = new Uint8Array(W * H);
  put(other, W, rect, piece);
  assert.deepEqual(cut(other, W, rect), piece);
  assert.equal(other[0], 0);
  assert.deepEqual(union(rect, { x: 0, y: 6, w: 1, h: 1 }), { x: 0, y: 2, w: 7, h: 5 });
  assert.deepEqual(union(null, rect), rect);
});

test("any sequence of strokes and settings is undone and done again, step by step", () => {
  for (let seed = 0; seed < 30; seed++) {
    const next = random(seed), history = new History();
    const drawn = new Uint8Array(W * H), settings = { level: 0 };
    const states = [[drawn.slice(), { ...settings }]];
    for (let i = 0; i < 20; i++) {
      if (next(3)) {
        const rect = { x: next(W - 3), y: next(H - 3), w: 1 + next(3), h: 1 + next(3) };
        const before = cut(drawn, W, rect);
        put(drawn, W, rect, Uint8Array.from({ length: rect.w * rect.h }, () => next(3)));
        history.drew(rect, before);
      } else {
        const to = next(250);
        history.changed({ name: "level", from: settings.level, to, gesture: i });
        settings.level = to;
      }
      states.push([drawn.slice(), { ...settings }]);
    }
    const apply = (done) => {
      if (done.name) settings[done.name] = done.value;
    };
    let at = states.length - 1;
    for (let i = 0; i < 200; i++) {
      const back = next(2) === 0;
      const done = back ? history.undo([drawn], W) : history.redo([drawn], W);
      if (!done) {
        assert.equal(at, back ? 0 : states.length - 1);
        continue;
      }
      apply(done);
      at += back ? -1 : 1;
      assert.deepEqual([drawn, settings], states[at]);
    }
  }
});

const level = (from, to, gesture, more = {}) => ({ name: "level", from, to, gesture, ...more });

test("moves of one gesture are one step", () => {
  const history = new History(), drawn = [new Uint8Array(1)];
  history.changed(level(1, 2, 5, { status: "accepted" }));
  history.changed(level(2, 9, 5, { status: "edited" }));
  history.changed(level(9, 4, 6, { status: "edited" }));
  const done = (value, status) => ({ name: "level", value, layer: 0, status });
  assert.deepEqual(history.undo(drawn, 1), done(9, "edited"));
  assert.deepEqual(history.undo(drawn, 1), done(1, "accepted"));
  assert.equal(history.undo(drawn, 1), null);
  assert.deepEqual(history.redo(drawn, 1), done(9, "accepted"));
});

test("moves of two classes are two steps, and each class gets its own pixels back", () => {
  const history = new History(), drawn = [new Uint8Array(2), new Uint8Array(2)];
  history.changed(level(1, 2, 5));
  history.changed(level(3, 4, 5, { layer: 1 }));
  drawn[1].fill(1);
  history.drew({ x: 0, y: 0, w: 2, h: 1 }, new Uint8Array(2), { layer: 1 });
  assert.equal(history.undo(drawn, 2).layer, 1);
  assert.deepEqual(drawn, [new Uint8Array(2), new Uint8Array(2)]);
  assert.equal(history.undo(drawn, 2).layer, 1);
  assert.equal(history.undo(drawn, 2).layer, 0);
  history.redo(drawn, 2);
  history.redo(drawn, 2);
  history.redo(drawn, 2);
  assert.deepEqual(drawn, [new Uint8Array(2), Uint8Array.of(1, 1)]);
});

test("a new action ends what could be done again", () => {
  const history = new History(), drawn = [new Uint8Array(4)];
  history.changed(level(1, 2, 1));
  history.undo(drawn, 2);
  history.changed(level(1, 3, 2));
  assert.equal(history.redo(drawn, 2), null);
});

test("memory is bounded: the oldest steps go", () => {
  const history = new History(1000), drawn = [new Uint8Array(400)];
  for (let i = 0; i < 10; i++) history.drew({ x: 0, y: 0, w: 20, h: 20 }, new Uint8Array(400));
  assert.equal(history.past.length, 2);
  assert.ok(history.bytes <= 1000);
  assert.ok(history.undo(drawn, 20));
});

test("steps about another map are passed over", () => {
  const history = new History(), drawn = [new Uint8Array(1)];
  history.changed(level(1, 2, 1, { about: "first" }));
  history.changed({ name: "choice", from: "a", to: "b", gesture: 2 });
  history.changed(level(5, 6, 3, { about: "second" }));
  assert.equal(history.undo(drawn, 1, "third").value, "a");
  assert.equal(history.undo(drawn, 1, "first").value, 1);
});

test("a picture that was left finds its steps again, unless it was drawn on elsewhere", () => {
  const shelf = new Shelf(), drawn = Uint8Array.of(0, 1, 2, 0), history = new History();
  history.drew({ x: 0, y: 0, w: 2, h: 2 }, new Uint8Array(4));
  shelf.keep("a", history, [drawn]);
  assert.equal(shelf.take("a", [drawn.slice()]), history);
  assert.equal(shelf.take("a", [drawn]), null); // taken is taken
  shelf.keep("a", history, [drawn]);
  assert.equal(shelf.take("a", [Uint8Array.of(0, 1, 2, 1)]), null);
});

test("the steps of pictures that were left longest ago go first", () => {
  const shelf = new Shelf(1000), drawn = [new Uint8Array(400)];
  for (const id of ["a", "b", "c"]) {
    const history = new History();
    history.drew({ x: 0, y: 0, w: 20, h: 20 }, new Uint8Array(400));
    shelf.keep(id, history, drawn);
  }
  assert.deepEqual(["a", "b", "c"].map((id) => Boolean(shelf.take(id, drawn))), [false, true, true]);
});
