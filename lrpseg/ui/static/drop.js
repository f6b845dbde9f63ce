// @ts-check
// Files and folders that are dropped anywhere on the page go where the upload box takes them.
import { reasonOf } from "./client.js";

/**
 * All files below file system entries; folders are walked.
 * @param {any[]} entries  `FileSystemEntry` of either kind
 * @returns {Promise<File[]>}
 */
export async function walk(entries) {
  /** @type {File[]} */
  const found = [];
  for (const entry of entries) {
    if (entry.isFile) {
      found.push(await new Promise((done, fail) => entry.file(done, fail)));
    } else if (entry.isDirectory) {
      const reader = entry.createReader();
      /** @returns {Promise<any[]>} */
      const read = () => new Promise((done, fail) => reader.readEntries(done, fail));
      for (let part = await read(); part.length; part = await read()) { // comes in parts
        found.push(...(await walk(part)));
      }
    }
  }
  return found;
}

/** @param {DragEvent} event */
const carriesFiles = (event) => Boolean(event.dataTransfer?.types.includes("Files"));

/**
 * Take over what is dropped on the page.
 * @param {() => HTMLInputElement | null} input  the upload's file input, null while it is busy
 * @param {(text: string) => void} say
 */
export function takeDrops(input, say) {
  document.addEventListener("dragover", (event) => {
    if (carriesFiles(event)) event.preventDefault(); // else the browser opens the file instead
  });
  document.addEventListener("drop", async (event) => {
    const { dataTransfer } = event;
    // A box of its own took what is prevented already.
    if (!dataTransfer || !carriesFiles(event) || event.defaultPrevented) return;
    event.preventDefault();
    const entries = [...dataTransfer.items].map((i) => i.webkitGetAsEntry()).filter(Boolean);
    const files = [...dataTransfer.files]; // of a program that knows no entries
    const target = input();
    if (!target) return say("One upload at a time: wait for the first, then drop these again.");
    try {
      const all = new DataTransfer();
      for (const file of entries.length ? await walk(entries) : files) all.items.add(file);
      target.files = all.files;
      target.dispatchEvent(new Event("change", { bubbles: true }));
    } catch (error) {
      say(`These files cannot be read: ${reasonOf(error)}`);
    }
    return undefined;
  });
}
