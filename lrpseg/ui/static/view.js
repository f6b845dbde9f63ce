// Draws picture, heatmap and mask on a canvas; zoom and pan. Only the visible part is ever computed.
const lrpsegView = (() => {
  const MASK = [0, 114, 178], ADDED = [230, 159, 0], REMOVED = [204, 121, 167]; // Okabe-Ito
  const MAX_SCALE = 64;

  class View {
    /** `canvas` fills its parent; `scene` gives {width, height, mask, corrections, picture}. */
    constructor(canvas) {
      this.canvas = canvas;
      this.context = canvas.getContext("2d", { alpha: false });
      this.overlay = document.createElement("canvas"); // the mask as it is seen, at screen pixels
      this.scene = null;
      this.scale = 1; // CSS pixels for one pixel of the mask
      this.x = this.y = 0; // CSS position of the picture's corner
      this.options = { opacity: 0.45, contour: false, mask: true, mode: "picture", changes: false };
      this.ring = null; // {x, y, radius, erase} in mask pixels
      this.polygon = null; // {points, hover}
      this.stale = false;
      this.frame = 0;
      new ResizeObserver(() => this.resize()).observe(canvas.parentElement);
    }

    setScene(scene) {
      const same =
        this.scene && scene && this.scene.width === scene.width && this.scene.height === scene.height &&
        this.scene.id === scene.id;
      this.scene = scene;
      if (!same) this.fit();
      this.redraw();
    }

    resize() {
      const box = this.canvas.getBoundingClientRect(); // its parent has a border
      const ratio = window.devicePixelRatio || 1;
      const width = Math.max(1, Math.round(box.width * ratio));
      const height = Math.max(1, Math.round(box.height * ratio));
      if (this.canvas.width === width && this.canvas.height === height) return;
      const fitted = this.fitted;
      this.canvas.width = this.overlay.width = width;
      this.canvas.height = this.overlay.height = height;
      this.ratio = ratio;
      if (fitted || !this.scene) this.fit();
      this.redraw();
    }

    /** Show the whole picture. */
    fit() {
      if (!this.scene) return;
      const ratio = this.ratio || 1;
      const [w, h] = [this.canvas.width / ratio, this.canvas.height / ratio];
      this.scale = Math.min(w / this.scene.width, h / this.scene.height, MAX_SCALE);
      this.x = (w - this.scene.width * this.scale) / 2;
      this.y = (h - this.scene.height * this.scale) / 2;
      this.fitted = true;
      this.redraw();
    }

    /** Zoom by a factor about a point of the canvas (CSS pixels). */
    zoom(factor, cx, cy) {
      if (!this.scene) return;
      const least = Math.min(0.02, 100 / Math.max(this.scene.width, this.scene.height));
      const scale = Math.min(MAX_SCALE, Math.max(least, this.scale * factor));
      this.x = cx - ((cx - this.x) * scale) / this.scale;
      this.y = cy - ((cy - this.y) * scale) / this.scale;
      this.scale = scale;
      this.fitted = false;
      this.redraw();
    }

    pan(dx, dy) {
      this.x += dx;
      this.y += dy;
      this.fitted = false;
      this.redraw();
    }

    /** Position in mask pixels of a mouse or pen event. */
    toMask(clientX, clientY) {
      const box = this.canvas.getBoundingClientRect();
      return [(clientX - box.left - this.x) / this.scale, (clientY - box.top - this.y) / this.scale];
    }

    /** Client position of the centre of a mask pixel. */
    toScreen(x, y) {
      const box = this.canvas.getBoundingClientRect();
      return {
        x: box.left + this.x + (x + 0.5) * this.scale,
        y: box.top + this.y + (y + 0.5) * this.scale,
      };
    }

    set(options) {
      Object.assign(this.options, options);
      this.redraw();
    }

    /** Draw all again at the next frame. */
    redraw() {
      this.stale = true;
      this.request();
    }

    /** Draw a rectangle of the mask again at the next frame, or only ring and polygon (null). */
    touch(rect) {
      if (rect) this.dirty = lrpsegHistory.union(this.dirty, rect);
      this.request();
    }

    request() {
      if (!this.frame) this.frame = requestAnimationFrame(() => this.draw());
    }

    draw() {
      this.frame = 0;
      if (!this.ratio) return;
      if (!this.scene) { // nothing of the picture before may stay to be seen
        this.context.setTransform(1, 0, 0, 1, 0, 0);
        this.context.fillStyle = "#24272b";
        this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
        return;
      }
      if (this.stale) this.drawOverlay(0, 0, this.canvas.width, this.canvas.height);
      else if (this.dirty) this.drawOverlay(...this.deviceRect(this.dirty));
      this.stale = false;
      this.dirty = null;
      const { context, canvas, ratio, scene } = this;
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.fillStyle = this.options.mode === "mask" ? "#3a3a3a" : "#24272b";
      context.fillRect(0, 0, canvas.width, canvas.height);
      const size = [scene.width * this.scale * ratio, scene.height * this.scale * ratio];
      const corner = [this.x * ratio, this.y * ratio];
      if (this.options.mode === "mask") {
        context.fillStyle = "#000";
        context.fillRect(...corner, ...size);
      } else {
        const base = (this.options.mode === "heatmap" && scene.heatmap) || scene.picture;
        context.imageSmoothingEnabled = this.scale * ratio < 2;
        if (base) context.drawImage(base, ...corner, ...size);
      }
      context.drawImage(this.overlay, 0, 0);
      this.drawTools();
    }

    deviceRect({ x, y, w, h }) {
      const s = this.scale * this.ratio, margin = s + 2;
      const left = Math.max(0, Math.floor(this.x * this.ratio + x * s - margin));
      const top = Math.max(0, Math.floor(this.y * this.ratio + y * s - margin));
      const right = Math.min(this.canvas.width, Math.ceil(this.x * this.ratio + (x + w) * s + margin));
      const bottom = Math.min(
        this.canvas.height, Math.ceil(this.y * this.ratio + (y + h) * s + margin),
      );
      return [left, top, Math.max(0, right - left), Math.max(0, bottom - top)];
    }

    /** The mask's colours for a rectangle of screen pixels. */
    drawOverlay(left, top, w, h) {
      if (!w || !h) return;
      const context = this.overlay.getContext("2d");
      const { width, height, mask, corrections } = this.scene;
      const { options } = this;
      const image = context.createImageData(w, h);
      const data = new Uint32Array(image.data.buffer); // little-endian: ABGR
      const solid = options.mode === "mask";
      const shown = solid || options.mask;
      if (shown && mask) {
        const alpha = options.contour || options.mode === "heatmap" ? 0 : options.opacity;
        const fill = solid ? 0xffffffff : colour(MASK, alpha);
        const rim = colour(MASK, 1), dashed = options.mode === "heatmap"; // black and white dashes
        const s = this.scale * this.ratio;
        const columns = spans(left, w, this.x * this.ratio, s, width);
        const lines = spans(top, h, this.y * this.ratio, s, height);
        const blocks = s < 1;
        const rimWidth = Math.max(1, Math.round(1.5 / s)); // of a contour, in mask pixels
        for (let j = 0; j < h; j++) {
          const y = lines[2 * j], bottom = lines[2 * j + 1];
          if (y >= bottom) continue;
          for (let i = 0; i < w; i++) {
            const x = columns[2 * i], right = columns[2 * i + 1];
            if (x >= right) continue;
            const inside = blocks ? any(mask, width, x, y, right, bottom) : mask[y * width + x];
            if (options.changes && !solid) {
              const c = blocks ? any(corrections, width, x, y, right, bottom) : corrections[y * width + x];
              if (c) {
                data[j * w + i] = colour(c === 1 ? ADDED : REMOVED, 0.75);
                continue;
              }
            }
            if (!inside) continue;
            if (solid || !edge(mask, width, height, x, y, rimWidth)) data[j * w + i] = fill;
            else if (!dashed) data[j * w + i] = rim;
            else data[j * w + i] = (left + i + top + j) & 4 ? 0xffffffff : 0xff000000; // seen on any colour
          }
        }
      }
      context.putImageData(image, left, top);
    }

    drawTools() {
      const { context, ratio } = this;
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      if (this.polygon && this.polygon.points.length) {
        const points = [...this.polygon.points, this.polygon.hover].filter(Boolean);
        const path = new Path2D();
        for (const [x, y] of points) path.lineTo(this.x + x * this.scale, this.y + y * this.scale);
        path.closePath();
        twice(context, path, this.polygon.cut ? "#CC79A7" : "#E69F00");
        for (const [x, y] of this.polygon.points) {
          context.fillStyle = "#fff";
          context.fillRect(this.x + x * this.scale - 3, this.y + y * this.scale - 3, 6, 6);
        }
      }
      if (this.ring) {
        const path = new Path2D();
        const [x, y] = [this.x + this.ring.x * this.scale, this.y + this.ring.y * this.scale];
        path.arc(x, y, Math.max(1.5, this.ring.radius * this.scale), 0, 2 * Math.PI);
        twice(context, path, this.ring.erase ? "#CC79A7" : "#56B4E9");
      }
    }
  }

  /** A dark line under a light one: seen on any picture. */
  function twice(context, path, light) {
    context.lineWidth = 3;
    context.strokeStyle = "rgba(0, 0, 0, 0.7)";
    context.stroke(path);
    context.lineWidth = 1.5;
    context.strokeStyle = light;
    context.stroke(path);
  }

  function colour([r, g, b], alpha) {
    return ((Math.round(alpha * 255) << 24) | (b << 16) | (g << 8) | r) >>> 0;
  }

  /**
   * [from, to) in mask pixels of each screen pixel, flat. Zoomed out, the blocks join without gaps or
   * overlaps, so that no line of one pixel falls between them; zoomed in, it is the pixel below.
   */
  function spans(first, count, origin, s, size) {
    const found = new Int32Array(2 * count);
    for (let i = 0; i < count; i++) {
      const from = Math.floor((first + i + (s < 1 ? 0 : 0.5) - origin) / s);
      const to = s < 1 ? Math.floor((first + i + 1 - origin) / s) : from + 1;
      found[2 * i] = Math.max(0, from);
      found[2 * i + 1] = Math.min(size, to);
    }
    return found;
  }

  /** The first value in a block that is not 0: a crack of one pixel must not vanish. */
  function any(values, width, x, y, right, bottom) {
    for (let row = y; row < bottom; row++) {
      for (let i = row * width + x; i < row * width + right; i++) if (values[i]) return values[i];
    }
    return 0;
  }

  function edge(mask, width, height, x, y, d) {
    return (
      x < d || y < d || x >= width - d || y >= height - d ||
      !mask[y * width + x - d] || !mask[y * width + x + d] ||
      !mask[(y - d) * width + x] || !mask[(y + d) * width + x]
    );
  }

  return { View, spans, any };
})();
if (typeof module !== "undefined") module.exports = lrpsegView;
