// @ts-check
// Buttons and sliders around the picture: what they do, and what they show of it.
import { areaOf, sliderOf } from "./cleaning.js";
import { button, find, input, within } from "./markup.js";
import { busy, progress } from "./order.js";

/** @import { Editing } from "./editing.js" */
/** @import { Bus } from "./events.js" */
/** @import { Toolbox } from "./toolbox.js" */
/** @import { Item, Standing } from "./types.js" */

const EMPTY = "Drop pictures here, or click a sample.";
const LARGEST = 1000; // times the smallest radius of the brush
const SMALLEST = 0.5;
const CLEANING = /** @type {const} */ ([["min-area", "minArea"], ["max-hole", "maxHole"]]);

/** @typedef {Record<string, () => unknown>} Clicks  What a click does, by the button's test id. */

/**
 * @param {object} parts
 * @param {HTMLElement} parts.root
 * @param {Bus} parts.events
 * @param {Toolbox} parts.toolbox
 * @param {Editing} parts.editing
 * @param {Clicks} parts.clicks
 */
export function wireControls({ root, events, toolbox, editing, clicks }) {
  for (const [name, act] of Object.entries(clicks)) find(root, name).addEventListener("click", act);
  toolButtons(root, events, toolbox);
  const size = input(root, "size");
  size.addEventListener("input", () => {
    toolbox.size(SMALLEST * Math.exp((Number(size.value) / 100) * Math.log(LARGEST)));
  });
  events.on("size", (radius) => {
    size.value = String((100 * Math.log(radius / SMALLEST)) / Math.log(LARGEST));
    find(root, "size-value").textContent = `${Math.max(1, Math.round(2 * radius))} px`;
  });
  for (const [name, setting] of CLEANING) {
    const slider = input(root, name);
    slider.addEventListener("input", () => editing.change(setting, areaOf(Number(slider.value))));
  }
  events.on("figures", (standing) => showStanding(root, standing));
  events.on("described", ({ item }) => describe(root, item));
  events.on("items", ({ selected }) => { find(root, "delete").hidden = selected === undefined; });
  events.on("opened", (open) => {
    if (open) return;
    find(root, "verdict").textContent = EMPTY;
    find(root, "name").textContent = find(root, "read").textContent = "";
    within(root, ".welcome").hidden = false;
  });
}

/**
 * A button for each tool.
 * @param {HTMLElement} root
 * @param {Bus} events
 * @param {Toolbox} toolbox
 */
function toolButtons(root, events, toolbox) {
  const bar = within(root, ".tools");
  for (const { id, title, hint, icon } of toolbox.tools) {
    const made = document.createElement("button");
    Object.assign(made, { type: "button", title: hint, textContent: icon });
    made.append(Object.assign(document.createElement("small"), { textContent: title }));
    Object.assign(made.dataset, { testid: `tool-${id}`, tool: id });
    made.setAttribute("aria-label", title);
    made.addEventListener("click", () => toolbox.pick(id));
    bar.append(made);
  }
  events.on("tool", ({ id }) => {
    for (const one of bar.querySelectorAll("button")) {
      one.setAttribute("aria-pressed", String(one.dataset.tool === id));
    }
  });
}

/**
 * What the server says about the open picture.
 * @param {HTMLElement} root
 * @param {Item} item
 */
function describe(root, item) {
  const ready = item.levels !== undefined, name = find(root, "name");
  find(root, "verdict").textContent =
    item.status === "failed" ? item.reason ?? ""
      : ready && !busy(item) ? item.verdict ?? ""
        : `${item.name}: ${item.status}${progress(item)} …`;
  find(root, "anyway").hidden = !ready || Boolean(item.explained);
  name.textContent = name.title = item.name;
  find(root, "read").textContent = item.read?.length
    ? `This picture was ${item.read.join(", ")}.` : "";
  within(root, ".welcome").hidden = true;
}

/**
 * Cleaning, and which buttons have something to do.
 * @param {HTMLElement} root
 * @param {Standing} standing
 */
function showStanding(root, { open: { scene } }) {
  const { layer, history, width } = scene;
  for (const [name, setting] of CLEANING) {
    const slider = input(root, name), value = layer[setting], words = value ? `${value} px` : "off";
    slider.value = String(sliderOf(value));
    find(root, `${name}-value`).textContent = words + (layer.exact || !value ? "" : " …");
    slider.setAttribute("aria-valuetext", words);
  }
  button(root, "undo").disabled = !history.past.length;
  button(root, "redo").disabled = !history.future.length;
  for (const name of ["clear", "accept"]) button(root, name).disabled = !width; // no picture at all
}
