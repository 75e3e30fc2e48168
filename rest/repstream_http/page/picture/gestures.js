/** What mouse, fingers and keys do to a picture: wheel and pinch zoom, dragging pans or draws a region. */

const STEP = 1.25;
const CLICK = 4; // CSS pixels that a click may wander
const PAN = 40; // CSS pixels that an arrow key moves
const ARROWS = /** @type {Record<string, [number, number]>} */ ({
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
});

/**
 * @typedef {import("./viewer.js").Viewer} Viewer
 * @typedef {{x: number, y: number}} Point in CSS pixels of the canvas, or in pixels of the image
 */

/** Let a viewer be used. @param {Viewer} viewer */
export function listen(viewer) {
  const { overlay } = viewer;
  const gestures = new Gestures(viewer);
  overlay.addEventListener("pointerdown", (event) => gestures.down(event));
  overlay.addEventListener("pointermove", (event) => gestures.move(event));
  overlay.addEventListener("pointerup", (event) => gestures.up(event));
  overlay.addEventListener("pointercancel", (event) => gestures.up(event));
  overlay.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "touch") return; // the finger is lifted, and the value is still to be read
    if (document.activeElement !== overlay && !viewer.profiles) viewer.setPoint(null);
  });
  overlay.addEventListener("wheel", (event) => gestures.wheel(event), { passive: false });
  overlay.addEventListener("dblclick", () => viewer.fit());
  overlay.addEventListener("keydown", (event) => {
    if (pressed(viewer, event)) event.preventDefault();
  });
}

class Gestures {
  /** @param {Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    /** Fingers and buttons that are down. @type {Map<number, Point>} */
    this.pointers = new Map();
    /** Where the first one went down. @type {Point} */
    this.start = { x: 0, y: 0 };
  }

  /** @param {MouseEvent} event @returns {Point} */
  at(event) {
    const box = this.viewer.overlay.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    event.preventDefault();
    const { x, y } = this.at(event);
    const turned = event.deltaMode === 1 ? event.deltaY * 20 : event.deltaY;
    this.viewer.zoom(Math.exp(-Math.max(-200, Math.min(200, turned)) * 0.002), x, y);
  }

  /** @param {PointerEvent} event */
  down(event) {
    const { viewer } = this;
    viewer.overlay.setPointerCapture(event.pointerId);
    this.start = this.at(event);
    this.pointers.set(event.pointerId, this.start);
    viewer.setPoint(viewer.camera.toImage(this.start.x, this.start.y));
  }

  /** @param {PointerEvent} event */
  move(event) {
    const { viewer } = this;
    const at = this.at(event);
    const before = this.pointers.get(event.pointerId);
    if (!before) return viewer.setPoint(viewer.camera.toImage(at.x, at.y));
    if (this.pointers.size === 2) this.pinch(event.pointerId, before, at);
    else if (viewer.mode === "region") viewer.draft = between(viewer, this.start, at);
    else viewer.camera.pan(at.x - before.x, at.y - before.y);
    this.pointers.set(event.pointerId, at);
    viewer.changed();
  }

  /** @param {number} id @param {Point} before @param {Point} at */
  pinch(id, before, at) {
    const { camera } = this.viewer;
    const other = [...this.pointers].find(([key]) => key !== id)?.[1] ?? at;
    const distance = (/** @type {Point} */ p) => Math.hypot(p.x - other.x, p.y - other.y) || 1;
    camera.pan((at.x - before.x) / 2, (at.y - before.y) / 2);
    camera.zoom(distance(at) / distance(before), (at.x + other.x) / 2, (at.y + other.y) / 2);
  }

  /** @param {PointerEvent} event */
  up(event) {
    const { viewer } = this;
    this.pointers.delete(event.pointerId);
    const { draft } = viewer;
    if (!draft) return;
    viewer.draft = null;
    viewer.mode = "pan";
    viewer.redraw();
    const { scale } = viewer.camera;
    if (draft.width * scale > CLICK && draft.height * scale > CLICK) viewer.events.onRegion(draft);
  }
}

/** Whether a key meant something here. @param {Viewer} viewer @param {KeyboardEvent} event */
function pressed(viewer, event) {
  const arrow = ARROWS[event.key];
  /** @type {Record<string, () => void>} */
  const keys = {
    "+": () => viewer.zoom(STEP),
    "=": () => viewer.zoom(STEP),
    "-": () => viewer.zoom(1 / STEP),
    0: () => viewer.fit(),
    f: () => viewer.fit(),
    1: () => viewer.actualSize(),
    Escape: () => {
      viewer.mode = "pan";
      viewer.draft = null;
      viewer.setPoint(null);
    },
  };
  if (event.altKey || event.ctrlKey || event.metaKey || !(arrow || keys[event.key])) return false;
  if (!arrow) keys[event.key]();
  else if (event.shiftKey) step(viewer, arrow[0], arrow[1]);
  else {
    viewer.camera.pan(-arrow[0] * PAN, -arrow[1] * PAN);
    viewer.changed();
  }
  return true;
}

/** Move the cross-hair by samples. @param {Viewer} viewer @param {number} dx @param {number} dy */
function step(viewer, dx, dy) {
  if (!viewer.frame) return;
  const { stepX, stepY } = viewer.frame.header;
  const from = viewer.point ?? { x: viewer.camera.x, y: viewer.camera.y };
  viewer.setPoint({ x: from.x + dx * stepX, y: from.y + dy * stepY });
}

/** The rectangle of whole pixels between two points of the screen. @param {Viewer} viewer @param {Point} a @param {Point} b */
function between({ camera }, a, b) {
  const from = camera.toImage(Math.min(a.x, b.x), Math.min(a.y, b.y));
  const to = camera.toImage(Math.max(a.x, b.x), Math.max(a.y, b.y));
  const x = Math.max(0, Math.floor(from.x));
  const y = Math.max(0, Math.floor(from.y));
  return {
    x,
    y,
    width: Math.min(camera.imageWidth, Math.ceil(to.x)) - x,
    height: Math.min(camera.imageHeight, Math.ceil(to.y)) - y,
  };
}
