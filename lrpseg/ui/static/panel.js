// @ts-check
// The panel of operating points: threshold, "precision at least", "recall at least", and the curve.
import { atLeast, expected, format, nearestLevel, sentence } from "./curve.js";
import { button, find, input } from "./markup.js";
import { plot } from "./plot.js";

/** @import { Bus } from "./events.js" */
/** @import { Figures, Item } from "./types.js" */

const LIMITS = /** @type {const} */ (["precision", "recall"]);
const SLIDERS = /** @type {const} */ (["threshold", ...LIMITS]);

export class Panel {
  /**
   * @param {HTMLElement} root
   * @param {Bus} events
   */
  constructor(root, events) {
    this.root = root;
    this.events = events;
    this.level = 0;
    /** @type {Item | null} */
    this.item = null; // analysed, or none
    /** @type {Figures[] | null} */
    this.truth = null; // figures at each level on this picture
    /** @type {Figures | null} */
    this.own = null; // of the present mask
    /** @type {{ name: string, value: number, level: number } | null} */
    this.held = null; // what "at least" asks for, as long as its level is shown
    this.unreached = "";
    for (const name of SLIDERS) {
      const slider = input(root, name);
      slider.addEventListener("input", () => this.moved(name, Number(slider.value), false));
      slider.addEventListener("change", () => this.moved(name, Number(slider.value), true));
    }
    find(root, "own").addEventListener("click", () => this.ask(this.item?.own_level, true));
    events.on("described", ({ item, curve }) => this.setItem(item, curve));
    events.on("figures", ({ open, own }) => this.show(open.scene.level, own));
    events.on("opened", (open) => {
      if (open) return;
      this.setItem(null, null);
      this.show(0, null);
    });
    this.setItem(null, null);
  }

  /**
   * @param {number | undefined} level
   * @param {boolean} done  the slider was let go
   */
  ask(level, done) {
    if (level !== undefined) this.events.emit("level", { level, done });
  }

  /**
   * Show an item's curve; `truth`: figures at each level on this picture, or null.
   * @param {Item | null} item
   * @param {Figures[] | null} truth
   */
  setItem(item, truth) {
    const ready = item?.levels ? item : null;
    if (ready?.analysis !== this.item?.analysis) this.held = null;
    this.item = ready;
    this.truth = truth;
    this.unreached = "";
    input(this.root, "threshold").max = String(ready ? this.levels.length - 1 : 1);
    for (const name of SLIDERS) {
      input(this.root, name).disabled = !ready?.explained || (name !== "threshold" && !this.curve);
    }
    button(this.root, "own").disabled = !ready?.explained;
  }

  get levels() {
    return this.item?.levels ?? [];
  }

  get curve() {
    const curve = this.item?.points?.curve;
    return curve?.length ? curve : null;
  }

  /**
   * @param {"threshold" | "precision" | "recall"} name
   * @param {number} value
   * @param {boolean} done
   */
  moved(name, value, done) {
    if (!this.item) return;
    this.unreached = "";
    this.held = null;
    if (name === "threshold") return void this.ask(value, done);
    if (!this.curve) return;
    const other = name === "precision" ? "recall" : "precision";
    const point = atLeast(this.curve, name, value / 100, other);
    const level = point ? nearestLevel(this.levels, point.threshold) : this.level;
    this.held = { name, value, level };
    if (level === this.level) this.show(level, this.own); // nobody else would
    if (point) return void this.ask(level, done);
    const top = (100 * Math.max(...this.curve.map((p) => p[name]))).toFixed(0);
    this.unreached = `No threshold reaches a ${name} of ${value} %; the highest is ${top} %.`;
    this.show(this.level, this.own);
  }

  /**
   * Show a level; `own`: figures of the present mask against the truth, or null.
   * @param {number} level
   * @param {Figures | null} own
   */
  show(level, own) {
    this.level = level;
    this.own = own;
    const { item, root } = this, slider = input(root, "threshold");
    const means = item?.explained; // without a heatmap no threshold means anything
    const threshold = means ? this.levels[level] : 0;
    slider.value = String(level);
    find(root, "threshold-value").textContent = means ? format(threshold) : "";
    slider.setAttribute("aria-valuetext", means ? format(threshold) : "none");
    const point = means && this.curve ? expected(this.curve, threshold) : null;
    for (const name of LIMITS) {
      const held = this.held?.name === name && this.held.level === level ? this.held.value : null;
      const percent = point ? Math.round(100 * point[name]) : 0;
      if (point && held === null) input(root, name).value = String(percent);
      find(root, `${name}-value`).textContent = point ? `${held ?? percent} %` : "";
    }
    find(root, "expect").textContent = this.unreached ||
      (point && item?.points ? sentence(item.points, point) : "");
    find(root, "points-note").textContent = (means && item.note) || "";
    find(root, "own-figures").textContent = own
      ? `This picture: precision ${own.precision.toFixed(2)}, recall ${own.recall.toFixed(2)}, ` +
        `IoU ${own.iou.toFixed(2)}.`
      : "";
    find(root, "curve").innerHTML = plot({ measured: this.curve, point, truth: this.truth, own });
  }
}
