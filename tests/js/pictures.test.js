// Which picture is open: what a person asked for last, not what the server tells late.
import assert from "node:assert/strict";
import test from "node:test";
import { Emitter } from "../../lrpseg/ui/static/events.js";
import { Pictures } from "../../lrpseg/ui/static/pictures.js";

/** A list of three pictures, which grows when `items` does, and the ids of those that were opened, in their order. */
function make() {
  const shown = [], items = ["a", "b", "c"].map((id) => ({ id, name: id, status: "todo" }));
  const store = {
    token: "", resume: async () => {}, json: async () => ({ serial: "1", items: [...items] }),
    unconfirmed: () => [],
  };
  const pictures = new Pictures({ events: new Emitter(), store, clock: {}, selected: () => {} });
  pictures.fetch = async (id) => {
    shown.push(id);
    pictures.open = { id, item: items.find((item) => item.id === id) };
  };
  const tell = (more) => pictures.told({ token: "t", ...more });
  return { pictures, shown, items, tell };
}

test("what is added opens when it is there", async () => {
  const { pictures, shown, tell } = make();
  await tell({});
  await pictures.select("b");
  pictures.adds();
  await tell({ select: "c" });
  assert.deepEqual(shown, ["a", "b", "c"]);
});

test("the first of many that are added opens before the others are there", async () => {
  const { pictures, shown, items, tell } = make();
  await tell({});
  pictures.adds();
  for (const id of ["d", "e"]) {
    items.push({ id, name: id, status: "waiting" });
    await pictures.refresh("1");
    await pictures.selecting;
  }
  assert.deepEqual(shown, ["a", "d"]);
  await tell({ select: "d" });
  items.push({ id: "f", name: "f", status: "waiting" }); // by somebody else
  await pictures.refresh("1");
  await pictures.selecting;
  assert.deepEqual(shown, ["a", "d", "d"]);
});

test("a picture that was asked for since pictures were added stays", async () => {
  for (const ask of [(p) => p.select("b"), (p) => p.go(1)]) {
    const { pictures, shown, tell } = make();
    await tell({});
    pictures.adds();
    ask(pictures);
    await tell({ select: "c" });
    assert.deepEqual(shown, ["a", "b"]);
  }
});

test("nor is one taken away that is asked for while the list is fetched", async () => {
  const { pictures, shown, tell } = make();
  await tell({});
  pictures.adds();
  const told = tell({ select: "c" });
  pictures.select("b");
  await told;
  await pictures.selecting;
  assert.deepEqual(shown, ["a", "b"]);
});

test("news of a picture that was left do not bring it back", async () => {
  const { pictures, shown, tell } = make();
  await tell({});
  await tell({ again: "a" });
  assert.deepEqual(shown, ["a", "a"]);
  pictures.select("b");
  await tell({ again: "a" });
  assert.deepEqual(shown, ["a", "a", "b"]);
});

test("while a picture is on its way, the first one of the list does not take its place", async () => {
  const { pictures, shown, tell } = make();
  pictures.select("b");
  await tell({});
  assert.deepEqual(shown, ["b"]);
});

test("the page is told of what is shown, not of what was left before it was there", async () => {
  const { pictures, items, tell } = make(), told = [];
  await tell({});
  delete pictures.fetch; // the real one, but for what it draws
  Object.assign(pictures, {
    spend: () => {}, selected: (id) => told.push(id),
    load: async ({ id }) => {
      if (id === "b") pictures.select("a"); // while the maps of b come
      if (pictures.wanted === id) pictures.open = { id, item: items.find((i) => i.id === id) };
    },
  });
  pictures.store.json = async (path) => items.find((i) => path === `/items/${i.id}`);
  await pictures.select("b");
  await pictures.selecting;
  assert.deepEqual(told, []);
  await pictures.select("c");
  assert.deepEqual(told, ["c"]);
});
