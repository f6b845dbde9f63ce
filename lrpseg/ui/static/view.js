// @ts-check
// Draws picture, heatmap, mask and what a tool shows; zoom and pan. Only what is seen is computed.
import { rasterise } from "./raster.js";
import { union } from "./rects.js";
import { drawShape } from "./shapes.js";
import { Sight } from "./sight.js";

/** @import { Bus } from "./events.js" */
/** @import { Layer } from "./layer.js" */
/** @import { Box, Look } from "./raster.js" */
/** @import { Opened, Point, Rect, Shape } from "./types.js" */

const MAX_SCALE = 64, GROUND = "#24272b", MASK_GROUND = "#3a3a3a";

export class View {
  /**
   * @param {HTMLCanvasElement} canvas  fills its parent
   * @param {Bus} events
   */
  constructor(canvas, events) {
    this.canvas = canvas;
    this.context = context2d(canvas, { alpha: false });
    this.layer = document.createElement("canvas"); // the mask as it is seen, at screen pixels
    /** @type {Opened | null} */
    this.open = null;
    this.scale = 1; // CSS pixels for one pixel of the mask
    this.x = this.y = 0; // CSS position of the picture's corner
    this.ratio = 0; // device pixels for a CSS pixel; 0 until the size is known
    this.fitted = false;
    /** @type {Look} */
    this.look = { opacity: 0.45, contour: false, mask: true, mode: "picture", changes: false };
    /** @type {Shape[]} */
    this.shapes = []; // what the tool shows
    this.stale = false;
    /** @type {Rect | null} */
    this.dirty = null;
    this.sight = new Sight(1, 1); // what the pixels of `layer` show
    /** @type {unknown[]} */
    this.place = []; // of what the sight is, and from where
    this.frame = 0;
    const parent = canvas.parentElement;
    if (parent) new ResizeObserver(() => this.resize()).observe(parent);
    events.on("opened", (open) => this.show(open && open.scene.width ? open : null));
    events.on("painted", (rect) => this.touch(rect));
    events.on("changed", () => this.redraw());
    events.on("redraw", () => this.redraw());
    events.on("overlay", (shapes) => {
      this.shapes = shapes;
      this.request();
    });
  }

  /** @param {Opened | null} open */
  show(open) {
    const before = this.open;
    const same = before && open && before.id === open.id &&
      before.scene.width === open.scene.width && before.scene.height === open.scene.height;
    this.open = open;
    if (!same) this.fit();
    this.redraw();
  }

  resize() {
    const box = this.canvas.getBoundingClientRect(); // its parent has a border
    const ratio = window.devicePixelRatio || 1;
    const width = Math.max(1, Math.round(box.width * ratio));
    const height = Math.max(1, Math.round(box.height * ratio));
    if (this.canvas.width === width && this.canvas.height === height && this.ratio) return;
    this.canvas.width = this.layer.width = width;
    this.canvas.height = this.layer.height = height;
    this.ratio = ratio;
    if (this.fitted || !this.open) this.fit();
    this.redraw();
  }

  /** Show the whole picture. */
  fit() {
    if (!this.open) return;
    const ratio = this.ratio || 1, { width, height } = this.open.scene;
    const [w, h] = [this.canvas.width / ratio, this.canvas.height / ratio];
    this.scale = Math.min(w / width, h / height, MAX_SCALE);
    this.x = (w - width * this.scale) / 2;
    this.y = (h - height * this.scale) / 2;
    this.fitted = true;
    this.redraw();
  }

  /**
   * Zoom by a factor about a point of the canvas, in CSS pixels.
   * @param {number} factor
   * @param {number} cx
   * @param {number} cy
   */
  zoom(factor, cx, cy) {
    if (!this.open) return;
    const { width, height } = this.open.scene;
    const least = Math.min(0.02, 100 / Math.max(width, height));
    const scale = Math.min(MAX_SCALE, Math.max(least, this.scale * factor));
    this.x = cx - ((cx - this.x) * scale) / this.scale;
    this.y = cy - ((cy - this.y) * scale) / this.scale;
    this.scale = scale;
    this.fitted = false;
    this.redraw();
  }

  /**
   * Zoom about the canvas' middle.
   * @param {number} factor
   */
  zoomMiddle(factor) {
    this.zoom(factor, this.canvas.clientWidth / 2, this.canvas.clientHeight / 2);
  }

