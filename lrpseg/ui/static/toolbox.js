// @ts-check
// From pointers to edits: which tool is in hand, what a gesture means, and who is told of it.
import { TOOLS } from "./tools/index.js";

/** @import { Bus } from "./events.js" */
/** @import { Scene } from "./scene.js" */
/** @import { Tool, Work } from "./tools/index.js" */
/** @import { Edit, Point } from "./types.js" */

/**
 * What of the view a gesture needs; positions on the screen are a pointer's clientX and clientY.
 * @typedef {object} Sight
 * @property {(x: number, y: number) => Point} toMask
 * @property {(x: number, y: number) => Point} toCanvas
 * @property {(dx: number, dy: number) => void} pan
 * @property {(factor: number, cx: number, cy: number) => void} zoom
 */

/**
 * What of a pointer event counts.
 * @typedef {object} Pointer
 * @property {string} type
 * @property {number} pointerId
 * @property {number} clientX
 * @property {number} clientY
 * @property {number} [button]
 * @property {() => Pointer[]} [getCoalescedEvents]
 */

export class Toolbox {
  /** @param {{ events: Bus, view: Sight, tools?: readonly Tool[] }} parts */
  constructor({ events, view, tools = TOOLS }) {
    this.events = events;
    this.view = view;
    this.tools = tools;
    this.tool = tools[0];
    this.radius = 8;
    /** @type {Scene | null} */
    this.scene = null;
    /** @type {Point | null} */
    this.hover = null;
    /** @type {any} */
    this.state = null; // the tool's own
    this.panning = false;
    this.space = false; // held: any tool moves the picture
    /** @type {Map<number, Point>} */
    this.pointers = new Map(); // on the screen
    /** @type {Point | null} */
    this.tapAt = null; // pressed there: acts when it is let go
    /** @type {{ x: number, y: number, d: number } | null} */
    this.pinch = null;
    events.on("opened", (open) => {
      if (!open) this.cancel(); // it was removed
      this.scene = open && open.scene.width ? open.scene : null;
      this.refresh();
    });
    events.on("leaving", () => this.leave());
  }

  /**
   * Take another tool; one that is not there changes nothing.
   * @param {string} id
   */
  pick(id) {
    const tool = this.tools.find((one) => one.id === id);
    if (!tool) return;
    this.cancel();
    this.tool = tool;
    this.hover = null;
    this.events.emit("tool", tool);
    this.events.emit("cursor", tool.cursor);
    this.refresh();
  }

  /**
   * Radius of brush and eraser in pixels of the picture.
   * @param {number} radius
   */
  size(radius) {
    this.radius = Math.min(500, Math.max(0.5, radius));
    this.events.emit("size", this.radius);
    this.refresh();
  }

  /**
   * While it is held, any tool moves the picture.
   * @param {boolean} held
   */
  hold(held) {
    this.space = held;
    this.events.emit("cursor", held ? "grab" : this.tool.cursor);
  }

  // ------------------------------------------------------------------------------ pointers

  /** @param {Pointer} event */
  down(event) {
    if (!this.scene) return;
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    if (this.pointers.size === 2) {
      this.abandon(); // a second finger: it was meant as a pinch
      this.pinch = this.spread();
    }
    if (this.pointers.size > 1) return;
    const at = this.view.toMask(event.clientX, event.clientY), { press, tap, pans } = this.tool;
    if (event.button === 1 || event.button === 2 || this.space || pans) {
      this.panning = true;
    } else if (press) {
      this.events.emit("drawing", null);
      this.draw(press(this.work(), at));
    } else if (tap) {
      this.tapAt = at;
    }
  }

