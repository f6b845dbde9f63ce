// Saving over a bad connection: nothing is lost, and the order stays.
import assert from "node:assert/strict";
import test from "node:test";
import zlib from "node:zlib";
import { Store } from "../../lrpseg/ui/static/store.js";
import { put } from "../../lrpseg/ui/static/rects.js";

const W = 8, H = 6;

function memoryShelf() {
  const kept = new Map();
  return {
    kept,
    put: async (k, v) => void kept.set(k, v),
    take: async (k) => kept.get(k),
    drop: async (k) => void kept.delete(k),
    keys: async () => [...kept.keys()],
  };
}

/** A server that keeps corrections by item and may fail; `fails` is asked before each request. */
function server(fails = () => null) {
  const items = new Map(), settings = [], log = [];
  const fetch = async (url, options) => {
    await new Promise((done) => setImmediate(done));
    const failure = fails(log.length);
    log.push(url);
    if (failure === "network") throw new TypeError("no connection");
    const { pathname, searchParams } = new URL(url, "http://x");
    const id = pathname.split("/")[3];
    if (failure) return { ok: false, status: failure, json: async () => ({ error: `no ${failure}` }) };
    if (pathname.endsWith("/corrections")) {
      const of = searchParams.get("class");
      const key = of ? `${id} ${of}` : id;
      const [x, y, w, h] = ["x", "y", "w", "h"].map((k) => Number(searchParams.get(k)));
      const packed = options.headers["Content-Encoding"] === "gzip";
      const body = packed ? zlib.gunzipSync(options.body) : options.body;
      if (!items.has(key)) items.set(key, new Uint8Array(W * H));
      put(items.get(key), W, { x, y, w, h }, Uint8Array.from(body));
    } else {
      const of = searchParams.get("class");
      settings.push([id, JSON.parse(options.body), ...(of ? [of] : [])]);
    }
    return { ok: true, json: async () => ({ revision: 1 }) };
  };
  return { items, settings, log, fetch };
}

function make(fails) {
  const shelf = memoryShelf(), made = server(fails), states = [];
  const store = new Store({
    base: "/lrpseg", shelf, fetch: made.fetch, wait: async () => {}, onState: (s) => states.push(s),
  });
  store.token = "t";
  return { store, shelf, states, ...made };
}

async function scribble(store, count) {
  const drawn = { a: new Uint8Array(W * H), b: new Uint8Array(W * H) };
  for (let i = 0; i < count; i++) {
    const id = i % 3 ? "a" : "b", rect = { x: i % W, y: (i * 5) % H, w: 1, h: 1 };
    drawn[id][rect.y * W + rect.x] = 1 + (i % 2);
    store.saveCorrections(id, drawn[id], W, rect, 0.5);
    if (i % 4 === 0) store.saveSettings(id, { level: i, seconds: 1 });
    if (i % 5 === 0) await new Promise((done) => setImmediate(done));
  }
  await store.flush();
  await store.flush();
  return drawn;
}

test("all strokes arrive", async () => {
  const { store, items, shelf, states } = make();
  const drawn = await scribble(store, 60);
  assert.deepEqual(items.get("a"), drawn.a);
  assert.deepEqual(items.get("b"), drawn.b);
  assert.equal(shelf.kept.size, 0);
  assert.equal(states.at(-1), "saved");
});

test("all strokes arrive over a connection that fails half of the time", async () => {
  const { store, items, shelf, settings, states } = make((n) => [null, "network", null, 503][n % 4]);
  const drawn = await scribble(store, 60);
  assert.deepEqual(items.get("a"), drawn.a);
  assert.deepEqual(items.get("b"), drawn.b);
  assert.equal(shelf.kept.size, 0);
  assert.ok(states.includes("offline"));
  assert.equal(settings.filter(([id]) => id === "a").at(-1)[1].level, 56);
});

test("seconds add up, other settings are the latest", async () => {
  const { store, settings } = make();
  store.saveSettings("a", { level: 1, seconds: 2 });
  store.saveSettings("a", { level: 7, seconds: 3 });
  await store.flush();
  const seconds = settings.reduce((sum, [, s]) => sum + (s.seconds || 0), 0);
  assert.equal(seconds, 5);
  assert.equal(settings.at(-1)[1].level, 7);
});

