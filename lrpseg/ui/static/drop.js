// @ts-check
// Files and folders that are dropped anywhere on the page go where the upload box takes them, and
// files of folders keep these in their names.
import { reasonOf } from "./client.js";

/**
 * A file under its path inside of a folder: two pictures of the same name in two folders are told
 * apart by it, here and in exports.
 * @param {File} file
 * @param {string | undefined} path  with slashes, one in front or none
 */
export function under(file, path) {
  const name = (path || "").replace(/^\/+/, "");
  return name.includes("/") ? new File([file], name, { type: file.type }) : file;
}

/**
 * All files below file system entries, under their paths; folders are walked.
 * @param {any[]} entries  `FileSystemEntry` of either kind
 * @returns {Promise<File[]>}
 */
export async function walk(entries) {
  /** @type {File[]} */
  const found = [];
  for (const entry of entries) {
    if (entry.isFile) {
      const file = await new Promise((done, fail) => entry.file(done, fail));
      found.push(under(file, entry.fullPath));
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

/** @param {File[]} files */
function listOf(files) {
  const all = new DataTransfer();
  for (const file of files) all.items.add(file);
  return all.files;
}

/**
 * Let the files of a folder that is chosen in an input for folders keep their paths. Before whoever
 * uploads them looks at them: in the capturing phase.
 */
export function keepFolders() {
  document.addEventListener("change", ({ target }) => {
    if (!(target instanceof HTMLInputElement) || !target.webkitdirectory || !target.files) return;
    target.files = listOf([...target.files].map((file) => under(file, file.webkitRelativePath)));
  }, { capture: true });
}

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
      target.files = listOf(entries.length ? await walk(entries) : files);
      target.dispatchEvent(new Event("change", { bubbles: true }));
    } catch (error) {
      say(`These files cannot be read: ${reasonOf(error)}`);
    }
    return undefined;
  });
}

/**
 * Tell when somebody gives the page files, or takes one of its samples.
 * @param {() => void} tell
 */
export function listenToAdding(tell) {
  document.addEventListener("drop", tell, { capture: true });
  document.addEventListener("change", ({ target }) => {
    if (target instanceof HTMLInputElement && target.type === "file") tell();
  }, { capture: true });
  document.addEventListener("click", ({ target }) => {
    if (target instanceof Element && target.closest("#samples")) tell();
  }, { capture: true });
}
