// Undo and redo. An entry is a rectangle of corrections as it was, or a setting's old and new value.
const lrpsegHistory = (() => {
  /** Copy of a rectangle of a flat array. */
  function cut(array, width, { x, y, w, h }) {
    const out = new Uint8Array(w * h);
    for (let row = 0; row < h; row++) {
      const from = (y + row) * width + x;
      out.set(array.subarray(from, from + w), row * w);
    }
    return out;
  }

  /** Put a rectangle back. */
  function put(array, width, { x, y, w, h }, values) {
    for (let row = 0; row < h; row++) {
      array.set(values.subarray(row * w, (row + 1) * w), (y + row) * width + x);
    }
  }

  /** The smallest rectangle around two; either may be null. */
  function union(a, b) {
    if (!a || !b) return a || b;
    const x = Math.min(a.x, b.x), y = Math.min(a.y, b.y);
    const w = Math.max(a.x + a.w, b.x + b.w) - x, h = Math.max(a.y + a.h, b.y + b.h) - y;
    return { x, y, w, h };
  }

  class History {
    /** `limit`: bytes of old pixels that are kept; the oldest steps go first. */
    constructor(limit = 200e6) {
      this.limit = limit;
      this.past = [];
      this.future = [];
      this.bytes = 0;
    }

    /** A drawn step: the rectangle and its pixels before. */
    drew(rect, before) {
      this.push({ rect, pixels: before });
    }

    /** A setting moved; moves of one gesture (same name, same gesture number) are one step. */
    changed(name, from, to, gesture) {
      const last = this.past[this.past.length - 1];
      if (last && last.name === name && last.gesture === gesture && !this.future.length) {
        last.to = to;
        return;
      }
      this.push({ name, from, to, gesture });
    }

    /** Drop the steps of a setting whose old values mean nothing any more. */
    forget(name) {
      this.past = this.past.filter((e) => e.name !== name);
      this.future = this.future.filter((e) => e.name !== name);
    }

    push(entry) {
      this.future = [];
      this.past.push(entry);
      this.bytes = this.past.reduce((sum, e) => sum + (e.pixels ? e.pixels.length : 0), 0);
      while (this.bytes > this.limit && this.past.length > 1) {
        const old = this.past.shift();
        this.bytes -= old.pixels ? old.pixels.length : 0;
      }
    }

    /** Take the last step back; returns what changed: {rect} or {name, value}, or null. */
    undo(corrections, width) {
      return this.move(this.past, this.future, corrections, width, "from");
    }

    /** Do it again. */
    redo(corrections, width) {
      return this.move(this.future, this.past, corrections, width, "to");
    }

    move(source, target, corrections, width, side) {
      const entry = source.pop();
      if (!entry) return null;
      target.push(entry);
      if (!entry.rect) return { name: entry.name, value: entry[side] };
      const now = cut(corrections, width, entry.rect);
      put(corrections, width, entry.rect, entry.pixels);
      entry.pixels = now; // a step is its own inverse: what was there takes its place
      return { rect: entry.rect };
    }
  }

  return { History, cut, put, union };
})();
if (typeof module !== "undefined") module.exports = lrpsegHistory;
