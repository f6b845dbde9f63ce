// Each tool on a scene without a page: what it draws to the pixel, shows, cancels and says.
import assert from "node:assert/strict";
import test from "node:test";
import { ADDED, REMOVED } from "../../lrpseg/ui/static/mask.js";
import { polygonRuns, segmentRuns } from "../../lrpseg/ui/static/runs.js";
import { TOOLS } from "../../lrpseg/ui/static/tools/index.js";
import { boxOf, lines, picture, sceneOf } from "./support.js";

const [W, H] = [20, 16];
/** A ring with a hole in it, a spot of two pixels that touch by a corner, and much that is empty. */
const drawing = () => {
  const rows = Array.from({ length: H }, () => Array(W).fill("."));
  for (let y = 2; y < 9; y++) for (let x = 2; x < 9; x++) rows[y][x] = "#";
  for (let y = 4; y < 7; y++) for (let x = 4; x < 7; x++) rows[y][x] = ".";
  rows[12][12] = rows[13][13] = "#";
  return picture(...rows.map((row) => row.join("")));
};
const covered = (runs) => {
  const found = new Uint8Array(W * H);
  for (const [y, from, to] of runs) found.fill(1, y * W + from, y * W + to);
  return found;
};
/** Corrections that give what `runs` cover a value. */
const corrected = (runs, value) => covered(runs).map((c) => c * value);
const inPlace = (values, [x0, y0, x1, y1]) =>
  values.map((v, i) => {
    const x = i % W, y = Math.floor(i / W);
    return Number(Boolean(v) || (x >= x0 && x < x1 && y >= y0 && y < y1));
  });

/** A gesture for each tool, and the corrections that it is to leave. */
const GESTURES = {
  brush: {
    act(box) {
      box.press([3.5, 11.5]);
      box.move([9, 12]);
      box.release([9, 12]);
    },
    expected: () => corrected(segmentRuns(W, H, 3.5, 11.5, 9, 12, 2), ADDED),
  },
  eraser: {
    act(box) {
      box.press([3, 3]);
      box.move([3, 8]);
      box.move([8, 8]);
      box.release([8, 8]);
    },
    expected: () => corrected([
      ...segmentRuns(W, H, 3, 3, 3, 8, 2), ...segmentRuns(W, H, 3, 8, 8, 8, 2),
    ], REMOVED),
  },
  add: {
    act(box) {
      box.click([10, 1], [18, 1], [18, 6]);
      box.box.close();
    },
    expected: () => corrected(polygonRuns(W, H, [[10, 1], [18, 1], [18, 6]]), ADDED),
  },
  cut: {
    act(box) {
      box.click([0, 0], [6, 0], [6, 6], [0, 6]);
      box.box.close();
    },
    expected: () => inPlace(new Uint8Array(W * H), [0, 0, 6, 6]).map((c) => c * REMOVED),
  },
  fill: {
    act: (box) => box.click([5.5, 5.5]),
    expected: () => inPlace(new Uint8Array(W * H), [4, 4, 7, 7]).map((c) => c * ADDED),
  },
  spot: {
    act: (box) => box.click([13.2, 13.9]),
    expected: () => corrected([[12, 12, 13], [13, 13, 14]], REMOVED),
  },
};
const fresh = (tool) => {
  const scene = sceneOf(drawing(), drawing()), made = boxOf(scene, tool);
  made.box.radius = 2;
  return { scene, ...made };
};

test("every tool says what it is, and has a key and an id of its own", () => {
  for (const tool of TOOLS) {
    for (const name of ["id", "key", "title", "hint", "icon", "cursor", "help", "kind"]) {
      assert.ok(tool[name], `${tool.id}: ${name}`);
    }
    assert.ok(tool.hint.includes(`(${tool.key.toUpperCase()}`), `${tool.id} names its key`);
    assert.ok(tool.pans || tool.press || tool.tap, `${tool.id} does something`);
    assert.ok(tool.pans || GESTURES[tool.id], `${tool.id} is tested`);
  }
  for (const name of ["id", "key"]) {
    assert.equal(new Set(TOOLS.map((tool) => tool[name])).size, TOOLS.length);
  }
});

