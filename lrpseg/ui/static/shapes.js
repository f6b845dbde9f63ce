// @ts-check
// Draws what a tool shows over the picture: the ring of a brush, a polygon that is begun.

/** @import { Outline, Ring, Shape } from "./types.js" */

/**
 * Where and how large a picture is on a canvas, in CSS pixels.
 * @typedef {{ context: CanvasRenderingContext2D, x: number, y: number, scale: number }} Place
 */

/**
 * @param {Place} place
 * @param {Shape} shape
 */
export function drawShape(place, shape) {
  if (shape.kind === "ring") ring(place, shape);
  else polygon(place, shape);
}

/**
 * @param {Place} place
 * @param {Ring} shape
 */
function ring({ context, x, y, scale }, shape) {
  const path = new Path2D();
  const radius = Math.max(1.5, shape.radius * scale);
  path.arc(x + shape.x * scale, y + shape.y * scale, radius, 0, 2 * Math.PI);
  twice(context, path, shape.colour);
}

/**
 * @param {Place} place
 * @param {Outline} shape
 */
function polygon({ context, x, y, scale }, { points, corners, colour }) {
  const path = new Path2D();
  for (const [px, py] of points) path.lineTo(x + px * scale, y + py * scale);
  path.closePath();
  twice(context, path, colour);
  context.fillStyle = "#fff";
  for (const [px, py] of corners) context.fillRect(x + px * scale - 3, y + py * scale - 3, 6, 6);
}

/**
 * A dark line under a light one: seen on any picture.
 * @param {CanvasRenderingContext2D} context
 * @param {Path2D} path
 * @param {string} light
 */
function twice(context, path, light) {
  context.lineWidth = 3;
  context.strokeStyle = "rgba(0, 0, 0, 0.7)";
  context.stroke(path);
  context.lineWidth = 1.5;
  context.strokeStyle = light;
  context.stroke(path);
}
