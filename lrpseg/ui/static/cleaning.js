// @ts-check
// The two sliders of the cleaning: their steps grow with the area, which has no upper end.

const AREAS = [
  0, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000,
];

/**
 * The area in pixels that a slider of 0 to 100 stands for.
 * @param {number} slider
 */
export const areaOf = (slider) => AREAS[Math.round((slider / 100) * (AREAS.length - 1))];

/**
 * Where a slider stands for an area.
 * @param {number} area
 */
export function sliderOf(area) {
  const at = AREAS.findIndex((a) => a >= area);
  return Math.round((100 * (at < 0 ? AREAS.length - 1 : at)) / (AREAS.length - 1));
}