for (const [tool, { act, expected }] of Object.entries(GESTURES)) {
  test(`${tool} draws to the pixel, on its class alone, and is undone in one step`, () => {
    const made = fresh(tool), { scene } = made, before = scene.mask.slice();
    act(made);
    assert.deepEqual(scene.corrections, expected());
    assert.ok(scene.corrections.some(Boolean));
    scene.mask.forEach((v, i) => {
      const c = scene.corrections[i];
      assert.equal(v, c === ADDED ? 1 : c === REMOVED ? 0 : before[i]);
    });
    assert.ok(!scene.layers[1].corrections.some(Boolean));
    assert.deepEqual(scene.layers[1].mask, before);
    assert.equal(made.said("edited").length, 1);
    assert.equal(made.said("say").length, 0);
    assert.equal(scene.history.past.length, 1);
    scene.undo();
    assert.deepEqual(scene.mask, before);
    assert.ok(!scene.corrections.some(Boolean));
    scene.redo();
    assert.deepEqual(scene.corrections, expected());
  });

  test(`${tool} tells where pixels changed before it tells that a step is done`, () => {
    const made = fresh(tool);
    act(made);
    const [edited] = made.said("edited");
    for (const { x, y, w, h } of made.said("painted")) {
      assert.ok(x >= edited.x && y >= edited.y);
      assert.ok(x + w <= edited.x + edited.w && y + h <= edited.y + edited.h);
    }
    const names = made.heard.map(([name]) => name);
    assert.ok(names.indexOf("drawing") < names.indexOf("painted"));
    assert.ok(names.lastIndexOf("painted") < names.indexOf("edited"));
  });

  test(`${tool}: a second finger makes it a pinch, and nothing is drawn`, () => {
    const { scene, press, move, release, said, heard } = fresh(tool);
    press([5.5, 5.5], 1);
    move([6, 6], 1);
    press([12, 12], 2);
    move([14, 14], 2);
    release([14, 14], 2);
    move([6.5, 6.5], 1);
    release([6.5, 6.5], 1);
    assert.ok(!scene.corrections.some(Boolean));
    assert.equal(scene.history.past.length, 0);
    assert.equal(said("edited").length, 0);
    assert.ok(heard.some(([name]) => name === "zoom"));
  });

  test(`${tool}: Escape drops what is under way`, () => {
    const { scene, box, press, move, release, said } = fresh(tool);
    press([3, 3]);
    move([6, 6]);
    box.cancel();
    move([9, 9]);
    release([9, 9]);
    box.close();
    assert.ok(!scene.corrections.some(Boolean));
    assert.equal(said("edited").length, 0);
  });

  test(`${tool}: a pointer that is lost clicks nothing`, () => {
    const { scene, box, press, lose } = fresh(tool);
    press([5.5, 5.5]);
    lose([5.5, 5.5]);
    box.close();
    assert.equal(scene.history.past.length, box.tool.press ? 1 : 0); // a stroke is kept
  });

  test(`${tool}: other buttons and the space bar move the picture`, () => {
    for (const [button, space] of [[1, false], [2, false], [0, true]]) {
      const { scene, box, press, move, release, heard } = fresh(tool);
      box.hold(space);
      press([5, 5], 1, button);
      move([7, 6]);
      release([7, 6]);
      assert.deepEqual(heard.find(([name]) => name === "pan"), ["pan", 20, 10]);
      assert.ok(!scene.corrections.some(Boolean));
    }
  });
}

test("hand moves the picture and draws nothing", () => {
  const { scene, press, move, release, heard, said } = fresh("hand");
  press([5, 5]);
  move([8, 9]);
  release([8, 9]);
  move([9, 9]);
  assert.deepEqual(heard.filter(([name]) => name === "pan"), [["pan", 30, 40]]);
  assert.equal(scene.history.past.length, 0);
  assert.equal(said("drawing").length, 0);
});

test("an unknown tool does nothing: the tool in hand stays, and no spot is deleted", () => {
  const { scene, box, heard } = fresh("brush");
  box.pick("no such tool");
  assert.equal(box.tool.id, "brush");
  assert.deepEqual(heard, []);
  const bare = fresh("spot");
  bare.box.tool = { id: "bare", key: "z", title: "", hint: "", icon: "", cursor: "", help: "", kind: "" };
  bare.click([13.2, 13.9]);
  bare.box.close();
  bare.box.shorten();
  assert.ok(!bare.scene.corrections.some(Boolean));
  assert.equal(scene.history.past.length + bare.scene.history.past.length, 0);
});

test("fill and delete say where there is nothing, and nothing at all beside the picture", () => {
  const open = fresh("fill");
  open.click([15, 3]);
  assert.deepEqual(open.said("say"), [{ text: "There is no closed hole here." }]);
  const empty = fresh("spot");
  empty.click([15, 3]);
  assert.deepEqual(empty.said("say"), [{ text: "There is no spot here." }]);
  for (const tool of ["fill", "spot"]) {
    const made = fresh(tool);
    made.click([-0.5, 3], [3, H], [W + 2, 1]);
    assert.equal(made.said("say").length, 0);
    assert.equal(made.scene.history.past.length, 0);
  }
});

