// Operating points are chosen as lrpseg.OperatingPoints chooses them.
const assert = require("node:assert/strict");
const test = require("node:test");
const { nearest, atLeast, nearestLevel, format } = require("../../lrpseg/ui/static/points.js");
const { sorted } = require("../../lrpseg/ui/static/strip.js");

const CURVE = [
  { threshold: 0, precision: 0.1, recall: 1 },
  { threshold: 0.3, precision: 0.5, recall: 0.8 },
  { threshold: 0.6, precision: 0.5, recall: 0.7 },
  { threshold: 0.9, precision: 0.45, recall: 0.4 },
];

test("at least a precision: the highest recall; at least a recall: the highest precision", () => {
  assert.equal(atLeast(CURVE, "precision", 0.45, "recall").threshold, 0.3);
  assert.equal(atLeast(CURVE, "precision", 0.05, "recall").threshold, 0);
  assert.equal(atLeast(CURVE, "recall", 0.75, "precision").threshold, 0.3);
  assert.equal(atLeast(CURVE, "recall", 0.5, "precision").threshold, 0.3); // of equals the higher recall
  assert.equal(atLeast(CURVE, "precision", 0.51, "recall"), null);
});

test("nearest point and level", () => {
  assert.equal(nearest(CURVE, 0.4).threshold, 0.3);
  assert.equal(nearestLevel([0, 0.25, 0.5, 1], 0.4), 2);
  assert.equal(nearestLevel([0, 0.25, 0.5, 1], 9), 3);
});

test("thresholds near 0 and 1 keep their digits", () => {
  assert.equal(format(0.5), "0.5");
  assert.equal(format(0.28449), "0.284");
  assert.equal(format(0.99995), "1 - 5.0e-5");
  assert.equal(format(0.00002), "2.0e-5");
  assert.equal(format(1), "1");
});

test("pictures in order of name or of doubt", () => {
  const items = [["b10", 0.9], ["b9", 0.55], ["a", 0.1], ["c", null]].map(([name, probability]) => ({ name, probability }));
  assert.deepEqual(sorted(items, "name").map((i) => i.name), ["a", "b9", "b10", "c"]);
  assert.deepEqual(sorted(items, "certainty").map((i) => i.name), ["b9", "a", "b10", "c"]);
});
