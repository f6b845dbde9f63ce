// Files and folders that are dropped anywhere on the page go where the upload box takes them.
const lrpsegDrop = (() => {
  /** All files below file system entries; folders are walked. */
  async function walk(entries) {
    const found = [];
    for (const entry of entries) {
      if (entry.isFile) {
        found.push(await new Promise((done, fail) => entry.file(done, fail)));
      } else if (entry.isDirectory) {
        const reader = entry.createReader();
        const read = () => new Promise((done, fail) => reader.readEntries(done, fail));
        for (let part = await read(); part.length; part = await read()) { // comes in parts
          found.push(...(await walk(part)));
        }
      }
    }
    return found;
  }

  const carriesFiles = (event) => [...(event.dataTransfer ? event.dataTransfer.types : [])].includes("Files");

  /** `input()` gives the upload's file input, or null while it is busy; `say` shows a sentence. */
  function wire(input, say) {
    document.addEventListener("dragover", (event) => {
      if (carriesFiles(event)) event.preventDefault(); // else the browser opens the file instead
    });
    document.addEventListener("drop", async (event) => {
      if (!carriesFiles(event) || event.defaultPrevented) return; // a box of its own took it
      event.preventDefault();
      const entries = [...event.dataTransfer.items].map((i) => i.webkitGetAsEntry()).filter(Boolean);
      const files = [...event.dataTransfer.files]; // of a program that knows no entries
      const target = input();
      if (!target) return say("One upload at a time: wait for the first, then drop these again.");
      try {
        const all = new DataTransfer();
        for (const file of entries.length ? await walk(entries) : files) all.items.add(file);
        target.files = all.files;
        target.dispatchEvent(new Event("change", { bubbles: true }));
      } catch (error) {
        say(`These files cannot be read: ${error.message}`);
      }
      return undefined;
    });
  }

  return { walk, wire };
})();
if (typeof module !== "undefined") module.exports = lrpsegDrop;
