// @ts-check
// The list of pictures and the one that is open: what is fetched, when, and what it may replace.
import { reasonOf, statusOf } from "./client.js";
import { Shelf } from "./history.js";
import {
  firstClass, fits, lastOpen, loadDrawn, loadMaps, opened, ownCurve,
} from "./loading.js";
import { busy, merged, neighbour, sorted } from "./order.js";
import { Scene } from "./scene.js";
import { chose } from "./steps.js";

/** @import { Bus } from "./events.js" */
/** @import { Store } from "./store.js" */
/** @import { Item, Opened } from "./types.js" */

/**
 * What the page's server side tells the editor: the workspace, a picture to open (`select`), or
 * one of which something changed (`again`).
 * @typedef {{ token: string, select?: string, again?: string }} Told
 */

export class Pictures {
  /**
   * @param {object} parts
   * @param {Bus} parts.events
   * @param {Store} parts.store
   * @param {import("./clock.js").Clock} parts.clock
   * @param {(id: string) => void} parts.selected  tells the page around which picture is shown
   */
  constructor({ events, store, clock, selected }) {
    this.events = events;
    this.store = store;
    this.clock = clock;
    this.selected = selected;
    /** @type {Item[]} */
    this.items = [];
    /** @type {Opened | null} */
    this.open = null;
    /** @type {string | null} */
    this.wanted = null; // id of the picture that is open or on its way
    this.moved = false; // whether another was asked for since somebody began to add pictures
    this.adding = false; // whether the server has not said yet that they are all there
    /** @type {Promise<void>} */
    this.selecting = Promise.resolve();
    /** @type {Promise<void>} */
    this.resumed = Promise.resolve();
    this.serial = ""; // of the list that is shown
    this.order = "name";
    this.left = new Shelf(); // steps of pictures that were left
    this.reverting = ""; // the choice that undo is bringing back, as JSON
    events.on("order", (order) => { this.order = order; });
  }

  get ordered() {
    return sorted(this.items, this.order);
  }

  /** @param {unknown} error */
  say(error) {
    this.events.emit("say", { text: reasonOf(error) });
  }

  show() {
    this.events.emit("items", { items: this.items, selected: this.open?.id });
  }

  // ------------------------------------------------------------------------------ the list

  /**
   * The page's server side has something new.
   * @param {Told | null} value
   */
  async told(value) {
    if (!value || !value.token) return;
    if (this.store.token !== value.token) {
      this.store.token = value.token;
      this.resumed = this.store.resume(); // changes of before a reload go first
    }
    await this.resumed;
    this.adding = false;
    await this.refresh(); // what a person asks for meanwhile stays
    if (value.select && !this.moved) await this.select(value.select, true);
    else if (value.again && this.wanted === value.again) await this.select(value.again, true);
    else if (!this.wanted && this.items.length) {
      const last = lastOpen(this.store.token);
      await this.select(this.items.find((i) => i.id === last)?.id ?? this.ordered[0].id, true);
    }
  }

  /**
   * Get the list of pictures. With `since`, nobody asked for it: only where something changed since
   * that serial, and without a word about a lost connection.
   * @param {string | null} since
   */
  async refresh(since = null) {
    let shown = new Map();
    try {
      /** @type {{ items?: Item[], changed?: Item[], gone?: string[], serial: string }} */
      const news = await this.store.json(`/items?since=${since ?? ""}`);
      if (since && since !== this.serial) return; // what changed since a list that is gone
      this.serial = news.serial;
      if (!news.items && !news.changed) return;
      const items = news.items ?? merged(this.items, news.changed ?? [], news.gone ?? []);
      shown = new Map(this.items.map((i) => [i.id, i.status]));
      for (const item of items) { // the answer may be older than what is still being saved
        if (busy(item) || !this.store.unconfirmed(item.id).length) continue;
        item.status = shown.get(item.id) || item.status;
      }
      this.items = items;
    } catch (error) {
      if (since === null || statusOf(error)) this.say(error);
      return;
    }
    if (this.open && !this.listed) this.close();
    else this.show();
    const first = this.items.find((item) => !shown.has(item.id));
    if (first && this.adding && !this.moved) {
      this.adding = false;
      this.select(first.id, true);
    }
  }

  /** The open picture as the list has it. */
  get listed() {
    return this.items.find((i) => i.id === this.open?.id);
  }

  /** Whether another tab changed the open picture; told only while nothing of ours is under way. */
  get behind() {
    const { listed, store } = this;
    if (!listed || store.unconfirmed(listed.id).length) return false;
    return listed.revision > (store.revisions.get(listed.id) ?? Infinity);
  }

  /**
   * Another status of the open picture.
   * @param {string} status
   */
  mark(status) {
    const item = this.listed;
    // The analysis says what comes next.
    if (!this.open || !item || item.status === status || busy(item)) return;
    item.status = this.open.item.status = this.open.scene.status = status;
    this.show();
  }

  // ------------------------------------------------------------------------------ which is open