test("what was not confirmed before a reload is sent after it", async () => {
  const { store, shelf } = make(() => "network");
  const drawn = new Uint8Array(W * H);
  drawn[9] = 1;
  let stop = false;
  store.wait = () => new Promise((done) => (stop ? null : setImmediate(done)));
  store.saveCorrections("a", drawn, W, { x: 1, y: 1, w: 1, h: 1 });
  for (let i = 0; i < 5; i++) await new Promise((done) => setImmediate(done));
  stop = true; // the page is gone
  assert.equal(shelf.kept.size, 1);
  const fresh = server();
  const again = new Store({ base: "/lrpseg", shelf, fetch: fresh.fetch, wait: async () => {} });
  again.token = "another";
  await again.resume();
  assert.equal(fresh.items.size, 0, "another workspace's changes are none of ours");
  again.token = "t";
  await again.resume();
  await again.flush();
  assert.deepEqual(fresh.items.get("a"), drawn);
  assert.equal(shelf.kept.size, 0);
});

test("changes of before the workspace had another token go on under the new one", async () => {
  const shelf = memoryShelf(), { items, fetch } = server();
  const older = new Uint8Array(W * H).fill(1), newer = new Uint8Array(W * H).fill(2);
  const rect = { x: 0, y: 0, w: W, h: H };
  await shelf.put("former a pixels", [{ rect, values: older }]);
  await shelf.put("former elsewhere pixels", [{ rect, values: older }]);
  await shelf.put("t a pixels", [{ rect: { x: 0, y: 0, w: 1, h: 1 }, values: newer.slice(0, 1) }]);
  const listing = async (url, options) =>
    url === "/lrpseg/items" ? { ok: true, json: async () => ({ items: [{ id: "a" }] }) }
      : fetch(url, options);
  const store = new Store({ base: "/lrpseg", shelf, fetch: listing, wait: async () => {} });
  store.token = "t";
  await store.resume();
  await store.flush();
  older[0] = 2; // what was drawn later lies above it
  assert.deepEqual(items.get("a"), older);
  assert.deepEqual([...items.keys()], ["a"]);
  assert.deepEqual([...shelf.kept.keys()], ["former elsewhere pixels"]);
});

for (const status of [401, 403, 408, 413, 429, 502]) {
  test(`a stroke waits while a login or a proxy says ${status}`, async () => {
    const { store, items, states } = make((n) => (n < 2 ? status : null));
    const drawn = new Uint8Array(W * H).fill(1);
    store.saveCorrections("a", drawn, W, { x: 0, y: 0, w: W, h: H });
    await store.flush();
    assert.deepEqual(items.get("a"), drawn);
    assert.ok(states.includes("offline"));
    assert.ok(!states.includes("refused"));
  });
}

test("a refusal is said, and does not stop what follows", async () => {
  const { store, states, items } = make((n) => (n === 0 ? 400 : null));
  const drawn = new Uint8Array(W * H).fill(1);
  store.saveCorrections("a", drawn, W, { x: 0, y: 0, w: 1, h: 1 });
  store.saveCorrections("b", drawn, W, { x: 0, y: 0, w: W, h: H });
  await store.flush();
  assert.ok(states.includes("refused"));
  assert.deepEqual(items.get("b"), drawn);
});

test("a stroke for which the server's disk has no room waits, with the server's sentence", async () => {
  const said = [];
  const { store, items } = make((n) => (n < 2 ? 507 : null));
  store.onState = (state, waiting, message) => said.push([state, waiting, message]);
  const drawn = new Uint8Array(W * H).fill(1);
  store.saveCorrections("a", drawn, W, { x: 0, y: 0, w: W, h: H });
  await store.flush();
  assert.deepEqual(items.get("a"), drawn);
  assert.deepEqual(said.find(([state]) => state === "offline"), ["offline", 1, "no 507"]);
});

test("a lost connection is told in plain words", async () => {
  const { store } = make(() => "network");
  await assert.rejects(store.json("/items"), /^Error: Not connected: try again in a moment\.$/);
});

test("the token goes along, and errors carry the server's sentence", async () => {
  const { store, fetch } = make(() => 404);
  let headers;
  store.fetch = (url, options) => {
    headers = options.headers;
    return fetch(url, options);
  };
  await assert.rejects(store.json("/items"), /no 404/);
  assert.equal(headers["X-Lrpseg-Workspace"], "t");
});

