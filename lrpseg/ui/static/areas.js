// @ts-check
// Small spots and holes of a level map, of all levels at once: no threshold needs a cleaning of its
// own. Thresholding what `clean` returns is cleaning what was thresholded, to the pixel.

/**
 * The level map without spots below minArea (8-connected), then without inner holes of up to
 * maxHole (4-connected); 0 is off. A mask is a map of the levels 0 and 1.
 *
 * Level 0 is the whole picture: it stays, even where minArea is more.
 * @param {Uint8Array} levels
 * @param {number} width
 * @param {number} height
 * @param {number} minArea
 * @param {number} maxHole
 */
export function clean(levels, width, height, minArea, maxHole) {
  let out = levels;
  if (minArea > 1) out = opened(out, width, height, minArea, true, 0);
  if (maxHole > 0) {
    // Holes are spots of the reverse; one at the picture's edge goes on outside of it.
    const top = out.reduce((a, b) => Math.max(a, b), 0), least = maxHole + 1;
    out = reversed(opened(reversed(out, top), width, height, least, false, least), top);
  }
  return out === levels ? levels.slice() : out;
}

/**
 * @param {Uint8Array} levels
 * @param {number} top  the highest of them
 */
function reversed(levels, top) {
  const out = new Uint8Array(levels.length);
  for (let i = 0; i < out.length; i++) out[i] = top - levels[i];
  return out;
}

/**
 * Area opening by union-find (Meijster and Wilkinson 2002, 10.1109/34.993556): pixels join their
 * parts from the highest level down. The pixel with which a part reaches `least` pixels gives its
 * level to all of it; what never reaches them gets 0.
 * @param {Uint8Array} levels
 * @param {number} width
 * @param {number} height
 * @param {number} least  pixels that a part needs
 * @param {boolean} eight  diagonal neighbours join
 * @param {number} outside  pixels that a part at the picture's edge has beyond it
 */
function opened(levels, width, height, least, eight, outside) {
  const order = descending(levels), right = width - 1, last = width * (height - 1);
  // 0: to come; above 0: its parent, plus one; below 0: it is a root of so many pixels.
  const link = new Int32Array(levels.length);
  let at = 0, area = 0; // the pixel at hand, and what its part has so far
  /** @param {number} neighbour */
  const join = (neighbour) => {
    let root = neighbour, up = link[root];
    if (up === 0) return;
    while (up > 0) {
      const above = link[up - 1];
      if (above > 0) link[root] = above; // halves the way for the next
      root = above > 0 ? above - 1 : up - 1;
      up = link[root];
    }
    if (root === at) return;
    if (-up >= least) area = least; // a settled part takes in, and is taken by nobody
    else {
      link[root] = at + 1;
      area -= up;
    }
  };
  for (let k = 0; k < order.length; k++) {
    at = order[k];
    const x = at % width, left = x > 0, more = x < right, above = at >= width, below = at < last;
    area = left && more && above && below ? 1 : 1 + outside;
    link[at] = -1;
    if (left) join(at - 1);
    if (more) join(at + 1);
    if (above) join(at - width);
    if (below) join(at + width);
    if (eight) {
      if (above && left) join(at - width - 1);
      if (above && more) join(at - width + 1);
      if (below && left) join(at + width - 1);
      if (below && more) join(at + width + 1);
    }
    link[at] = -Math.min(area, least);
  }
  const out = new Uint8Array(levels.length);
  for (let k = order.length - 1; k >= 0; k--) { // parents before what hangs on them
    const i = order[k], up = link[i];
    out[i] = up > 0 ? out[up - 1] : -up >= least ? levels[i] : 0;
  }
  return out;
}

/**
 * The pixels above level 0, from the highest level down, row by row within each.
 * @param {Uint8Array} levels
 */
function descending(levels) {
  const next = new Int32Array(257);
  for (let i = 0; i < levels.length; i++) next[256 - levels[i]]++;
  for (let k = 1; k < 257; k++) next[k] += next[k - 1]; // where each level begins
  const order = new Int32Array(levels.length - (next[256] - next[255]));
  for (let i = 0; i < levels.length; i++) {
    if (levels[i]) order[next[255 - levels[i]]++] = i;
  }
  return order;
}
