/** The picture on the screen: what is drawn where, and what mouse, fingers and keys do to it. */

import { Camera, viewFor } from "./camera.js";
import { CanvasPainter } from "./canvas.js";
import { GlPainter } from "./gl.js";
import { drawOverlay } from "./overlay.js";
import { sampleAt } from "./profile.js";
import { h } from "../dom.js";

const STEP = 1.25;
const CLICK = 4; // CSS pixels that a click may wander
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
    /** @type {Map<number, {x: number, y: number}>} fingers and buttons that are down */
    this.pointers = new Map();
    this.asked = "";
    this.timer = 0;
    this.pending = 0;
    this.listen();
    new ResizeObserver(() => this.resize()).observe(this.element);
  }

  get painterName() {
    return this.painter instanceof GlPainter ? "WebGL2" : "canvas";
  }

  /** @param {Frame} frame */
  show(frame) {
    this.frame = frame;
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

  listen() {
    const { overlay } = this;
    overlay.addEventListener("pointerdown", (event) => this.down(event));
    overlay.addEventListener("pointermove", (event) => this.move(event));
    for (const name of /** @type {const} */ (["pointerup", "pointercancel"]))
      overlay.addEventListener(name, (event) => this.up(event));
    overlay.addEventListener("pointerleave", () => {
      if (document.activeElement !== overlay && !this.profiles) this.setPoint(null);
    });
    overlay.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        const { x, y } = this.local(event);
        const turned = event.deltaMode === 1 ? event.deltaY * 20 : event.deltaY;
        this.zoom(Math.exp(-Math.max(-200, Math.min(200, turned)) * 0.002), x, y);
      },
      { passive: false },
    );
    overlay.addEventListener("dblclick", () => this.fit());
    overlay.addEventListener("keydown", (event) => this.key(event));
  }

  /** @param {MouseEvent} event */
  local(event) {
    const box = this.overlay.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  /** @param {PointerEvent} event */
  down(event) {
    this.overlay.setPointerCapture(event.pointerId);
    const at = this.local(event);
    this.pointers.set(event.pointerId, at);
    this.start = at;
    this.setPoint(this.camera.toImage(at.x, at.y));
  }

  /** @param {PointerEvent} event */
  move(event) {
    const at = this.local(event);
    const before = this.pointers.get(event.pointerId);
    if (!before) return this.setPoint(this.camera.toImage(at.x, at.y));
    if (this.pointers.size === 2) this.pinch(event.pointerId, before, at);
    else if (this.mode === "region") this.draft = this.between(this.start ?? at, at);
    else this.camera.pan(at.x - before.x, at.y - before.y);
    this.pointers.set(event.pointerId, at);
    this.changed();
  }

  /** @param {number} id @param {{x: number, y: number}} before @param {{x: number, y: number}} at */
  pinch(id, before, at) {
    const other = [...this.pointers].find(([key]) => key !== id)?.[1] ?? at;
    const distance = (/** @type {{x: number, y: number}} */ p) => Math.hypot(p.x - other.x, p.y - other.y) || 1;
    this.camera.pan((at.x - before.x) / 2, (at.y - before.y) / 2);
    this.camera.zoom(distance(at) / distance(before), (at.x + other.x) / 2, (at.y + other.y) / 2);
  }

  /** @param {PointerEvent} event */
  up(event) {
    this.pointers.delete(event.pointerId);
    const draft = this.draft;
    if (!draft) return;
    this.draft = null;
    this.mode = "pan";
    this.redraw();
    if (draft.width * this.camera.scale > CLICK && draft.height * this.camera.scale > CLICK) this.events.onRegion(draft);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (arrow && event.shiftKey) this.step(arrow[0], arrow[1]);
    else if (arrow) {
      this.camera.pan(-arrow[0] * 40, -arrow[1] * 40);
      this.changed();
    } else if (event.key === "+" || event.key === "=") this.zoom(STEP);
    else if (event.key === "-") this.zoom(1 / STEP);
    else if (event.key === "0" || event.key === "f") this.fit();
    else if (event.key === "1") this.actualSize();
    else if (event.key === "Escape") {
      this.mode = "pan";
      this.draft = null;
      this.setPoint(null);
    } else return;
    event.preventDefault();
  }

  /** Move the cross-hair by samples. @param {number} dx @param {number} dy */
  step(dx, dy) {
    if (!this.frame) return;
    const { stepX, stepY } = this.frame.header;
    const from = this.point ?? { x: this.camera.x, y: this.camera.y };
    this.setPoint({ x: from.x + dx * stepX, y: from.y + dy * stepY });
  }

  /** The rectangle of whole pixels between two points of the screen. @param {{x: number, y: number}} a @param {{x: number, y: number}} b */
  between(a, b) {
    const { imageWidth, imageHeight } = this.camera;
    const from = this.camera.toImage(Math.min(a.x, b.x), Math.min(a.y, b.y));
    const to = this.camera.toImage(Math.max(a.x, b.x), Math.max(a.y, b.y));
    const x = Math.max(0, Math.floor(from.x));
    const y = Math.max(0, Math.floor(from.y));
    return { x, y, width: Math.min(imageWidth, Math.ceil(to.x)) - x, height: Math.min(imageHeight, Math.ceil(to.y)) - y };
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