const turns = async (n = 20) => {
  for (let i = 0; i < n; i++) await new Promise((done) => setImmediate(done));
};

/** A store on a connection that can be cut, held and mended. */
function switched() {
  const line = { state: "ok", held: [] }, made = server(), shelf = memoryShelf(), states = [];
  const fetch = async (url, options) => {
    if (line.state === "held") await new Promise((done) => line.held.push(done));
    if (line.state === "down") throw new TypeError("no connection");
    return made.fetch(url, options);
  };
  const wait = () => new Promise((done) => (line.gone ? null : setImmediate(done)));
  const store = new Store({ base: "/lrpseg", shelf, fetch, wait, onState: (...s) => states.push(s) });
  store.token = "t";
  line.release = (state) => {
    line.state = state;
    for (const done of line.held.splice(0)) done();
  };
  return { line, shelf, store, states, ...made };
}

async function reload({ shelf }) {
  const fresh = server();
  const store = new Store({ base: "/lrpseg", shelf, fetch: fresh.fetch, wait: async () => {} });
  store.token = "t";
  await store.resume();
  await store.flush();
  return fresh;
}

test("a stroke drawn while an earlier one is under way: both survive a reload", async () => {
  const page = switched(), drawn = new Uint8Array(W * H);
  page.line.state = "held";
  drawn[0] = 1;
  page.store.saveCorrections("a", drawn, W, { x: 0, y: 0, w: 1, h: 1 });
  await turns();
  drawn[W * H - 1] = 2;
  page.store.saveCorrections("a", drawn, W, { x: W - 1, y: H - 1, w: 1, h: 1 });
  await turns();
  page.line.gone = true;
  const { items } = await reload(page);
  assert.deepEqual(items.get("a"), drawn);
});

test("a picture reopened while its stroke waits keeps the stroke", async () => {
  const page = switched(), first = new Uint8Array(W * H);
  page.line.state = "held";
  first[0] = 1;
  page.store.saveCorrections("a", first, W, { x: 0, y: 0, w: 1, h: 1 });
  await turns();
  const fetched = new Uint8Array(W * H); // the server has not seen the stroke yet
  page.store.overlay("a", fetched, W);
  assert.equal(fetched[0], 1);
  const bare = new Uint8Array(W * H); // and without the overlay nothing is overwritten either
  bare[9] = 1;
  page.store.saveCorrections("a", bare, W, { x: 1, y: 1, w: 1, h: 1 });
  page.line.release("down");
  await turns(6);
  page.line.state = "ok";
  await page.store.flush();
  assert.equal(page.items.get("a")[0], 1);
  assert.equal(page.items.get("a")[9], 1);
});

test("settings that wait survive a reload, and are newer than the server's", async () => {
  const page = switched();
  page.line.state = "down";
  page.store.saveSettings("a", { level: 7, analysis: "x" });
  page.store.saveSettings("b", { status: "accepted", seconds: 3 });
  await turns();
  assert.deepEqual(page.store.unsavedSettings("a"), { level: 7, analysis: "x" });
  page.line.gone = true;
  await turns();
  const { settings } = await reload(page);
  assert.deepEqual(new Map(settings), new Map([
    ["a", { level: 7, analysis: "x" }], ["b", { status: "accepted", seconds: 3 }],
  ]));
  assert.equal(page.shelf.kept.size, 0);
});

test("a refusal is the last word of its queue; the next save may succeed", async () => {
  const { store, states } = make((n) => (n === 0 ? 400 : null));
  store.saveCorrections("a", new Uint8Array(W * H), W, { x: 0, y: 0, w: 1, h: 1 });
  await store.flush();
  assert.equal(states.at(-1), "refused");
  store.saveSettings("a", { min_area: 3 });
  await store.flush();
  assert.equal(states.at(-1), "saved");
});

test("an outdated level does not take cleaning and seconds with it", async () => {
  const { store, settings } = make((n) => (n < 2 ? 409 : null));
  store.saveSettings("a", { level: 3, analysis: "old", min_area: 9, status: "accepted", seconds: 4 });
  await store.flush();
  assert.deepEqual(settings, [["a", { min_area: 9, seconds: 4 }]]);
});

