// Mouse, pen, touch and keys: brush, eraser, polygons, hole, spot, hand. Calls back with what was drawn.
const lrpsegTools = (() => {
  const M = lrpsegMask, H = lrpsegHistory;
  const TOOLS = {
    brush: { key: "b", title: "Brush", hint: "Add to the mask (B)", icon: "✎" },
    eraser: { key: "e", title: "Eraser", hint: "Remove from the mask (E)", icon: "⌫" },
    add: { key: "p", title: "Polygon", hint: "Add an area: click its corners, Enter closes (P)", icon: "⬠" },
    cut: { key: "c", title: "Cut", hint: "Remove an area: click its corners, Enter closes (C)", icon: "✂" },
    fill: { key: "f", title: "Fill", hint: "Fill the hole that you click (F)", icon: "◉" },
    spot: { key: "x", title: "Delete", hint: "Delete the spot that you click (X)", icon: "⌀" },
    hand: { key: "g", title: "Move", hint: "Move the picture (G, or hold Space)", icon: "✥" },
  };
  const DRAWS = { brush: M.ADDED, eraser: M.REMOVED };

  class Tools {
    /**
     * `host`: {view, scene(), edited(rect, before), tool changes...}. All drawing goes through
     * `paint`, which keeps the pixels of before for undo.
     */
    constructor(host) {
      this.host = host;
      this.view = host.view;
      this.name = "brush";
      this.radius = 8;
      this.pointers = new Map();
      this.stroke = null;
      this.space = false;
      const canvas = this.view.canvas;
      canvas.style.touchAction = "none";
      canvas.addEventListener("pointerdown", (e) => this.down(e));
      canvas.addEventListener("pointermove", (e) => this.move(e));
      for (const name of ["pointerup", "pointercancel"]) {
        canvas.addEventListener(name, (e) => this.up(e));
      }
      canvas.addEventListener("pointerleave", () => this.hover(null));
      canvas.addEventListener("dblclick", () => this.closePolygon());
      canvas.addEventListener("contextmenu", (e) => e.preventDefault());
      canvas.addEventListener("wheel", (e) => this.wheel(e), { passive: false });
    }

    pick(name) {
      this.cancel();
      this.name = name;
      this.view.canvas.style.cursor = name === "hand" ? "grab" : name in DRAWS ? "none" : "crosshair";
      this.host.picked(name);
      this.hover(null);
    }

    size(radius) {
      this.radius = Math.min(500, Math.max(0.5, radius));
      if (this.view.ring) this.view.ring.radius = this.radius;
      this.view.touch(null);
      this.host.sized(this.radius);
    }

    wheel(event) {
      event.preventDefault();
      const box = this.view.canvas.getBoundingClientRect();
      const steps = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
      this.view.zoom(Math.exp(-steps / 400), event.clientX - box.left, event.clientY - box.top);
    }

    down(event) {
      this.host.focus();
      if (!this.host.scene()) return;
      try {
        this.view.canvas.setPointerCapture(event.pointerId);
      } catch {
        /* a pointer that is gone already */
      }
      this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
      if (this.pointers.size === 2) {
        this.abandonStroke(); // a second finger: it was meant as a pinch
        this.tap = null;
        this.pinch = this.spread();
        return;
      }
      if (this.pointers.size > 2) return;
      const at = this.view.toMask(event.clientX, event.clientY);
      if (event.button === 1 || event.button === 2 || this.space || this.name === "hand") {
        this.panning = true;
      } else if (this.name in DRAWS) {
        this.host.begun();
        this.stroke = { last: at, rect: null, before: this.host.scene().corrections.slice() };
        this.strokeTo(at);
      } else {
        this.tap = at; // acts when it is let go: until then it may become a pinch
      }
    }

    /** A click that was no pinch: a corner of a polygon, a hole or a spot. */
    tapped(at) {
      this.host.begun();
      if (this.name !== "add" && this.name !== "cut") return this.clickPart(at);
      const polygon = this.view.polygon || { points: [], cut: this.name === "cut" };
      polygon.points.push(at);
      this.view.polygon = polygon;
      return this.view.touch(null);
    }

    move(event) {
      const before = this.pointers.get(event.pointerId);
      if (before) this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
      if (this.pointers.size >= 2) return this.pinchMove();
      const at = this.view.toMask(event.clientX, event.clientY);
      if (this.panning && before) {
        this.view.pan(event.clientX - before[0], event.clientY - before[1]);
      } else if (this.stroke) {
        const all = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
        for (const e of all.length ? all : [event]) {
          this.strokeTo(this.view.toMask(e.clientX, e.clientY));
        }
      }
      this.hover(at);
    }

    hover(at) {
      const draws = this.name in DRAWS && !this.panning;
      this.view.ring = at && draws
        ? { x: at[0], y: at[1], radius: this.radius, erase: this.name === "eraser" }
        : null;
      if (this.view.polygon) this.view.polygon.hover = at;
      this.view.touch(null);
    }

    up(event) {
      this.pointers.delete(event.pointerId);
      if (this.pointers.size < 2) this.pinch = null;
      if (this.pointers.size) return;
      this.panning = false;
      const tap = this.tap;
      this.tap = null;
      if (tap && event.type === "pointerup") this.tapped(tap);
      this.endStroke();
    }

    /** Keep what the stroke under way has drawn. */
    endStroke() {
      const stroke = this.stroke;
      this.stroke = null;
      if (stroke && stroke.rect) {
        const before = H.cut(stroke.before, this.host.scene().width, stroke.rect);
        this.host.edited(stroke.rect, before);
      }
    }

    spread() {
      const [a, b] = [...this.pointers.values()];
      return { x: (a[0] + b[0]) / 2, y: (a[1] + b[1]) / 2, d: Math.hypot(a[0] - b[0], a[1] - b[1]) };
    }

    pinchMove() {
      if (!this.pinch) return;
      const now = this.spread(), box = this.view.canvas.getBoundingClientRect();
      this.view.pan(now.x - this.pinch.x, now.y - this.pinch.y);
      if (this.pinch.d > 0) {
        this.view.zoom(now.d / this.pinch.d, now.x - box.left, now.y - box.top);
      }
      this.pinch = now;
    }

    strokeTo(at) {
      const { width, height } = this.host.scene();
      const [x0, y0] = this.stroke.last;
      const runs = M.segmentRuns(width, height, x0, y0, at[0], at[1], this.radius);
      this.stroke.last = at;
      if (!runs.length) return;
      const rect = M.around(runs);
      this.stroke.rect = H.union(this.stroke.rect, rect);
      this.host.paint(runs, DRAWS[this.name], rect);
    }

    /** One finished drawing, with undo. */
    draw(runs, value) {
      if (!runs.length) return;
      const scene = this.host.scene(), rect = M.around(runs);
      const before = H.cut(scene.corrections, scene.width, rect);
      this.host.paint(runs, value, rect);
      this.host.edited(rect, before);
    }

    clickPart([x, y]) {
      const { mask, width, height } = this.host.scene();
      const [px, py] = [Math.floor(x), Math.floor(y)];
      if (px < 0 || py < 0 || px >= width || py >= height) return;
      const filling = this.name === "fill";
      const part = M.partAt(mask, width, height, px, py, filling ? 0 : 1);
      if (part) this.draw(part.runs, filling ? M.ADDED : M.REMOVED);
      else this.host.say(filling ? "There is no closed hole here." : "There is no spot here.");
    }

    closePolygon() {
      const polygon = this.view.polygon;
      if (!polygon) return false;
      this.view.polygon = null;
      if (polygon.points.length > 2) {
        const { width, height } = this.host.scene();
        const runs = M.polygonRuns(width, height, polygon.points);
        this.draw(runs, polygon.cut ? M.REMOVED : M.ADDED);
      }
      this.view.touch(null);
      return true;
    }

    /** Undo a stroke that is under way. */
    abandonStroke() {
      if (this.stroke && this.stroke.rect) {
        const scene = this.host.scene(), { rect, before } = this.stroke;
        H.put(scene.corrections, scene.width, rect, H.cut(before, scene.width, rect));
        this.host.painted(rect);
      }
      this.stroke = null;
    }

    /** Before another picture is shown: what is drawn belongs to this one. */
    leave() {
      this.endStroke();
      this.tap = null;
      this.view.polygon = null;
    }

    cancel() {
      this.abandonStroke();
      this.tap = null;
      this.view.polygon = null;
      this.view.touch(null);
    }

    backspace() {
      if (!this.view.polygon) return false;
      this.view.polygon.points.pop();
      if (!this.view.polygon.points.length) this.view.polygon = null;
      this.view.touch(null);
      return true;
    }
  }

  return { Tools, TOOLS };
})();
if (typeof module !== "undefined") module.exports = lrpsegTools;
