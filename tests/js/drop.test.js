// Dropped folders are walked to the last file.
import assert from "node:assert/strict";
import test from "node:test";
import { under, walk } from "../../lrpseg/ui/static/drop.js";

const file = (name) => ({ isFile: true, file: (done) => done(name) });
/** A folder whose reader gives its entries two at a time, as browsers give a hundred. */
const folder = (...entries) => ({
  isDirectory: true,
  createReader: () => {
    const left = [...entries];
    return { readEntries: (done) => done(left.splice(0, 2)) };
  },
});

test("files in folders in folders are found, in order", async () => {
  const found = await walk([file("a"), folder(file("b"), folder(file("c")), file("d"), folder()), file("e")]);
  assert.deepEqual(found, ["a", "b", "c", "d", "e"]);
});

test("a file keeps the folders that it lies in, and no more", () => {
  const plain = new File(["x"], "1.png", { type: "image/png" });
  for (const path of [undefined, "", "1.png", "/1.png"]) assert.equal(under(plain, path), plain);
  for (const path of ["east/1.png", "/east/1.png"]) {
    const named = under(plain, path);
    assert.equal(named.name, "east/1.png");
    assert.equal(named.type, "image/png");
    assert.equal(named.size, 1);
  }
});

test("walked files are under their paths", async () => {
  const entry = (path) => ({
    isFile: true, fullPath: path, file: (done) => done(new File(["x"], path.split("/").pop())),
  });
  const found = await walk([folder(entry("/east/1.png")), folder(entry("/west/1.png")), entry("/2.png")]);
  assert.deepEqual(found.map((f) => f.name), ["east/1.png", "west/1.png", "2.png"]);
});

test("a file that cannot be read is told", async () => {
  const broken = { isFile: true, file: (_, fail) => fail(new Error("gone")) };
  await assert.rejects(walk([broken]), /gone/);
});