  /** @param {Pointer} event */
  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (before) this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    if (this.pointers.size >= 2) return this.pinched();
    if (this.panning && before) {
      this.view.pan(event.clientX - before[0], event.clientY - before[1]);
    } else if (this.dragging) {
      const all = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
      for (const { clientX, clientY } of all.length ? all : [event]) {
        this.drag(this.view.toMask(clientX, clientY));
      }
    }
    return this.hovers(this.view.toMask(event.clientX, event.clientY));
  }

  /** @param {Pointer} event */
  up(event) {
    this.pointers.delete(event.pointerId);
    if (this.pointers.size < 2) this.pinch = null;
    if (this.pointers.size) return;
    this.panning = false;
    const at = this.tapAt, { tap, press } = this.tool;
    this.tapAt = null;
    if (at && tap && this.scene && event.type === "pointerup") {
      this.events.emit("drawing", null);
      this.draw(tap(this.work(), at));
    }
    if (press) this.settle();
  }

  /**
   * The pointer is over a point of the picture, or has left it.
   * @param {Point | null} at
   */
  hovers(at) {
    this.hover = at;
    this.refresh();
  }

  /**
   * The wheel zooms about the pointer.
   * @param {number} steps  in CSS pixels
   * @param {number} x
   * @param {number} y
   */
  wheel(steps, x, y) {
    this.view.zoom(Math.exp(-steps / 400), ...this.view.toCanvas(x, y));
  }

  /** Middle and distance of the first two fingers. */
  spread() {
    const [a, b] = [...this.pointers.values()];
    return { x: (a[0] + b[0]) / 2, y: (a[1] + b[1]) / 2, d: Math.hypot(a[0] - b[0], a[1] - b[1]) };
  }

  pinched() {
    if (!this.pinch) return;
    const now = this.spread(), { x, y, d } = this.pinch;
    this.view.pan(now.x - x, now.y - y);
    if (d > 0) this.view.zoom(now.d / d, ...this.view.toCanvas(now.x, now.y));
    this.pinch = now;
  }

  // ------------------------------------------------------------------------------ the tool

  /** @returns {Work} */
  work() {
    const box = this, scene = /** @type {Scene} */ (this.scene);
    const { radius, hover, panning } = this;
    return {
      scene, radius, hover, panning,
      say: (text) => this.events.emit("say", { text }),
      get state() {
        return box.state;
      },
      set state(state) {
        box.state = state;
      },
    };
  }

  /**
   * Draw what a tool returned.
   * @param {Edit | null} edit
   */
  draw(edit) {
    const rect = edit && this.scene ? this.scene.apply(edit) : null;
    if (rect) this.events.emit("painted", rect);
    if (rect && !edit?.open) this.events.emit("edited", rect);
    this.refresh();
  }

  /** Show what the tool has to show. */
  refresh() {
    const { overlay } = this.tool;
    this.events.emit("overlay", this.scene && overlay ? overlay(this.work()) : []);
  }

  /** Whether a stroke is under way. */
  get dragging() {
    return Boolean(this.tool.drag && this.scene && this.state !== null);
  }

  /** @param {Point} at */
  drag(at) {
    if (this.tool.drag) this.draw(this.tool.drag(this.work(), at));
  }

  /** Keep what the stroke under way has drawn. */
  settle() {
    if (this.tool.press) this.state = null;
    const rect = this.scene && this.scene.settle();
    if (rect) this.events.emit("edited", rect);
  }

  /** Undo a stroke that is under way; what was begun by taps stays. */
  abandon() {
    this.tapAt = null;
    if (this.tool.press) this.state = null;
    const rect = this.scene && this.scene.abandon();
    if (rect) this.events.emit("painted", rect);
  }

  /** Drop all that was begun. */
  cancel() {
    this.abandon();
    this.state = null;
    this.refresh();
  }

  /** Before another picture is shown: what is drawn belongs to this one. */
  leave() {
    this.settle();
    this.tapAt = null;
    this.state = null;
    this.refresh();
  }

  /** Close what was begun; false where nothing was. */
  close() {
    const { close } = this.tool;
    if (!close || !this.scene || this.state === null) return false;
    this.draw(close(this.work()));
    return true;
  }

  /** Take the last part of what was begun back; false where nothing was. */
  shorten() {
    const { shorten } = this.tool;
    if (!shorten || !this.scene || this.state === null) return false;
    shorten(this.work());
    this.refresh();
    return true;
  }
}
