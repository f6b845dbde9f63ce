// The panel of operating points: threshold, "precision at least", "recall at least", and the curve.
const lrpsegPoints = (() => {
  const percent = (v) => `${(100 * v).toFixed(0)} %`;
  const interval = (v, [low, high]) => `${v.toFixed(2)} (${low.toFixed(2)}-${high.toFixed(2)})`;

  /** Figures at a threshold: those of the curve's nearest point. */
  function nearest(curve, threshold) {
    let best = curve[0];
    for (const point of curve) {
      if (Math.abs(point.threshold - threshold) < Math.abs(best.threshold - threshold)) best = point;
    }
    return best;
  }

  /**
   * Among the points whose `limited` figure is at least `least`, the one with the highest `other`
   * figure, as lrpseg.OperatingPoints has it; null where there is none.
   */
  function atLeast(curve, limited, least, other) {
    const reaching = curve.filter((p) => p[limited] >= least);
    if (!reaching.length) return null;
    return reaching.reduce((a, b) =>
      b[other] > a[other] || (b[other] === a[other] && b[limited] > a[limited]) ? b : a,
    );
  }

  function nearestLevel(levels, threshold) {
    let best = 0;
    for (let k = 1; k < levels.length; k++) {
      if (Math.abs(levels[k] - threshold) < Math.abs(levels[best] - threshold)) best = k;
    }
    return best;
  }

  const AREAS = [0, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000];
  const areaOf = (slider) => AREAS[Math.round((slider / 100) * (AREAS.length - 1))];
  const sliderOf = (area) => {
    const at = AREAS.findIndex((a) => a >= area);
    return Math.round((100 * (at < 0 ? AREAS.length - 1 : at)) / (AREAS.length - 1));
  };

  class Panel {
    /** `onLevel(level, done)`: a slider moved the threshold; `done` when it was let go. */
    constructor(root, onLevel) {
      this.root = root;
      this.onLevel = onLevel;
      this.find = (name) => root.querySelector(`[data-testid="${name}"]`);
      for (const name of ["threshold", "precision", "recall"]) {
        const slider = this.find(name);
        slider.addEventListener("input", () => this.moved(name, Number(slider.value), false));
        slider.addEventListener("change", () => this.moved(name, Number(slider.value), true));
      }
      this.find("own").addEventListener("click", () => this.item && onLevel(this.item.own_level, true));
    }

    /** Show an item's curve; `truth`: figures at each level on this picture, or null. */
    setItem(item, truth) {
      this.item = item;
      this.truth = truth;
      this.unreached = "";
      const slider = this.find("threshold");
      slider.max = item ? item.levels.length - 1 : 1;
      for (const name of ["threshold", "precision", "recall"]) {
        this.find(name).disabled = !item || !item.explained || (name !== "threshold" && !this.curve);
      }
      this.find("own").disabled = !item || !item.explained;
    }

    get curve() {
      return this.item && this.item.points && this.item.points.curve.length
        ? this.item.points.curve : null;
    }

    moved(name, value, done) {
      if (!this.item) return;
      this.unreached = "";
      this.held = name === "threshold" ? null : { name, value };
      if (name === "threshold") return this.onLevel(value, done);
      if (!this.curve) return;
      const [limited, other] = name === "precision" ? ["precision", "recall"] : ["recall", "precision"];
      const point = atLeast(this.curve, limited, value / 100, other);
      if (point) {
        this.onLevel(nearestLevel(this.item.levels, point.threshold), done);
      } else {
        const top = Math.max(...this.curve.map((p) => p[limited]));
        this.unreached = `No threshold reaches a ${limited} of ${value} %; the highest is ${percent(top)}.`;
        this.show(this.level, this.own);
      }
    }

    /** Show a level; `own`: figures of the present mask against the truth, or null. */
    show(level, own) {
      this.level = level;
      this.own = own;
      const { item } = this;
      this.find("threshold").value = level;
      const means = item && item.explained; // without a heatmap no threshold means anything
      const value = means ? item.levels[level] : 0;
      this.find("threshold-value").textContent = means ? format(value) : "";
      this.find("threshold").setAttribute("aria-valuetext", means ? format(value) : "none");
      const point = means && this.curve ? nearest(this.curve, value) : null;
      for (const name of ["precision", "recall"]) {
        const held = this.held && this.held.name === name ? this.held.value : null;
        const slider = this.find(name);
        if (point && held === null) slider.value = Math.round(100 * point[name]);
        this.find(`${name}-value`).textContent = point
          ? `${held ?? Math.round(100 * point[name])} %`
          : "";
      }
      this.find("expect").textContent = this.sentence(point);
      this.find("points-note").textContent = item && item.explained ? item.note || "" : "";
      this.find("own-figures").textContent = own
        ? `This picture: precision ${own.precision.toFixed(2)}, recall ${own.recall.toFixed(2)}, IoU ${own.iou.toFixed(2)}.`
        : "";
      this.plot(point);
    }

    sentence(point) {
      if (this.unreached) return this.unreached;
      if (!point) return "";
      const { split, images, regions } = this.item.points;
      const where = split === "val" ? "validation" : split;
      return (
        `To expect, from ${images} ${where} crops of ${regions} regions: precision ` +
        `${interval(point.precision, point.precision_interval)}, recall ` +
        `${interval(point.recall, point.recall_interval)}, IoU ` +
        `${interval(point.iou, point.iou_interval)}.`
      );
    }

    /** Precision over recall as an SVG: the measured curve, this picture's, and the chosen point. */
    plot(point) {
      const [w, h, left, bottom] = [260, 170, 34, 30];
      const px = (r) => left + r * (w - left - 8), py = (p) => 8 + (1 - p) * (h - bottom - 8);
      const line = (points) => points.map((p) => `${px(p.recall).toFixed(1)},${py(p.precision).toFixed(1)}`).join(" ");
      const parts = [];
      for (const tick of [0, 0.25, 0.5, 0.75, 1]) {
        const label = tick === 0 || tick === 0.5 || tick === 1 ? tick : "";
        parts.push(
          `<line class="grid" x1="${px(tick)}" x2="${px(tick)}" y1="${py(0)}" y2="${py(1)}"/>`,
          `<line class="grid" x1="${px(0)}" x2="${px(1)}" y1="${py(tick)}" y2="${py(tick)}"/>`,
          `<text x="${px(tick)}" y="${py(0) + 12}" text-anchor="middle">${label}</text>`,
          `<text x="${left - 4}" y="${py(tick) + 3}" text-anchor="end">${label}</text>`,
        );
      }
      parts.push(
        `<text x="${px(0.5)}" y="${h - 3}" text-anchor="middle">recall</text>`,
        `<text transform="translate(9 ${py(0.5)}) rotate(-90)" text-anchor="middle">precision</text>`,
      );
      if (this.curve) parts.push(`<polyline class="curve" points="${line(this.curve)}"/>`);
      if (this.truth) parts.push(`<polyline class="own-curve" points="${line(this.truth)}"/>`);
      if (point) {
        parts.push(`<circle class="chosen" cx="${px(point.recall)}" cy="${py(point.precision)}" r="5"/>`);
      }
      const { own } = this;
      if (own) parts.push(`<circle class="own-chosen" cx="${px(own.recall)}" cy="${py(own.precision)}" r="4"/>`);
      this.find("curve").innerHTML =
        `<svg viewBox="0 0 ${w} ${h}" role="img" aria-label="Precision over recall">${parts.join("")}</svg>`;
    }
  }

  /** A threshold with as many digits as tell it from 0 and 1. */
  function format(value) {
    if (value > 0.999 && value < 1) return `1 - ${(1 - value).toExponential(1)}`;
    if (value > 0 && value < 0.001) return value.toExponential(1);
    return String(Number(value.toFixed(3)));
  }

  return { Panel, nearest, atLeast, nearestLevel, format, areaOf, sliderOf };
})();
if (typeof module !== "undefined") module.exports = lrpsegPoints;
