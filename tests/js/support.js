// What several tests need: scenes with drawn maps, a toolbox without a browser, noise, slow parts.
import { Emitter } from "../../lrpseg/ui/static/events.js";
import { Scene } from "../../lrpseg/ui/static/scene.js";
import { Toolbox } from "../../lrpseg/ui/static/toolbox.js";

/** Numbers of 0 to 1 that are the same for the same seed. */
export function random(seed) {
  let state = seed + 1;
  return () => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state / 2147483648;
  };
}

/** A mask of noise. */
export function noise(seed, size, share) {
  const next = random(seed);
  return Uint8Array.from({ length: size }, () => (next() < share ? 1 : 0));
}

/** Connected parts by flooding, as sets of indices. */
export function slowParts(mask, w, h, value, eight) {
  const left = new Set([...mask.keys()].filter((i) => mask[i] === value)), found = [];
  while (left.size) {
    const todo = [left.values().next().value], part = new Set(todo);
    left.delete(todo[0]);
    while (todo.length) {
      const i = todo.pop(), x = i % w, y = (i - x) / w;
      for (let dy = -1; dy <= 1; dy++) {
        for (let dx = -1; dx <= 1; dx++) {
          if ((!eight && dx && dy) || x + dx < 0 || x + dx >= w || y + dy < 0 || y + dy >= h) continue;
          const j = (y + dy) * w + x + dx;
          if (left.delete(j)) {
            part.add(j);
            todo.push(j);
          }
        }
      }
    }
    found.push(part);
  }
  return found;
}

/** Whether a part reaches the picture's edge. */
export const touches = (part, w, h) =>
  [...part].some((i) => i % w === 0 || i % w === w - 1 || i < w || i >= w * (h - 1));

/** A mask from lines of "." and "#". */
export function picture(...lines) {
  const values = Uint8Array.from(lines.join(""), (c) => Number(c === "#"));
  return { width: lines[0].length, height: lines.length, values };
}

/** Lines of "." and "#" from a mask. */
export function lines(values, width) {
  const text = Array.from(values, (v) => (v ? "#" : ".")).join("");
  return text.match(new RegExp(`.{${width}}`, "g"));
}

/** A scene whose base masks at level 1 are the drawn pictures, one for each class. */
export function sceneOf(...pictures) {
  const { width, height } = pictures[0];
  const corrections = pictures.map(({ values }) => new Uint8Array(values.length));
  const scene = new Scene({ width, height, corrections });
  scene.setMaps("map", pictures.map(({ values }) => ({
    levels: values, explained: true, level: 1, minArea: 0, maxHole: 0,
  })));
  return scene;
}

/**
 * A toolbox on a scene whose pixel (x, y) lies at 10 times that on the screen, and all that it said.
 * `press`, `move` and `release` act at a point of the picture; `finger` tells pointers apart.
 */
export function boxOf(scene, tool) {
  const events = new Emitter(), heard = [];
  const view = {
    toMask: (x, y) => [x / 10, y / 10],
    toCanvas: (x, y) => [x, y],
    pan: (...by) => heard.push(["pan", ...by]),
    zoom: (...by) => heard.push(["zoom", ...by]),
  };
  for (const name of ["painted", "edited", "drawing", "tool", "cursor", "size", "overlay", "say"]) {
    events.on(name, (value) => heard.push([name, value]));
  }
  const box = new Toolbox({ events, view });
  events.emit("opened", scene && { scene });
  box.pick(tool);
  heard.length = 0;
  const pointer = (type, [x, y], finger = 1, button = 0) =>
    ({ type, pointerId: finger, clientX: 10 * x, clientY: 10 * y, button });
  const press = (at, finger, button) => box.down(pointer("pointerdown", at, finger, button));
  const release = (at, finger) => box.up(pointer("pointerup", at, finger));
  return {
    box, events, heard, press, release,
    said: (name) => heard.filter(([what]) => what === name).map(([, value]) => value),
    move: (at, finger) => box.move(pointer("pointermove", at, finger)),
    lose: (at, finger) => box.up(pointer("pointercancel", at, finger)),
    click: (...points) => points.forEach((at) => {
      press(at);
      release(at);
    }),
  };
}
