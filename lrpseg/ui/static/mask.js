// Masks as flat Uint8Arrays, row by row: pure functions, the same to the pixel as lrpseg/corrections.py.
const lrpsegMask = (() => {
  const NONE = 0, ADDED = 1, REMOVED = 2;

  /** 1 where the quantised likelihood reaches the level. */
  function threshold(quantised, level, out = new Uint8Array(quantised.length)) {
    for (let i = 0; i < quantised.length; i++) out[i] = quantised[i] >= level ? 1 : 0;
    return out;
  }

  /** The mask with what was added and without what was removed. */
  function compose(base, corrections, out = new Uint8Array(base.length)) {
    for (let i = 0; i < base.length; i++) {
      const c = corrections[i];
      out[i] = c === NONE ? base[i] : c === ADDED ? 1 : 0;
    }
    return out;
  }

  /**
   * Connected parts of the pixels that equal `value`, as horizontal runs joined by union-find:
   * linear in the pixels, and no recursion. Diagonal neighbours join if `eight`.
   */
  function parts(mask, width, height, value, eight) {
    let capacity = 1024;
    let start = new Int32Array(capacity), end = new Int32Array(capacity);
    let parent = new Int32Array(capacity);
    const grow = () => {
      capacity *= 2;
      [start, end, parent] = [start, end, parent].map((old) => {
        const larger = new Int32Array(capacity);
        larger.set(old);
        return larger;
      });
    };
    const root = (i) => {
      while (parent[i] !== i) i = parent[i] = parent[parent[i]];
      return i;
    };
    const rows = new Int32Array(height + 1); // first run of each row
    const reach = eight ? 1 : 0;
    let count = 0;
    for (let y = 0; y < height; y++) {
      rows[y] = count;
      const line = y * width;
      for (let x = 0; x < width; x++) {
        if (mask[line + x] !== value) continue;
        const first = x;
        while (x < width && mask[line + x] === value) x++;
        if (count === capacity) grow();
        start[count] = first;
        end[count] = x; // one past the last pixel
        parent[count] = count;
        count++;
      }
      if (!y) continue;
      let above = rows[y - 1];
      for (let run = rows[y]; run < count; run++) {
        while (above < rows[y] && end[above] + reach <= start[run]) above++;
        for (let other = above; other < rows[y] && start[other] < end[run] + reach; other++) {
          parent[root(other)] = root(run);
        }
      }
    }
    rows[height] = count;
    return { start, end, rows, count, root };
  }

  /** Area of each part, and whether it touches the picture's edge, by its root run. */
  function measure(found, width, height) {
    const area = new Float64Array(found.count), edge = new Uint8Array(found.count);
    for (let y = 0; y < height; y++) {
      for (let run = found.rows[y]; run < found.rows[y + 1]; run++) {
        const r = found.root(run);
        area[r] += found.end[run] - found.start[run];
        if (!y || y === height - 1 || !found.start[run] || found.end[run] === width) edge[r] = 1;
      }
    }
    return { area, edge };
  }

  function paint(mask, found, width, height, value, chosen) {
    for (let y = 0; y < height; y++) {
      for (let run = found.rows[y]; run < found.rows[y + 1]; run++) {
        if (!chosen(found.root(run))) continue;
        mask.fill(value, y * width + found.start[run], y * width + found.end[run]);
      }
    }
  }

  /** Remove 8-connected spots below minArea, then fill inner holes of up to maxHole; 0 is off. */
  function clean(mask, width, height, minArea, maxHole) {
    const out = mask.slice();
    if (minArea > 1) {
      const spots = parts(out, width, height, 1, true);
      const { area } = measure(spots, width, height);
      paint(out, spots, width, height, 0, (r) => area[r] < minArea);
    }
    if (maxHole > 0) {
      const holes = parts(out, width, height, 0, false);
      const { area, edge } = measure(holes, width, height);
      paint(out, holes, width, height, 1, (r) => !edge[r] && area[r] <= maxHole);
    }
    return out;
  }

  /**
   * The part under a pixel: a spot of the mask (value 1, 8-connected) or a hole (value 0,
   * 4-connected; null if it reaches the edge). Gives [y, from, to) runs and their rectangle.
   */
  function partAt(mask, width, height, x, y, value) {
    if (mask[y * width + x] !== value) return null;
    const found = parts(mask, width, height, value, value === 1);
    let mine = -1;
    for (let run = found.rows[y]; run < found.rows[y + 1]; run++) {
      if (found.start[run] <= x && x < found.end[run]) mine = found.root(run);
    }
    if (value === 0 && measure(found, width, height).edge[mine]) return null;
    const runs = [];
    for (let row = 0; row < height; row++) {
      for (let run = found.rows[row]; run < found.rows[row + 1]; run++) {
        if (found.root(run) === mine) runs.push([row, found.start[run], found.end[run]]);
      }
    }
    return { runs, rect: around(runs) };
  }

  function around(runs) {
    let [left, right] = [Infinity, -Infinity];
    for (const [, from, to] of runs) {
      left = Math.min(left, from);
      right = Math.max(right, to);
    }
    const top = runs[0][0];
    return { x: left, y: top, w: right - left, h: runs[runs.length - 1][0] - top + 1 };
  }

  /** Runs of the pixels whose centre lies within `radius` of the segment (x0,y0)-(x1,y1). */
  function segmentRuns(width, height, x0, y0, x1, y1, radius) {
    const runs = [];
    const dx = x1 - x0, dy = y1 - y0, length = dx * dx + dy * dy;
    const top = Math.max(0, Math.ceil(Math.min(y0, y1) - radius - 0.5));
    const bottom = Math.min(height - 1, Math.floor(Math.max(y0, y1) + radius - 0.5));
    const left = Math.max(0, Math.ceil(Math.min(x0, x1) - radius - 0.5));
    const right = Math.min(width - 1, Math.floor(Math.max(x0, x1) + radius - 0.5));
    const near = (x, y) => {
      const px = x + 0.5 - x0, py = y + 0.5 - y0;
      const t = length ? Math.min(1, Math.max(0, (px * dx + py * dy) / length)) : 0;
      const ex = px - t * dx, ey = py - t * dy;
      return ex * ex + ey * ey <= radius * radius;
    };
    for (let y = top; y <= bottom; y++) {
      let from = left;
      while (from <= right && !near(from, y)) from++;
      if (from > right) continue;
      let to = right;
      while (to > from && !near(to, y)) to--;
      runs.push([y, from, to + 1]); // the shape is convex: a row of it is one run
    }
    return runs;
  }

  /** Runs of the pixels whose centre lies inside the polygon (even-odd), points as [x, y]. */
  function polygonRuns(width, height, points) {
    const runs = [];
    const ys = points.map((p) => p[1]);
    const top = Math.max(0, Math.floor(Math.min(...ys)));
    const bottom = Math.min(height - 1, Math.ceil(Math.max(...ys)));
    for (let y = top; y <= bottom; y++) {
      const crossings = [];
      for (let i = 0; i < points.length; i++) {
        const [ax, ay] = points[i], [bx, by] = points[(i + 1) % points.length];
        if (ay <= y + 0.5 === by <= y + 0.5) continue;
        crossings.push(ax + ((y + 0.5 - ay) / (by - ay)) * (bx - ax));
      }
      crossings.sort((a, b) => a - b);
      for (let i = 0; i + 1 < crossings.length; i += 2) {
        const from = Math.max(0, Math.ceil(crossings[i] - 0.5));
        const to = Math.min(width, Math.ceil(crossings[i + 1] - 0.5));
        if (to > from) runs.push([y, from, to]);
      }
    }
    return runs;
  }

  /** Pixels of two masks: true positives, false positives, false negatives. */
  function counts(mask, truth) {
    let tp = 0, fp = 0, fn = 0;
    for (let i = 0; i < mask.length; i++) {
      if (mask[i] && truth[i]) tp++;
      else if (mask[i]) fp++;
      else if (truth[i]) fn++;
    }
    return { tp, fp, fn };
  }

  /** Precision, recall and IoU; an empty mask has precision 0 unless there is nothing to find. */
  function figures({ tp, fp, fn }) {
    return {
      precision: tp + fp ? tp / (tp + fp) : Number(fn === 0),
      recall: tp + fn ? tp / (tp + fn) : 1,
      iou: tp + fp + fn ? tp / (tp + fp + fn) : 1,
    };
  }

  /** Figures at every level in one pass over the pixels. */
  function curve(quantised, truth, levels) {
    const all = new Float64Array(levels + 1), hit = new Float64Array(levels + 1);
    let damage = 0;
    for (let i = 0; i < quantised.length; i++) {
      all[quantised[i]]++;
      if (truth[i]) {
        hit[quantised[i]]++;
        damage++;
      }
    }
    const found = Array.from({ length: levels });
    let marked = 0, tp = 0;
    for (let k = levels - 1; k >= 0; k--) {
      marked += all[k];
      tp += hit[k];
      found[k] = figures({ tp, fp: marked - tp, fn: damage - tp });
    }
    return found;
  }

  return {
    NONE, ADDED, REMOVED, threshold, compose, clean, partAt, around, segmentRuns, polygonRuns, counts,
    figures, curve,
  };
})();
if (typeof module !== "undefined") module.exports = lrpsegMask;
