// Dropped folders are walked to the last file.
import assert from "node:assert/strict";
import test from "node:test";
import { walk } from "../../lrpseg/ui/static/drop.js";

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

test("a file that cannot be read is told", async () => {
  const broken = { isFile: true, file: (_, fail) => fail(new Error("gone")) };
  await assert.rejects(walk([broken]), /gone/);
});
