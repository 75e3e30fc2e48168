/** Draws a picture without WebGL2, as `GlPainter` does with it; slower. */

import { brightness } from "./contrast.js";
import { BAD, MARK } from "./gl.js";

/** @typedef {import("./wire.js").Header} Header */
/** @typedef {import("./wire.js").Pixels} Pixels */
/** @typedef {import("./gl.js").Look} Look */

const LEVELS = 4096;

export class CanvasPainter {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    const context = canvas.getContext("2d");
    if (!context) throw new Error("this browser has no canvas");
    this.canvas = canvas;
    this.context = context;
    this.buffer = document.createElement("canvas");
    /** @type {Header | null} */
    this.header = null;
    /** @type {Pixels | null} */
    this.pixels = null;
    this.shown = "";
  }

  /** @param {Header} header @param {Pixels} pixels */
  load(header, pixels) {
    this.header = header;
    this.pixels = pixels;
    this.shown = "";
  }

  /**
   * @param {{x: number, y: number, width: number, height: number}} place
   * @param {Look} look
   */
  draw(place, look) {
    const { context, canvas, header } = this;
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!header) return;
    const wanted = `${look.low} ${look.high} ${look.log} ${look.marked} ${look.mark} ${look.colours[0]} ${look.colours[384]}`;
    if (wanted !== this.shown) this.colour(header, look);
    this.shown = wanted;
    context.imageSmoothingEnabled = false;
    context.drawImage(this.buffer, place.x, place.y, place.width, place.height);
  }

  /** @param {Header} header @param {Look} look */
  colour(header, look) {
    const { buffer } = this;
    const pixels = /** @type {Pixels} */ (this.pixels);
    buffer.width = header.width;
    buffer.height = header.height;
    const context = /** @type {CanvasRenderingContext2D} */ (buffer.getContext("2d"));
    const image = context.createImageData(header.width, header.height);
    const shown = new Uint32Array(image.data.buffer);
    const table = colourTable(look);
    const mark = packed(MARK[0], MARK[1], MARK[2]);
    const scale = (LEVELS - 1) / (look.high - look.low || 1);
    for (let i = 0; i < shown.length; i += 1) {
      const value = pixels[i];
      const level = Math.min(LEVELS - 1, Math.max(0, (value - look.low) * scale)) | 0;
      shown[i] = value >= look.mark ? mark : table[level];
    }
    const bad = packed(BAD[0], BAD[1], BAD[2]);
    if (look.marked) for (const place of header.bad) shown[place] = bad;
    context.putImageData(image, 0, 0);
  }
}

/** @param {Look} look */
function colourTable(look) {
  const table = new Uint32Array(LEVELS);
  for (let level = 0; level < LEVELS; level += 1) {
    const at = Math.round(brightness(level, 0, LEVELS - 1, look.log) * 255) * 4;
    table[level] = packed(look.colours[at], look.colours[at + 1], look.colours[at + 2]);
  }
  return table;
}

/** @param {number} red @param {number} green @param {number} blue as a little-endian RGBA word */
function packed(red, green, blue) {
  return (255 << 24) | (blue << 16) | (green << 8) | red;
}