  /**
   * Open the next (+1) or previous (-1) picture.
   * @param {number} step
   */
  go(step) {
    const found = neighbour(this.ordered, this.open?.id, step);
    if (found) this.select(found.id);
  }

  /** Pictures are added: the first opens when it is there, unless another is asked for. */
  adds() {
    this.moved = false;
    this.adding = true;
  }

  /** Look at the open picture again, unless another one is on its way. */
  again() {
    const id = this.open?.id;
    return id && this.wanted === id ? this.select(id, true) : undefined;
  }

  /** The open picture is no longer there. */
  close() {
    this.open = this.wanted = null;
    this.events.emit("opened", null);
    this.show();
    if (this.items.length) this.select(this.ordered[0].id, true);
  }

  /**
   * Open a picture; `again`: nobody asked for it; the open one is looked at anew. One at a time:
   * a second load of the same picture could bring corrections of before a stroke.
   * @param {string} id
   */
  select(id, again = false) {
    this.wanted = id;
    if (!again) this.moved = true;
    const turn = () => (this.wanted === id ? this.fetch(id, again) : undefined);
    this.selecting = this.selecting.then(turn);
    return this.selecting;
  }

  /**
   * @param {string} id
   * @param {boolean} again
   */
  async fetch(id, again) {
    const before = this.open?.id === id ? this.open : null;
    if (before && !again) return;
    const untouched = before ? this.untouched(before) : () => true;
    if (!before) {
      this.events.emit("leaving", null);
      this.events.emit("say", { text: "" });
    }
    try {
      /** @type {Item} */
      const item = await this.store.json(`/items/${id}`);
      if (this.wanted !== id) return; // another one was clicked meanwhile
      if (!before) this.spend();
      if (before && before.ready && before.item.analysis === item.analysis &&
          before.item.explained === item.explained) {
        await this.renew(before, item, untouched); // the same maps: drawing goes on
      } else {
        await this.load(item, before, untouched);
      }
      if (this.open?.id !== id) return; // another one was clicked while its maps came
      lastOpen(this.store.token, id);
      if (!before) this.selected(id);
      this.show();
    } catch (error) {
      if (this.wanted === id) this.wanted = this.open?.id ?? null;
      this.say(error);
    }
  }

  /**
   * A function that tells whether nothing was done to the picture from now until it is called.
   * @param {Opened} open
   */
  untouched({ id, scene }) {
    const quiet = () => !scene.pending && !this.store.unconfirmed(id).length;
    const wasQuiet = quiet(), { revision } = scene;
    return () => wasQuiet && quiet() && scene.revision === revision;
  }

  /**
   * Show a picture, or other maps of the open one.
   * @param {Item} item
   * @param {Opened | null} before
   * @param {() => boolean} untouched
   */
  async load(item, before, untouched) {
    const { store } = this, { id, width, height } = item;
    const maps = await loadMaps(store, item, before && before.picture);
    if (this.wanted !== id) return;
    if (!before) {
      this.events.emit("leaving", null); // a stroke begun meanwhile belongs to the old picture
      if (this.open) this.left.keep(this.open.id, this.open.scene.history, this.open.scene.drawn);
      store.overlay(id, maps.drawn, width, firstClass(item));
    }
    const drawn = [maps.drawn];
    const scene = before && fits(before.scene, item) ? before.scene : new Scene({
      width, height, corrections: drawn, history: this.left.take(id, drawn) ?? undefined,
    });
    if (untouched()) {
      store.revisions.set(id, item.revision);
      scene.replace(drawn);
    }
    if (before) chose(before, item, this.reverting);
    this.open = opened(item, scene, maps, store.unsavedSettings(id));
    this.describe();
    this.events.emit("opened", this.open);
  }

  /**
   * The open picture has news (status, verdict, a true mask, another tab's strokes), but its maps
   * are the same.
   * @param {Opened} open
   * @param {Item} item
   * @param {() => boolean} untouched
   */
  async renew(open, item, untouched) {
    const { drawn, truth } = await loadDrawn(this.store, item);
    if (this.open !== open) return;
    const { scene } = open;
    if (untouched()) { // never over what was drawn meanwhile
      this.store.revisions.set(item.id, item.revision);
      scene.replace([drawn]);
      scene.gesture++;
      scene.change("level", item.level ?? 0);
      scene.change("minArea", item.min_area ?? 0);
      scene.change("maxHole", item.max_hole ?? 0);
    }
    chose(open, item, this.reverting);
    scene.status = item.status;
    Object.assign(open, { item, truth });
    this.describe();
    this.events.emit("changed", null);
  }

  /** Tell what the server says about the open picture. */
  describe() {
    if (!this.open) return;
    this.events.emit("described", { item: this.open.item, curve: ownCurve(this.open) });
  }

  /** The time on the picture that is left behind. */
  spend() {
    const seconds = this.clock.take();
    if (this.open?.ready && seconds > 0.5) this.store.saveSettings(this.open.id, { seconds });
  }
}
