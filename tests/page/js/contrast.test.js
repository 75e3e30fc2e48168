/** Histogram, percentiles and levels, without a browser. */

import assert from "node:assert/strict";
import test from "node:test";

const { autoLevels, brightness, histogram, percentile, sample, withLevel } = await import("../../../rest/repstream_http/page/picture/contrast.js");

test("percentiles leave out saturated pixels and are exact on a ramp", () => {
  const ramp = Uint16Array.from({ length: 1001 }, (_, n) => (n === 500 ? 65535 : n));
  const sorted = sample(ramp, 65535);
  assert.equal(sorted.length, 1000);
  assert.equal(percentile(sorted, 0), 0);
  assert.equal(percentile(sorted, 100), 1000);
  assert.deepEqual(autoLevels(sorted, 100), [0, 1000]);
  assert.deepEqual(autoLevels(new Float64Array(), 99), [0, 1]);
});

test("a histogram counts every value between its ends", () => {
  const { counts } = histogram(Float64Array.from([0, 1, 1, 5, 10, 11]), 0, 10);
  assert.equal(counts.reduce((a, b) => a + b), 5);
  assert.equal(counts[0], 1);
  assert.equal(counts[255], 1);
});

test("brightness rises from 0 to 1, linear and logarithmic", () => {
  for (const log of [false, true]) {
    assert.equal(brightness(-5, 0, 100, log), 0);
    assert.ok(Math.abs(brightness(100, 0, 100, log) - 1) < 1e-12);
    assert.ok(brightness(10, 0, 100, log) < brightness(11, 0, 100, log));
  }
  assert.ok(brightness(10, 0, 100, true) > brightness(10, 0, 100, false));
});

test("a dragged level never passes the other", () => {
  assert.ok(withLevel([0, 10], 0, 50)[0] < 10);
  assert.ok(withLevel([0, 10], 1, -50)[1] > 0);
  assert.deepEqual(withLevel([0, 10], 1, 7), [0, 7]);
});

test("saturated and bad pixels do not stretch the contrast", () => {
  const found = sample(new Uint16Array([5, 0, 7, 65535, 6, 0]), 65535, new Uint32Array([1, 5]));
  assert.deepEqual([...found], [5, 6, 7]);
});
