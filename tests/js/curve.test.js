// Operating points are chosen and read as lrpseg.OperatingPoints does.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { areaOf, sliderOf } from "../../lrpseg/ui/static/cleaning.js";
import { atLeast, expected, format, nearestLevel, sentence } from "../../lrpseg/ui/static/curve.js";

const CASES = JSON.parse(readFileSync(new URL("../cases/nearest.json", import.meta.url), "utf8"));
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

test("what to expect at a threshold lies between the neighbours, as in the shared cases", () => {
  assert.ok(CASES.expected.length > 5);
  for (const wanted of CASES.expected) {
    const found = expected(CASES.curve, wanted.threshold);
    assert.deepEqual(Object.keys(found).sort(), Object.keys(wanted).sort());
    for (const [name, value] of Object.entries(wanted)) {
      [value].flat().forEach((number, i) => {
        const difference = Math.abs([found[name]].flat()[i] - number);
        assert.ok(difference < 1e-12, `${name} at ${wanted.threshold}`);
      });
    }
  }
});

test("the sentence tells the figures of the point in between", () => {
  const words = sentence({ split: "val", images: 9, regions: 4 }, expected(CASES.curve, 0.4));
  assert.equal(
    words,
    "To expect, from 9 validation crops of 4 regions: precision 0.50 (0.40-0.60), " +
      "recall 0.70 (0.60-0.80), IoU 0.40 (0.30-0.50).",
  );
});

test("the nearest level", () => {
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

test("the sliders of the cleaning stand for areas, and areas for sliders", () => {
  assert.equal(areaOf(0), 0);
  assert.equal(areaOf(100), 100000);
  for (const area of [0, 2, 50, 5000, 100000]) assert.equal(areaOf(sliderOf(area)), area);
  assert.equal(sliderOf(10 ** 9), 100);
});
