// @ts-check
// The editor: makes its parts and joins them by one bus of events. It knows no pixel and no route.
import { Cleaner } from "./cleaner.js";
import { Clock } from "./clock.js";
import { wireControls } from "./controls.js";
import { keepFolders, takeDrops } from "./drop.js";
import { Editing } from "./editing.js";
import { Emitter } from "./events.js";
import { listenToKeys } from "./keys.js";
import { Looks } from "./looks.js";
import { find, within } from "./markup.js";
import { showMessages } from "./messages.js";
import { News } from "./news.js";
import { Panel } from "./panel.js";
import { Pictures } from "./pictures.js";
import { listenToPointers } from "./pointers.js";
import { Reason } from "./reason.js";
import { Steps } from "./steps.js";
import { Store } from "./store.js";
import { Strip } from "./strip.js";
import { Toolbox } from "./toolbox.js";
import { View } from "./view.js";

/** @import { Bus } from "./events.js" */
/** @import { Told } from "./pictures.js" */

/**
 * What Gradio gives to a component's script.
 * @typedef {object} Host
 * @property {HTMLElement} element  holds the editor's markup
 * @property {{ value: Told | null }} props
 * @property {(name: string, fn: () => void) => void} watch  for values that the server sends
 * @property {(data: { id: string }) => void} select  tells the server which picture is shown
 */

/**
 * Start the editor.
 * @param {Host} host
 */
export function start({ element, props, watch, select }) {
  const root = within(element, ".lrpseg");
  const canvas = /** @type {HTMLCanvasElement} */ (find(root, "canvas"));
  const dialog = /** @type {HTMLDialogElement} */ (find(root, "keys"));
  /** @type {Bus} */
  const events = new Emitter();
  const clock = new Clock();
  const store = new Store({
    base: new URL("lrpseg", document.baseURI).href,
    onState: (state, waiting, message) => events.emit("saving", { state, waiting, message }),
  });
  const focus = () => canvas.focus({ preventScroll: true });
  const selected = (/** @type {string} */ id) => select({ id });

  const pictures = new Pictures({ events, store, clock, selected });
  const view = new View(canvas, events);
  const toolbox = new Toolbox({ events, view });
  const editing = new Editing({ events, pictures, store, clock });
  const shorten = () => toolbox.shorten();
  const steps = new Steps({ events, pictures, editing, shorten, selected });
  const looks = new Looks({ root, events, view, client: store });
  const panel = new Panel(root, events);
  new Strip(root, events, (id) => store.blob(`/items/${id}/thumbnail`));
  new Reason({ root, events, client: store });
  new Cleaner({ events });
  showMessages(root, events);

  const actions = {
    undo: () => steps.go("undo"),
    redo: () => steps.go("redo"),
    fit: () => view.fit(),
    zoom: (/** @type {number} */ factor) => view.zoomMiddle(factor),
    toggleMask: () => looks.toggleMask(),
    turn: () => looks.turn(),
    previous: () => pictures.go(-1),
    next: () => pictures.go(1),
    accept: () => editing.accept(),
    help: () => dialog.showModal(),
  };
  const { undo, redo, fit, previous, next, accept, help } = actions;
  const clicks = {
    undo, redo, fit, previous, next, accept, help,
    anyway: () => editing.anyway(),
    clear: () => editing.clear(),
    delete: () => remove(editing, pictures),
  };
  wireControls({ root, events, toolbox, editing, clicks });
  listenToPointers(canvas, toolbox, events);
  listenToKeys({ root, dialog, toolbox, actions, focus });
  within(dialog, "button").addEventListener("click", () => dialog.close());
  keepFolders();
  takeDrops(
    () => document.querySelector("#upload input[type=file]"),
    (text) => events.emit("say", { text }),
  );
  events.on("pick", (id) => {
    focus(); // Enter accepts, it does not click again
    pictures.select(id);
  });
  events.on("saving", ({ state, message = "" }) => {
    if (state !== "refused") return;
    events.emit("say", { text: message });
    pictures.refresh().then(() => pictures.again());
  });
  root.addEventListener("pointerdown", () => editing.endGesture(), true);
  keepTime(clock, store, pictures);
  new News(pictures).start();

  toolbox.pick(toolbox.tools[0].id);
  toolbox.size(toolbox.radius);
  panel.show(0, null);
  expose(root, pictures, view, store);
  watch("value", () => pictures.told(props.value));
  pictures.told(props.value);
}

/**
 * @param {Editing} editing
 * @param {Pictures} pictures
 */
function remove(editing, pictures) {
  const name = pictures.open?.item.name;
  if (name && window.confirm(`Remove ${name} and all that was drawn on it?`)) editing.remove();
}

/**
 * Count the time that is worked, and save what waits when the page goes or the connection is back.
 * @param {Clock} clock
 * @param {Store} store
 * @param {Pictures} pictures
 */
function keepTime(clock, store, pictures) {
  for (const name of ["pointermove", "pointerdown", "keydown"]) {
    document.addEventListener(name, () => clock.touch(), { passive: true, capture: true });
  }
  document.addEventListener("visibilitychange", () => {
    clock.pause();
    store.hurry();
  });
  window.addEventListener("pagehide", () => pictures.spend());
  window.addEventListener("online", () => store.hurry());
}

/**
 * For tests, and for whoever embeds the editor.
 * @param {HTMLElement} root
 * @param {Pictures} pictures
 * @param {View} view
 * @param {Store} store
 */
function expose(root, pictures, view, store) {
  Object.assign(root, { lrpseg: {
    mask: () => pictures.open && pictures.open.scene.mask,
    corrections: () => pictures.open && pictures.open.scene.corrections,
    get width() { return pictures.open && pictures.open.scene.width; },
    get height() { return pictures.open && pictures.open.scene.height; },
    get item() { return pictures.open && pictures.open.item; },
    exact: () => !pictures.open || pictures.open.scene.layer.exact, // the mask is as it is seen
    settled: () => !pictures.open || pictures.open.scene.layer.settled, // and at any threshold
    toScreen: (/** @type {number} */ x, /** @type {number} */ y) => view.toScreen(x, y),
    saved: () => store.waiting === 0 && !store.sending,
  } });
}
