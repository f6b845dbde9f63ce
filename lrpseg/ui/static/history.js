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

    /** A drawn step: the rectangle, its pixels before, and the picture's status before. */
    drew(rect, before, status) {
      this.push({ rect, pixels: before, status });
    }

    /**
     * A setting moved; moves of one gesture (same name, same gesture number) are one step. `about`:
     * the map that the values refer to, if any; beside another map the step is passed over.
     * `status`: the picture's before.
     */
    changed(name, from, to, gesture, about, status) {
      const last = this.past[this.past.length - 1];
      const same = last && last.name === name && last.gesture === gesture && last.about === about;
      if (same && !this.future.length) {
        last.to = to;
        return;
      }
      this.push({ name, from, to, gesture, about, status });
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

    /** Take the last step back; returns what changed: {rect} or {name, value}, and status, or null. */
    undo(corrections, width, about) {
      return this.move(this.past, this.future, corrections, width, about, "from");
    }

    /** Do it again. */
    redo(corrections, width, about) {
      return this.move(this.future, this.past, corrections, width, about, "to");
    }

    move(source, target, corrections, width, about, side) {
      let entry = source.pop();
      while (entry && entry.about !== undefined && entry.about !== about) entry = source.pop();
      if (!entry) return null;
      target.push(entry);
      const { status } = entry;
      if (!entry.rect) return { name: entry.name, value: entry[side], status };
      const now = cut(corrections, width, entry.rect);
      put(corrections, width, entry.rect, entry.pixels);
      entry.pixels = now; // a step is its own inverse: what was there takes its place
      return { rect: entry.rect, status };
    }
  }

  /** The same number for the same pixels (FNV-1a). */
  function fingerprint(values) {
    let hash = 2166136261;
    for (let i = 0; i < values.length; i++) hash = Math.imul(hash ^ values[i], 16777619);
    return hash;
  }

  /** The steps of pictures that were left, so that a return to one finds its undo again. */
  class Shelf {
    /** `limit`: bytes of old pixels in all; what was left longest ago goes first. */
    constructor(limit = 400e6) {
      this.limit = limit;
      this.kept = new Map();
    }

    keep(id, history, corrections) {
      this.kept.delete(id);
      if (!history.past.length && !history.future.length) return;
      this.kept.set(id, { history, print: fingerprint(corrections) });
      let bytes = 0;
      for (const [key, { history: one }] of [...this.kept].reverse()) {
        bytes += one.bytes;
        if (bytes > this.limit) this.kept.delete(key);
      }
    }

    /** The steps of a picture; null where there are none, or it was drawn on elsewhere meanwhile. */
    take(id, corrections) {
      const found = this.kept.get(id);
      this.kept.delete(id);
      return found && found.print === fingerprint(corrections) ? found.history : null;
    }
  }

  return { History, Shelf, cut, put, union };
})();
if (typeof module !== "undefined") module.exports = lrpsegHistory;