  /**
   * @param {number} dx  in CSS pixels
   * @param {number} dy
   */
  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.fitted = false;
    this.redraw();
  }

  /**
   * Where on the canvas a pointer is, in CSS pixels.
   * @param {number} clientX
   * @param {number} clientY
   * @returns {Point}
   */
  toCanvas(clientX, clientY) {
    const box = this.canvas.getBoundingClientRect();
    return [clientX - box.left, clientY - box.top];
  }

  /**
   * Where on the picture a pointer is.
   * @param {number} clientX
   * @param {number} clientY
   * @returns {Point}
   */
  toMask(clientX, clientY) {
    const [x, y] = this.toCanvas(clientX, clientY);
    return [(x - this.x) / this.scale, (y - this.y) / this.scale];
  }

  /**
   * Client position of the centre of a mask pixel.
   * @param {number} x
   * @param {number} y
   */
  toScreen(x, y) {
    const box = this.canvas.getBoundingClientRect();
    return {
      x: box.left + this.x + (x + 0.5) * this.scale,
      y: box.top + this.y + (y + 0.5) * this.scale,
    };
  }

  /** @param {Partial<Look>} look */
  set(look) {
    Object.assign(this.look, look);
    this.redraw();
  }

  /** Draw all again at the next frame. */
  redraw() {
    this.stale = true;
    this.request();
  }

  /**
   * Draw a rectangle of the mask again at the next frame.
   * @param {Rect} rect
   */
  touch(rect) {
    this.dirty = union(this.dirty, rect);
    this.request();
  }

  request() {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.frame = 0;
    const { context, canvas, ratio, open, look } = this;
    if (!ratio) return;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = open && look.mode === "mask" ? MASK_GROUND : GROUND;
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (!open) return; // nothing of the picture before may stay to be seen
    this.drawMask(open.scene.layer);
    this.stale = false;
    this.dirty = null;
    const s = this.scale * ratio, { width, height } = open.scene;
    /** @type {[number, number, number, number]} */
    const box = [this.x * ratio, this.y * ratio, width * s, height * s];
    if (look.mode === "mask") {
      context.fillStyle = "#000";
      context.fillRect(...box);
    } else {
      // While it is analysed there is nothing but a sketch of the heatmap.
      const heat = look.mode === "heatmap" || !open.ready;
      const base = (heat && open.heatmap) || open.picture;
      context.imageSmoothingEnabled = s < 2;
      if (base) context.drawImage(base, ...box);
    }
    context.drawImage(this.layer, 0, 0);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (const shape of this.shapes) drawShape(this, shape);
  }

  /**
   * The part of the screen that shows a rectangle of the mask.
   * @param {Rect} rect
   * @returns {Box}
   */
  deviceBox({ x, y, w, h }) {
    const { ratio, canvas } = this, s = this.scale * ratio, margin = s + 2;
    const [x0, y0] = [this.x * ratio, this.y * ratio];
    const left = Math.max(0, Math.floor(x0 + x * s - margin));
    const top = Math.max(0, Math.floor(y0 + y * s - margin));
    const right = Math.min(canvas.width, Math.ceil(x0 + (x + w) * s + margin));
    const bottom = Math.min(canvas.height, Math.ceil(y0 + (y + h) * s + margin));
    return { left, top, w: Math.max(0, right - left), h: Math.max(0, bottom - top) };
  }

  /**
   * Bring the mask's colours up to date: all, or the rectangle that was touched. The picture itself
   * is looked at only where its place, map or corrections are others.
   * @param {Layer} layer
   */
  drawMask(layer) {
    const { canvas, ratio, stale, dirty } = this, { width, height } = canvas;
    if (!stale && !dirty) return;
    const [x, y, scale] = [this.x * ratio, this.y * ratio, this.scale * ratio];
    const place = [...layer.shown, x, y, scale, width, height];
    const moved = place.some((value, i) => value !== this.place[i]);
    if (moved) this.sight = new Sight(width, height, layer.level);
    this.place = place;
    const { sight } = this, other = sight.only !== null && sight.only !== layer.level;
    if (other) sight.only = null; // the threshold moves: all levels from now on
    const whole = { left: 0, top: 0, w: width, h: height };
    const touched = moved || other ? whole : dirty && this.deviceBox(dirty);
    if (touched) sight.look(layer, { ...touched, x, y, scale });
    const box = (!stale && touched) || whole; // colours may be others where pixels are not
    if (!box.w || !box.h) return;
    const context = context2d(this.layer), image = context.createImageData(box.w, box.h);
    rasterise(sight, layer.level, this.look, box, new Uint32Array(image.data.buffer));
    context.putImageData(image, box.left, box.top);
  }
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {CanvasRenderingContext2DSettings} [settings]
 */
function context2d(canvas, settings) {
  const context = canvas.getContext("2d", settings);
  if (!context) throw new Error("This browser draws no canvas.");
  return context;
}
