/** What a rectangle on a camera's or a pipeline's picture means. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { asMarker, asRegion, regionOf } from "../../../rest/repstream_http/page/cameras/regions.js";

const BOX = { x: 3, y: 4, width: 10, height: 20 };

test("a rectangle in a part of the image is counted from the whole image", () => {
  assert.deepEqual(asRegion("pipeline", {}, BOX), { image_region_of_interest: [3, 10, 4, 20] });
  assert.deepEqual(asRegion("pipeline", { image_region_of_interest: [100, 50, 200, 60] }, BOX), { image_region_of_interest: [103, 10, 204, 20] });
  assert.deepEqual(asRegion("camera", { roi: [1, 50, 2, 60] }, BOX), { roi: [4, 10, 6, 20] });
  assert.deepEqual(asRegion("camera", { roi: [1, 50, 2, 60] }, null), { roi: null });
  assert.equal(regionOf("camera", { roi: null }), null);
});

test("a marker keeps the angles and counts from the whole image", () => {
  const held = { roi: [5, 100, 6, 100], camera_calibration: { angle_horizontal: 3 } };
  assert.deepEqual(asMarker(held, BOX, 1000, 500).camera_calibration,
    { angle_horizontal: 3, reference_marker: [8, 10, 18, 30], reference_marker_width: 1000, reference_marker_height: 500 });
});
