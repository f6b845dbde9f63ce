// @ts-check
// Mouse, pen and touch on the canvas go to the toolbox.

/** @import { Bus } from "./events.js" */
/** @import { Toolbox } from "./toolbox.js" */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Toolbox} toolbox
 * @param {Bus} events
 */
export function listenToPointers(canvas, toolbox, events) {
  canvas.style.touchAction = "none";
  events.on("cursor", (cursor) => { canvas.style.cursor = cursor; });
  canvas.addEventListener("pointerdown", (event) => {
    canvas.focus({ preventScroll: true }); // the keys are for the picture
    if (!toolbox.scene) return;
    try {
      canvas.setPointerCapture(event.pointerId);
    } catch {
      /* a pointer that is gone already */
    }
    toolbox.down(event);
  });
  canvas.addEventListener("pointermove", (event) => toolbox.move(event));
  canvas.addEventListener("pointerup", (event) => toolbox.up(event));
  canvas.addEventListener("pointercancel", (event) => toolbox.up(event));
  canvas.addEventListener("pointerleave", () => toolbox.hovers(null));
  canvas.addEventListener("dblclick", () => toolbox.close());
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const steps = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY; // lines, or pixels
    toolbox.wheel(steps, event.clientX, event.clientY);
  }, { passive: false });
}
