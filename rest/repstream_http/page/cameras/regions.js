/** What a rectangle drawn on a picture means in a configuration. Pure. */

/**
 * @typedef {{x: number, y: number, width: number, height: number}} Rectangle in pixels of the picture
 * @typedef {import("./server.js").Configuration} Configuration
 * @typedef {import("./server.js").Kind} Kind
 */

const KEY = { camera: "roi", pipeline: "image_region_of_interest" };

/** The part of the image that is sent, as [x, width, y, height]; null: all of it. @param {Kind} kind @param {Configuration} held */
export function regionOf(kind, held) {
  const region = held[KEY[kind]];
  return Array.isArray(region) && region.length === 4 ? region : null;
}

/**
 * The change that has only the rectangle sent; null as rectangle: all.
 * @param {Kind} kind @param {Configuration} held @param {Rectangle | null} box
 */
export function asRegion(kind, held, box) {
  if (!box) return { [KEY[kind]]: null };
  const [left, top] = corner(kind, held);
  return { [KEY[kind]]: [left + box.x, box.width, top + box.y, box.height] };
}

/**
 * The change that says how large the rectangle is, in the user's unit.
 * @param {Configuration} held of a camera @param {Rectangle} box @param {number} width @param {number} height
 */
export function asMarker(held, box, width, height) {
  const [left, top] = corner("camera", held);
  const [x, y] = [left + box.x, top + box.y];
  return { camera_calibration: { ...held.camera_calibration, reference_marker: [x, y, x + box.width, y + box.height], reference_marker_width: width, reference_marker_height: height } };
}

/** @param {Kind} kind @param {Configuration} held */
function corner(kind, held) {
  const region = regionOf(kind, held);
  return region ? [region[0], region[2]] : [0, 0];
}
