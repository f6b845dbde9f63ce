// @ts-check
// What is done to the open picture: it is shown, kept for undo, and saved.
import { reasonOf } from "./client.js";
import { Score } from "./figures.js";
import { classOf } from "./loading.js";
import { busy, unfinished } from "./order.js";

/** @import { Clock } from "./clock.js" */
/** @import { Bus } from "./events.js" */
/** @import { Pictures } from "./pictures.js" */
/** @import { Setting } from "./scene.js" */
/** @import { Store } from "./store.js" */
/** @import { Rect } from "./types.js" */

/** What the server calls a setting. */
const NAMES = { level: "level", minArea: "min_area", maxHole: "max_hole" };

export class Editing {
  /** @param {{ events: Bus, pictures: Pictures, store: Store, clock: Clock }} parts */
  constructor({ events, pictures, store, clock }) {
    this.events = events;
    this.pictures = pictures;
    this.store = store;
    this.clock = clock;
    this.score = new Score();
    events.on("edited", (rect) => this.edited(rect));
    events.on("opened", () => this.figures());
    events.on("changed", () => this.figures());
    events.on("level", ({ level, done }) => {
      this.change("level", level);
      if (done) this.endGesture();
    });
  }

  /** @param {string} text */
  say(text, good = false) {
    this.events.emit("say", { text, good });
  }

  /** Tell the figures of the open picture, and which steps there are. */
  figures() {
    const { open } = this.pictures;
    if (!open) return;
    const { truth, scene: { layer } } = open;
    const own = truth && layer.exact ? this.score.at(layer, truth) : null;
    this.events.emit("figures", { open, own });
  }

  /** What is moved from now on is a step of its own. */
  endGesture() {
    if (this.pictures.open) this.pictures.open.scene.gesture++;
  }

  /**
   * A setting moved by hand: show it, keep it for undo, save it.
   * @param {Setting} name
   * @param {number} value
   */
  change(name, value) {
    if (this.pictures.open?.scene.change(name, value)) this.saveSetting(name, value);
  }

  /**
   * The same for one that undo gave back: it is no step.
   * @param {Setting} name
   * @param {number} value
   */
  set(name, value) {
    this.pictures.open?.scene.set(name, value);
    this.saveSetting(name, value);
  }

  /**
   * @param {Setting} name
   * @param {number} value
   */
  saveSetting(name, value) {
    const { open } = this.pictures;
    if (!open) return;
    this.events.emit("changed", null);
    const about = name === "level" ? { analysis: open.item.analysis } : {};
    this.store.saveSettings(open.id, { [NAMES[name]]: value, ...about }, classOf(open));
    this.pictures.mark("edited");
  }

  /**
   * A step of drawing is done, and the scene has it.
   * @param {Rect} rect
   */
  edited(rect) {
    this.say("");
    this.figures();
    this.save(rect);
  }

  /** @param {Rect} rect */
  save(rect) {
    const { open } = this.pictures;
    if (!open) return;
    const { id, scene } = open;
    const seconds = this.clock.take(), { corrections, width } = scene;
    this.store.saveCorrections(id, corrections, width, rect, seconds, classOf(open));
    this.pictures.mark("edited");
  }

  /** Take back all that was drawn. */
  clear() {
    const rect = this.pictures.open?.scene.clear();
    if (!rect) return;
    this.events.emit("painted", rect);
    this.events.emit("edited", rect);
  }

  // ------------------------------------------------------------------------------ status

  /** Accept what is seen, and go on to the next picture that is not. */
  accept() {
    const { open, ordered } = this.pictures;
    if (!open) return;
    const { item, scene } = open, { status } = item;
    if (status === "failed") return void this.say(item.reason ?? "");
    if (!open.ready || busy(item)) return void this.say("Wait for its analysis.");
    if (status !== "accepted") scene.step("status", status, "accepted");
    this.setStatus("accepted");
    const next = unfinished(ordered, open.id);
    if (next) this.pictures.select(next.id);
    else this.say("All pictures are accepted. Export their masks on the left.", true);
  }

  /** @param {string} status */
  setStatus(status) {
    const { open } = this.pictures;
    if (!open) return;
    const asked = status === "accepted" ? status : "todo"; // the server knows which kind of to do
    // What is seen: the server refuses to accept another mask.
    const shown = { analysis: open.item.analysis, revision: this.store.revisions.get(open.id) };
    this.store.saveSettings(open.id, { status: asked, shown, seconds: this.clock.take() });
    this.pictures.mark(status);
    this.figures();
  }

  /** Explain the open picture although it was classified intact. */
  async anyway() {
    await this.ask("/anyway", "POST");
    await this.pictures.again();
  }

  /** Remove the open picture. */
  remove() {
    return this.ask("", "DELETE");
  }

  /**
   * Ask the server to do something with the open picture, and look what came of it.
   * @param {string} what
   * @param {string} method
   */
  async ask(what, method) {
    const { open } = this.pictures;
    if (!open) return;
    try {
      await this.store.request(`/items/${open.id}${what}`, { method });
      await this.pictures.refresh();
    } catch (error) {
      this.say(reasonOf(error));
    }
  }
}
