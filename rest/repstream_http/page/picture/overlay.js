/** What is drawn over the picture: regions, cross-hair, profiles, and values once pixels are large. */

import { columnProfile, range, rowProfile } from "./profile.js";
import { measured } from "../format.js";

const STRIP = 0.2; // share of the picture that a profile takes
const VALUES_FROM = 38; // CSS pixels a sample from which its value is written into it
const INK = "#ffffff";
const HALO = "rgba(0, 0, 0, 0.65)";
const THIN = "rgba(255, 255, 255, 0.55)";
const PROFILE = "#7fd4ff";

/** @typedef {import("./viewer.js").Viewer} Viewer */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Viewer} viewer
 * @param {number} ratio device pixels a CSS pixel
 */
export function drawOverlay(canvas, viewer, ratio) {
  const context = canvas.getContext("2d");
  if (!context) return;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!viewer.frame) return;
  context.font = "12px system-ui, sans-serif";
  context.lineJoin = "round";
  drawValues(context, viewer);
  for (const region of viewer.regions) drawRegion(context, viewer, region, region.colour, region.name);
  if (viewer.draft) {
    const { width, height } = viewer.draft;
    drawRegion(context, viewer, viewer.draft, INK, `${width} × ${height}`);
  }
  if (viewer.profiles) drawProfiles(context, viewer);
  if (viewer.point) drawCross(context, viewer);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Viewer} viewer
 * @param {import("./camera.js").Rectangle} box
 * @param {string} colour
 * @param {string} label
 */
function drawRegion(context, viewer, box, colour, label) {
  const from = viewer.camera.toScreen(box.x, box.y);
  const to = viewer.camera.toScreen(box.x + box.width, box.y + box.height);
  for (const [style, width] of /** @type {[string, number][]} */ ([[HALO, 3.5], [colour, 1.75]])) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.strokeRect(from.x, from.y, to.x - from.x, to.y - from.y);
  }
  write(context, label, from.x + 5, from.y > 20 ? from.y - 5 : from.y + 16, colour);
}

/** @param {CanvasRenderingContext2D} context @param {Viewer} viewer */
function drawCross(context, viewer) {
  const point = /** @type {{x: number, y: number}} */ (viewer.point);
  const { x, y } = viewer.camera.toScreen(point.x, point.y);
  const long = viewer.profiles;
  for (const [style, width] of /** @type {[string, number][]} */ (long ? [[THIN, 1]] : [[HALO, 3], [INK, 1]])) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.beginPath();
    if (long) {
      context.moveTo(0, y);
      context.lineTo(viewer.camera.width, y);
      context.moveTo(x, 0);
      context.lineTo(x, viewer.camera.height);
    } else {
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(x + 4 * dx, y + 4 * dy);
        context.lineTo(x + 11 * dx, y + 11 * dy);
      }
    }
    context.stroke();
  }
}

/** @param {CanvasRenderingContext2D} context @param {Viewer} viewer */
function drawProfiles(context, viewer) {
  const sample = viewer.sample();
  if (!sample || !viewer.frame) return;
  const { header } = viewer.frame;
  const { camera } = viewer;
  const top = header.saturation;
  const row = rowProfile(viewer.frame, sample.row);
  const column = columnProfile(viewer.frame, sample.column);
  const deep = { x: camera.width * STRIP, y: camera.height * STRIP };
  // Along the edges of the image, or of what is seen of it.
  const left = Math.max(0, camera.toScreen(0, 0).x) + 4;
  const bottom = Math.min(camera.height, camera.toScreen(0, camera.imageHeight).y) - 4;
  const ranges = [range(row, top), range(column, top)];
  line(context, row, ranges[0], (place, share) => ({
    x: camera.toScreen(header.originX + place * header.stepX, 0).x,
    y: bottom - share * deep.y,
  }));
  line(context, column, ranges[1], (place, share) => ({
    x: left + share * deep.x,
    y: camera.toScreen(0, header.originY + place * header.stepY).y,
  }));
  const right = Math.min(camera.width, camera.toScreen(camera.imageWidth, 0).x) - 4;
  const upper = Math.max(0, camera.toScreen(0, 0).y) + 15;
  ranges[0].forEach((value, n) => scale(context, value, right, bottom - n * deep.y, "right"));
  ranges[1].forEach((value, n) => scale(context, value, left + n * deep.x, upper, n ? "center" : "left"));
}

/**
 * One end of a profile's scale.
 * @param {CanvasRenderingContext2D} context
 * @param {number} value
 * @param {number} x
 * @param {number} y
 * @param {CanvasTextAlign} align
 */
function scale(context, value, x, y, align) {
  context.textAlign = align;
  write(context, measured(value, 4), x, y, INK);
  context.textAlign = "start";
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {ArrayLike<number>} values
 * @param {[number, number]} limits
 * @param {(place: number, share: number) => {x: number, y: number}} at
 */
function line(context, values, [low, high], at) {
  context.beginPath();
  for (let i = 0; i < values.length; i += 1) {
    const { x, y } = at(i + 0.5, Math.min(1, Math.max(0, (values[i] - low) / (high - low))));
    if (i) context.lineTo(x, y);
    else context.moveTo(x, y);
  }
  context.strokeStyle = HALO;
  context.lineWidth = 3.5;
  context.stroke();
  context.strokeStyle = PROFILE;
  context.lineWidth = 1.5;
  context.stroke();
}

/** @param {CanvasRenderingContext2D} context @param {Viewer} viewer */
function drawValues(context, viewer) {
  const frame = /** @type {import("./profile.js").Frame} */ (viewer.frame);
  const { header, pixels } = frame;
  const { camera } = viewer;
  if (camera.scale * header.stepX < VALUES_FROM) return;
  const part = camera.visible();
  context.textAlign = "center";
  context.textBaseline = "middle";
  const from = { x: Math.max(0, Math.floor((part.x - header.originX) / header.stepX)), y: Math.max(0, Math.floor((part.y - header.originY) / header.stepY)) };
  const to = { x: Math.min(header.width, from.x + part.width / header.stepX + 1), y: Math.min(header.height, from.y + part.height / header.stepY + 1) };
  for (let row = from.y; row < to.y; row += 1) {
    for (let column = from.x; column < to.x; column += 1) {
      const at = camera.toScreen(header.originX + (column + 0.5) * header.stepX, header.originY + (row + 0.5) * header.stepY);
      write(context, measured(pixels[row * header.width + column], 4), at.x, at.y, INK);
    }
  }
  context.textAlign = "start";
  context.textBaseline = "alphabetic";
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {string} text
 * @param {number} x
 * @param {number} y
 * @param {string} colour
 */
function write(context, text, x, y, colour) {
  context.strokeStyle = HALO;
  context.lineWidth = 3;
  context.strokeText(text, x, y);
  context.fillStyle = colour;
  context.fillText(text, x, y);
}
