/** The picture on the screen: what is drawn where, and what mouse, fingers and keys do to it. */

import { Camera, viewFor } from "./camera.js";
import { CanvasPainter } from "./canvas.js";
import { listen } from "./gestures.js";
import { GlPainter } from "./gl.js";
import { drawOverlay } from "./overlay.js";
import { sampleAt } from "./profile.js";
import { h } from "../dom.js";

const ASK = 120; // ms after the last move before the server is asked for another part

/**
 * @typedef {import("./camera.js").Rectangle} Rectangle
 * @typedef {import("./profile.js").Frame} Frame
 * @typedef {{name: string, x: number, y: number, width: number, height: number, colour: string}} Region
 * @typedef {{onPoint: () => void, onView: (view: ReturnType<typeof viewFor>) => void,
 *   onRegion: (region: Rectangle) => void}} Events
 */

export class Viewer {
  /** @param {Events} events */
  constructor(events) {
    this.events = events;
    this.camera = new Camera();
    /** @type {import("./gl.js").Look} */
    this.look = { low: 0, high: 1, log: false, marked: true, mark: Infinity, colours: new Uint8Array(1024) };
    /** @type {Frame | null} */
    this.frame = null;
    /** The point of the image that is looked at. @type {{x: number, y: number} | null} */
    this.point = null;
    /** @type {Region[]} */
    this.regions = [];
    /** A region that is being drawn. @type {Rectangle | null} */
    this.draft = null;
    this.profiles = false;
    /** What dragging does. @type {"pan" | "region"} */
    this.mode = "pan";
    this.canvas = h("canvas", { class: "pixels" });
    this.overlay = h("canvas", {
      class: "overlay",
      tabIndex: 0,
      role: "img",
      "aria-label": "Live picture. Plus and minus zoom, 0 shows all of it, arrows move it, with Shift they move the cross-hair.",
    });
    this.element = h("div", { class: "viewer" }, this.canvas, this.overlay);
    this.painter = painterFor(this.canvas);
    this.asked = "";
    this.timer = 0;
    this.pending = 0;
    listen(this);
    new ResizeObserver(() => this.resize()).observe(this.element);
  }

  get painterName() {
    return this.painter instanceof GlPainter ? "WebGL2" : "canvas";
  }

  /** @param {Frame} frame */
  show(frame) {
    this.frame = frame;
    this.element.style.aspectRatio = `${frame.header.fullWidth} / ${frame.header.fullHeight}`;
    this.camera.setImage(frame.header.fullWidth, frame.header.fullHeight);
    this.painter.load(frame.header, frame.pixels);
    this.changed();
  }

  /** Draw soon; many changes make one drawing. */
  redraw() {
    this.pending ||= requestAnimationFrame(() => {
      this.pending = 0;
      this.draw();
    });
  }

  draw() {
    const ratio = devicePixelRatio;
    if (this.frame) {
      const { originX, originY, stepX, stepY, width, height } = this.frame.header;
      const from = this.camera.toScreen(originX, originY);
      const to = this.camera.toScreen(originX + width * stepX, originY + height * stepY);
      const place = {
        x: from.x * ratio,
        y: from.y * ratio,
        width: (to.x - from.x) * ratio,
        height: (to.y - from.y) * ratio,
      };
      this.painter.draw(place, this.look);
    }
    drawOverlay(this.overlay, this, ratio);
  }

  /** Draw, and ask for another part of the image once it is at rest. */
  changed() {
    this.redraw();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), ASK);
  }

  ask() {
    const view = viewFor(this.camera, devicePixelRatio);
    const text = JSON.stringify(view);
    if (text === this.asked) return;
    this.asked = text;
    this.events.onView(view);
  }

  resize() {
    const { clientWidth, clientHeight } = this.element;
    if (!clientWidth || !clientHeight) return;
    const width = Math.round(clientWidth * devicePixelRatio);
    const height = Math.round(clientHeight * devicePixelRatio);
    for (const canvas of [this.canvas, this.overlay]) {
      canvas.width = width;
      canvas.height = height;
    }
    this.camera.resize(clientWidth, clientHeight);
    this.draw();
    this.changed();
  }

  /** @param {number} factor @param {number} [x] @param {number} [y] */
  zoom(factor, x, y) {
    this.camera.zoom(factor, x, y);
    this.changed();
  }

  fit() {
    this.camera.fit();
    this.changed();
  }

  /** One pixel of the image on one of the screen. */
  actualSize() {
    this.zoom(1 / devicePixelRatio / this.camera.scale);
  }

  /** The value at the point that is looked at, null where there is none. */
  sample() {
    return this.frame && this.point ? sampleAt(this.frame, this.point.x, this.point.y) : null;
  }

  /** @param {{x: number, y: number} | null} point */
  setPoint(point) {
    this.point = point;
    this.events.onPoint();
    this.redraw();
  }
}

/** @param {HTMLCanvasElement} canvas */
function painterFor(canvas) {
  try {
    return new GlPainter(canvas);
  } catch {
    return new CanvasPainter(canvas);
  }
}