test("a mask that was changed elsewhere is not accepted; the rest is saved", async () => {
  const { store, settings, states } = make((n) => (n === 0 ? 409 : null));
  store.saveSettings("a", { level: 3, analysis: "m", status: "accepted", shown: { revision: 4 } });
  await store.flush();
  assert.deepEqual(settings, [["a", { level: 3, analysis: "m" }]]);
  assert.equal(states.at(-1), "refused");
});

test("what the page shows follows its own changes, and no others", () => {
  const { store } = make();
  store.revisions.set("a", 4);
  store.job("a").settings = { status: "accepted", shown: { revision: 4 } };
  store.confirmed("a", { revision: 6, writes: 2 });
  assert.equal(store.revisions.get("a"), 6);
  assert.equal(store.unsavedSettings("a").shown.revision, 6);
  store.confirmed("a", { revision: 8, writes: 1 }); // another tab drew in between
  assert.equal(store.revisions.get("a"), 6);
  assert.equal(store.unsavedSettings("a").shown.revision, 6);
});

test("a kept change that the server refuses bars nothing", async () => {
  const { store, shelf, items } = make((n) => (n === 0 ? 400 : null));
  shelf.kept.set("t a pixels", [{ rect: { x: 0, y: 0, w: 1, h: 1 }, values: new Uint8Array([1]) }]);
  await store.resume();
  await store.flush();
  assert.equal(shelf.kept.size, 0);
  store.saveCorrections("a", new Uint8Array(W * H).fill(2), W, { x: 0, y: 0, w: 1, h: 1 });
  await store.flush();
  assert.equal(items.get("a")[0], 2);
});

test("hurry ends a pause", async () => {
  let down = true;
  const { store, items } = make(() => (down ? "network" : null));
  store.wait = () => new Promise(() => {}); // as good as for ever
  store.saveCorrections("a", new Uint8Array(W * H).fill(1), W, { x: 0, y: 0, w: 1, h: 1 });
  await turns();
  down = false;
  store.hurry();
  await store.flush();
  assert.equal(items.get("a")[0], 1);
});

test("strokes of two classes go to their own, also after a reload, and overlay their own alone", async () => {
  const { store, shelf } = make(() => "network");
  store.wait = () => new Promise(() => {});
  const crack = new Uint8Array(W * H), hole = new Uint8Array(W * H), rect = { x: 0, y: 0, w: 1, h: 1 };
  crack[0] = 1;
  hole[0] = 2;
  store.saveCorrections("a", crack, W, rect, 0, "crack");
  store.saveCorrections("a", hole, W, rect, 0, "blow hole");
  await new Promise((done) => setTimeout(done, 20));
  assert.equal(store.overlay("a", new Uint8Array(W * H), W, "crack")[0], 1);
  assert.equal(store.overlay("a", new Uint8Array(W * H), W, "blow hole")[0], 2);
  assert.equal(store.overlay("a", new Uint8Array(W * H), W)[0], 0);
  const later = make();
  later.store.shelf = shelf;
  await later.store.resume();
  await later.store.flush();
  assert.deepEqual([...later.items.keys()].sort(), ["a blow hole", "a crack"]);
  assert.equal(later.items.get("a crack")[0], 1);
  assert.equal(later.items.get("a blow hole")[0], 2);
  assert.equal(shelf.kept.size, 0);
});

test("settings of a class are sent as its own, those of the picture after them", async () => {
  const { store, settings } = make();
  store.saveSettings("a", { level: 3, analysis: "x" }, "crack");
  store.saveSettings("a", { min_area: 5 }, "hole");
  store.saveSettings("a", { level: 4, analysis: "x" }, "crack");
  store.saveSettings("a", { status: "accepted", seconds: 1 });
  store.saveSettings("a", { seconds: 2 });
  await store.flush();
  assert.deepEqual(settings.at(-1), ["a", { status: "accepted", seconds: 3 }]);
  const last = (of) => settings.filter((sent) => sent[2] === of).at(-1)[1];
  assert.deepEqual(last("crack"), { level: 4, analysis: "x" });
  assert.deepEqual(last("hole"), { min_area: 5 });
});
