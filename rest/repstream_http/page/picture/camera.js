/**
 * Where the image lies on the screen: zoom and pan. Pure.
 *
 * Image coordinates are pixels of the full image, (0, 0) the upper left corner of the first one;
 * screen coordinates are CSS pixels of the canvas. `scale` is CSS pixels a pixel of the image.
 */

export const MOST = 64;

/** @typedef {{x: number, y: number, width: number, height: number}} Rectangle */

export class Camera {
  constructor() {
    /** Size of the canvas. */
    this.width = 1;
    this.height = 1;
    /** Size of the full image. */
    this.imageWidth = 1;
    this.imageHeight = 1;
    this.scale = 1;
    /** The point of the image in the middle of the canvas. */
    this.x = 0.5;
    this.y = 0.5;
    /** Whether the whole image is kept in view when sizes change. */
    this.fitted = true;
  }

  /** The scale at which the whole image just fits. */
  get fitScale() {
    return Math.min(this.width / this.imageWidth, this.height / this.imageHeight);
  }

  /** @param {number} width @param {number} height */
  resize(width, height) {
    this.width = Math.max(1, width);
    this.height = Math.max(1, height);
    if (this.fitted) this.fit();
    else this.clamp();
  }

  /** Take the size of an image; another size than before is shown whole. @param {number} width @param {number} height */
  setImage(width, height) {
    if (width === this.imageWidth && height === this.imageHeight) return;
    this.imageWidth = width;
    this.imageHeight = height;
    this.fit();
  }

  fit() {
    this.fitted = true;
    this.scale = this.fitScale;
    this.x = this.imageWidth / 2;
    this.y = this.imageHeight / 2;
  }

  /**
   * Zoom so that the point of the image under (sx, sy) stays there.
   * @param {number} factor
   * @param {number} sx
   * @param {number} sy
   */
  zoom(factor, sx = this.width / 2, sy = this.height / 2) {
    const at = this.toImage(sx, sy);
    this.scale = Math.min(MOST, Math.max(this.fitScale, this.scale * factor));
    this.fitted = this.scale <= this.fitScale * 1.0001;
    if (this.fitted) return this.fit();
    this.x = at.x - (sx - this.width / 2) / this.scale;
    this.y = at.y - (sy - this.height / 2) / this.scale;
    this.clamp();
  }

  /** Move the image by CSS pixels. @param {number} dx @param {number} dy */
  pan(dx, dy) {
    this.x -= dx / this.scale;
    this.y -= dy / this.scale;
    this.clamp();
  }

  /** Show a rectangle of the image as large as it fits. @param {Rectangle} part */
  show(part) {
    this.scale = Math.min(MOST, Math.max(this.fitScale, Math.min(this.width / part.width, this.height / part.height)));
    this.fitted = false;
    this.x = part.x + part.width / 2;
    this.y = part.y + part.height / 2;
    this.clamp();
  }

  /** @param {number} sx @param {number} sy */
  toImage(sx, sy) {
    return { x: this.x + (sx - this.width / 2) / this.scale, y: this.y + (sy - this.height / 2) / this.scale };
  }

  /** @param {number} x @param {number} y */
  toScreen(x, y) {
    return { x: (x - this.x) * this.scale + this.width / 2, y: (y - this.y) * this.scale + this.height / 2 };
  }

  /** The part of the image that can be seen, in whole pixels. @returns {Rectangle} */
  visible() {
    const from = this.toImage(0, 0);
    const to = this.toImage(this.width, this.height);
    const x = Math.max(0, Math.floor(from.x));
    const y = Math.max(0, Math.floor(from.y));
    return {
      x,
      y,
      width: Math.min(this.imageWidth, Math.ceil(to.x)) - x,
      height: Math.min(this.imageHeight, Math.ceil(to.y)) - y,
    };
  }

  /** Keep the image on the canvas. */
  clamp() {
    this.x = held(this.x, this.imageWidth, this.width / this.scale);
    this.y = held(this.y, this.imageHeight, this.height / this.scale);
  }
}

/**
 * What a server is asked for, so that the visible part is as sharp as the screen can show: null for the
 * whole image; a part is taken a little larger and on a grid, so that small moves ask for nothing new.
 * @param {Camera} camera
 * @param {number} ratio device pixels a CSS pixel
 * @returns {{region: [number, number, number, number] | null, size: [number, number]}}
 */
export function viewFor(camera, ratio) {
  const size = /** @type {[number, number]} */ ([
    Math.max(64, Math.ceil((camera.width * ratio) / 64) * 64),
    Math.max(64, Math.ceil((camera.height * ratio) / 64) * 64),
  ]);
  const part = camera.visible();
  const share = (part.width * part.height) / (camera.imageWidth * camera.imageHeight);
  if (share > 0.6 || part.width <= 0 || part.height <= 0) return { region: null, size };
  const grid = Math.max(8, 2 ** Math.floor(Math.log2(Math.max(part.width, part.height) / 8)));
  const x = Math.max(0, (Math.floor(part.x / grid) - 1) * grid);
  const y = Math.max(0, (Math.floor(part.y / grid) - 1) * grid);
  const right = Math.min(camera.imageWidth, (Math.ceil((part.x + part.width) / grid) + 1) * grid);
  const bottom = Math.min(camera.imageHeight, (Math.ceil((part.y + part.height) / grid) + 1) * grid);
  const larger = (right - x) / part.width;
  return {
    region: [x, y, right - x, bottom - y],
    size: [Math.ceil(size[0] * larger), Math.ceil(size[1] * ((bottom - y) / part.height))],
  };
}

/** @param {number} centre @param {number} size @param {number} seen */
function held(centre, size, seen) {
  if (seen >= size) return size / 2;
  return Math.min(size - seen / 2, Math.max(seen / 2, centre));
}
