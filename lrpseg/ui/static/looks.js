// @ts-check
// What is seen of the picture: itself, heatmap, evidence or mask, and in which colours.
import { reasonOf } from "./client.js";
import { find, input, select, within } from "./markup.js";
import { loadImage } from "./loading.js";

/** @import { Client } from "./client.js" */
/** @import { Bus } from "./events.js" */
/** @import { Look } from "./raster.js" */
/** @import { Item, Opened } from "./types.js" */
/** @import { View } from "./view.js" */

const MANY = 16; // tiles that are to come, below which nobody needs a sketch
const PAUSE = 3000; // milliseconds between two sketches

export class Looks {
  /** @param {{ root: HTMLElement, events: Bus, view: View, client: Client }} parts */
  constructor({ root, events, view, client }) {
    this.root = root;
    this.events = events;
    this.view = view;
    this.client = client;
    /** @type {Opened | null} */
    this.open = null;
    this.sketched = 0;
    this.mode = select(root, "mode");
    this.colormap = select(root, "colormap");
    this.mode.addEventListener("input", () => this.show(this.mode.value));
    this.colormap.addEventListener("input", () => this.loadHeatmap());
    /** @type {(name: string, set: (slider: HTMLInputElement) => Partial<Look>) => void} */
    const listen = (name, set) =>
      input(root, name).addEventListener("input", () => view.set(set(input(root, name))));
    listen("opacity", ({ value }) => ({ opacity: Number(value) / 100 }));
    listen("contour", ({ checked }) => ({ contour: checked }));
    listen("changes", ({ checked }) => ({ changes: checked }));
    events.on("drawing", () => this.look({ mask: true })); // who draws sees what comes of it
    events.on("described", ({ item }) => this.loadSketch(item));
    events.on("opened", (open) => {
      this.open = open;
      this.sketched = 0;
      this.offer(open?.item.colourbars);
      this.offerEvidence(Boolean(open?.item.evidence));
      if (open) this.loadHeatmap();
    });
  }

  /**
   * Fill the list of colours, once they are known.
   * @param {Record<string, string[]> | undefined} bars
   */
  offer(bars) {
    if (!bars || this.colormap.options.length) return;
    for (const name of Object.keys(bars)) this.colormap.add(new Option(name, name));
  }

  /**
   * Whether there is evidence to be seen beside the heatmap.
   * @param {boolean} there
   */
  offerEvidence(there) {
    const option = [...this.mode.options].find((o) => o.value === "evidence");
    if (!option) return;
    option.hidden = option.disabled = !there;
    if (!there && this.mode.value === "evidence") this.show("heatmap");
  }

  /** @param {string} mode */
  show(mode) {
    this.mode.value = mode;
    this.look({ mode: mode === "evidence" ? "heatmap" : mode }); // it is drawn as a heatmap is
    this.loadHeatmap();
  }

  /** Picture, heatmap, evidence where there is some, mask, and from the start again. */
  turn() {
    const modes = [...this.mode.options].filter((o) => !o.disabled).map((o) => o.value);
    this.show(modes[(modes.indexOf(this.mode.value) + 1) % modes.length]);
  }

  /** Whether a map is to be seen. */
  get mapped() {
    return this.mode.value === "heatmap" || this.mode.value === "evidence";
  }

  /** Hide the mask, or show it again. */
  toggleMask() {
    this.look({ mask: !this.view.look.mask });
  }

  /**
   * Other options of the view; a hidden mask says so, unless the mask alone is seen anyway.
   * @param {Partial<Look>} options
   */
  look(options) {
    this.view.set(options);
    const { mask, mode } = this.view.look;
    find(this.root, "mask-hidden").hidden = mask || mode === "mask";
  }

  async loadHeatmap() {
    const { open } = this;
    this.colourbar();
    if (!open?.ready || !open.scene.width || !this.mapped) return;
    const of = this.mode.value === "evidence" ? "&of=evidence" : "";
    try {
      const what = `heatmap?colormap=${this.colormap.value}${of}`;
      const image = await loadImage(this.client, open.id, what);
      if (of !== (this.mode.value === "evidence" ? "&of=evidence" : "")) return; // turned meanwhile
      open.heatmap = image;
    } catch (error) {
      this.events.emit("say", { text: reasonOf(error) });
    }
    if (this.open === open) this.events.emit("redraw", null);
  }

  /**
   * While a large picture is analysed, show what was found so far, every few seconds.
   * @param {Item} item
   */
  async loadSketch(item) {
    const { open } = this, now = performance.now();
    const done = item.tiles_done ?? 0, left = (item.tiles ?? 0) - done;
    if (!open || open.ready || open.id !== item.id || !done || left < MANY) return;
    if (this.sketched && now - this.sketched < PAUSE) return;
    this.sketched = now;
    try {
      const sketch = await loadImage(this.client, open.id, `heatmap?tiles=${done}`);
      if (!open.ready) open.heatmap = sketch;
    } catch {
      return; // it is done meanwhile, or the connection is gone, which others say
    }
    if (this.open === open) this.events.emit("redraw", null);
  }

  colourbar() {
    const bar = within(this.root, ".colourbar"), bars = this.open?.item.colourbars;
    bar.hidden = !bars || !this.mapped;
    if (!bars || bar.hidden) return;
    const name = this.colormap.value;
    within(bar, "i").style.background = `linear-gradient(90deg, ${bars[name].join(", ")})`;
    within(bar, "span").textContent = name === "signed" ? "against damage" : "no relevance";
  }
}