test("a polygon is shortened corner by corner, and closes with three", () => {
  const { scene, box, click, said } = fresh("add");
  assert.equal(box.shorten(), false);
  assert.equal(box.close(), false); // Enter accepts then
  click([1, 10], [5, 10], [5, 14], [19, 1]);
  assert.equal(box.shorten(), true);
  assert.equal(box.close(), true);
  assert.deepEqual(scene.corrections, corrected(polygonRuns(W, H, [[1, 10], [5, 10], [5, 14]]), ADDED));
  click([1, 1], [2, 2]);
  assert.equal(box.close(), true); // two corners hold nothing
  assert.equal(said("edited").length, 1);
  click([1, 1]);
  assert.equal(box.shorten(), true);
  assert.equal(box.shorten(), false);
});

test("another tool drops a polygon that is open", () => {
  const { scene, box, click } = fresh("add");
  click([1, 10], [5, 10], [5, 14]);
  box.pick("cut");
  assert.equal(box.close(), false);
  assert.ok(!scene.corrections.some(Boolean));
});

test("a polygon stays open while the picture is zoomed by two fingers", () => {
  const { scene, box, click, press, release } = fresh("add");
  click([1, 10], [5, 10]);
  press([9, 9], 1);
  press([12, 12], 2);
  release([12, 12], 2);
  release([9, 9], 1);
  click([5, 14]);
  box.close();
  assert.deepEqual(scene.corrections, corrected(polygonRuns(W, H, [[1, 10], [5, 10], [5, 14]]), ADDED));
});

test("what tools show over the picture", () => {
  const { box, move, press, release, said, click } = fresh("brush");
  const shown = () => said("overlay").at(-1);
  move([4, 5]);
  assert.deepEqual(shown(), [{ kind: "ring", x: 4, y: 5, radius: 2, colour: "#56B4E9" }]);
  box.size(3);
  assert.equal(shown()[0].radius, 3);
  press([4, 5], 1, 2);
  move([5, 5]);
  assert.deepEqual(shown(), []); // not while the picture is moved
  release([5, 5]);
  box.hovers(null);
  assert.deepEqual(shown(), []);
  box.pick("eraser");
  move([1, 1]);
  assert.equal(shown()[0].colour, "#CC79A7");
  box.pick("cut");
  click([1, 1], [2, 3]);
  move([7, 7]);
  const corners = [[1, 1], [2, 3]];
  assert.deepEqual(shown(), [
    { kind: "polygon", points: [...corners, [7, 7]], corners, colour: "#CC79A7" },
  ]);
  box.hovers(null);
  assert.deepEqual(shown()[0].points, corners);
  box.cancel();
  assert.deepEqual(shown(), []);
});

test("the size of the brush has limits", () => {
  const { box, said } = fresh("brush");
  box.size(0.1);
  box.size(9999);
  assert.deepEqual(said("size"), [0.5, 500]);
});

test("the cursor is the tool's, and a hand while the space bar is held", () => {
  const { box, said } = fresh("brush");
  box.hold(true);
  box.hold(false);
  box.pick("hand");
  assert.deepEqual(said("cursor"), ["grab", "none", "grab"]);
});

test("a stroke belongs to the picture that it was begun on", () => {
  const { scene, events, press, move, release, said } = fresh("brush");
  press([5, 12]);
  move([9, 12]);
  events.emit("leaving", null);
  const other = sceneOf(drawing());
  events.emit("opened", { scene: other });
  move([15, 12]);
  release([15, 12]);
  assert.deepEqual(scene.corrections, corrected(segmentRuns(W, H, 5, 12, 9, 12, 2), ADDED));
  assert.equal(said("edited").length, 1);
  assert.ok(!other.corrections.some(Boolean));
});

test("without a picture nothing can be drawn", () => {
  const made = boxOf(null, "brush");
  made.press([5, 5]);
  made.move([6, 6]);
  made.release([6, 6]);
  made.box.cancel();
  assert.equal(made.box.close(), false);
  assert.deepEqual(made.said("painted"), []);
});

test("all points that a pen gave between two frames are drawn", () => {
  const { scene, box, press, release } = fresh("brush");
  press([3, 12]);
  const at = (x, y) => ({ type: "pointermove", pointerId: 1, clientX: 10 * x, clientY: 10 * y });
  box.move({ ...at(9, 12), getCoalescedEvents: () => [at(6, 14), at(9, 12)] });
  release([9, 12]);
  assert.deepEqual(scene.corrections, corrected([
    ...segmentRuns(W, H, 3, 12, 6, 14, 2), ...segmentRuns(W, H, 6, 14, 9, 12, 2),
  ], ADDED));
  assert.ok(lines(scene.mask, W)[13].includes("#"));
});
