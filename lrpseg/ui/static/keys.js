// @ts-check
// The keyboard: what each key does, and the table that says so.

/** @import { Toolbox } from "./toolbox.js" */
/** @import { Tool } from "./tools/index.js" */

const FIELDS =
  "input:not([type=range]):not([type=checkbox]), textarea, select, [contenteditable=true]";

/**
 * What keys can do beside taking a tool.
 * @typedef {object} Actions
 * @property {() => void} undo
 * @property {() => void} redo
 * @property {() => void} fit
 * @property {(factor: number) => void} zoom
 * @property {() => void} toggleMask
 * @property {() => void} turn  to the next of picture, heatmap and mask
 * @property {() => void} previous
 * @property {() => void} next
 * @property {() => void} accept
 * @property {() => void} help
 */

/**
 * What each key does, by its name in lower case; `false` leaves the key to the browser.
 * @param {Toolbox} toolbox
 * @param {Actions} actions
 * @returns {Map<string, () => unknown>}
 */
export function bindings(toolbox, actions) {
  /** @type {[string, () => unknown][]} */
  const own = [
    ["[", () => toolbox.size(toolbox.radius / 1.25)],
    ["]", () => toolbox.size(toolbox.radius * 1.25)],
    ["+", () => actions.zoom(1.25)],
    ["=", () => actions.zoom(1.25)],
    ["-", () => actions.zoom(0.8)],
    ["0", actions.fit],
    ["h", actions.toggleMask],
    ["v", actions.turn],
    ["a", actions.previous],
    ["d", actions.next],
    ["enter", () => toolbox.close() || actions.accept()],
    ["escape", () => toolbox.cancel()],
    ["backspace", () => toolbox.shorten()],
    ["?", actions.help],
  ];
  return new Map([...own, ...toolbox.tools.map((tool) => pickOf(toolbox, tool))]);
}

/**
 * @param {Toolbox} toolbox
 * @param {Tool} tool
 * @returns {[string, () => void]}
 */
const pickOf = (toolbox, { key, id }) => [key, () => toolbox.pick(id)];

/**
 * What a key with Ctrl does, if anything.
 * @param {string} key
 * @param {boolean} shift
 * @returns {"undo" | "redo" | null}
 */
export function withControl(key, shift) {
  if (key === "z") return shift ? "redo" : "undo";
  return key === "y" ? "redo" : null;
}

/**
 * The table of keys: [keys, what they do]. Tools of one kind share a row.
 * @param {readonly Tool[]} tools
 * @returns {[string, string][]}
 */
export function keyTable(tools) {
  return [
    ...rows(tools.filter((tool) => !tool.pans)),
    ["Ctrl+Z, Ctrl+Shift+Z", "undo, redo"],
    ...rows(tools.filter((tool) => tool.pans)),
    ["Wheel, + and -, 0", "zoom, show all"], ["H", "hide the mask"],
    ["V", "picture, heatmap, mask"], ["A, D", "previous, next picture"], ["Enter", "accept"],
    ["?", "this table"],
  ];
}

/**
 * @param {readonly Tool[]} tools
 * @returns {[string, string][]}
 */
function rows(tools) {
  /** @type {Map<string, Tool[]>} */
  const kinds = new Map();
  for (const tool of tools) kinds.set(tool.kind, [...(kinds.get(tool.kind) ?? []), tool]);
  return [...kinds.values()].flatMap((all) => {
    const keys = all.map(({ key, held }) => (held ? `${held}, ` : "") + key.toUpperCase());
    /** @type {[string, string]} */
    const row = [keys.join(", "), all.map((tool) => tool.help).join(", ")];
    return [row, ...(all[0].more ?? [])];
  });
}

/**
 * Listen to the keyboard. It is silent while a field is typed in, while the editor is out of sight,
 * and in the dialog.
 * @param {object} parts
 * @param {HTMLElement} parts.root
 * @param {HTMLDialogElement} parts.dialog  shows the table of keys
 * @param {Toolbox} parts.toolbox
 * @param {Actions} parts.actions
 * @param {() => void} parts.focus  gives the keys to the picture
 */
export function listenToKeys({ root, dialog, toolbox, actions, focus }) {
  const bound = bindings(toolbox, actions);
  /** @type {(event: KeyboardEvent) => boolean} */
  const silent = ({ target }) =>
    (target instanceof Element && Boolean(target.closest(FIELDS))) ||
    root.offsetParent === null || dialog.open;
  /** @type {(event: KeyboardEvent) => boolean} */
  const held = (event) => {
    if (event.key !== " " || silent(event)) return false;
    const { target } = event;
    if (target instanceof HTMLButtonElement) return false; // Space presses these
    if (target instanceof HTMLInputElement && target.type === "checkbox") return false;
    toolbox.hold(event.type === "keydown");
    event.preventDefault();
    return true;
  };
  document.addEventListener("keyup", held);
  document.addEventListener("keydown", (event) => {
    if (held(event) || silent(event)) return;
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      const action = withControl(key, event.shiftKey);
      if (!action) return;
      event.preventDefault();
      actions[action]();
      return;
    }
    const presses = event.repeat || event.target instanceof HTMLButtonElement;
    const act = event.altKey || (key === "enter" && presses) ? undefined : bound.get(key);
    if (act && act() !== false) event.preventDefault();
  });
  window.addEventListener("blur", () => toolbox.hold(false)); // its keyup goes elsewhere
  // After a click of the mouse Enter accepts; it does not press that button again.
  root.addEventListener("click", (event) => {
    const { target, detail } = event;
    if (detail > 0 && target instanceof Element && target.closest("button")) focus();
  }, true);
  root.addEventListener("change", (event) => { // a select takes keys as names of its entries
    if (event.target instanceof HTMLSelectElement) focus();
  });
  const table = dialog.querySelector("table");
  if (table) {
    table.innerHTML = keyTable(toolbox.tools)
      .map(([key, what]) => `<tr><th>${key}</th><td>${what}</td></tr>`).join("");
  }
}
