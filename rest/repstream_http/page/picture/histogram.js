/** The histogram under the picture, with two handles for the contrast. */

import { BINS, histogram, withLevel } from "./contrast.js";
import { colourOf, h, setAttribute } from "../dom.js";
import { measured } from "../format.js";

const MARGIN = 0.08; // shown beyond the levels and values, as a share of what lies between
const KEY_STEP = 0.01;
const PAGE_STEP = 0.1;
const DRAW = 200; // ms between two drawings while pictures come

export class HistogramView {
  /** @param {(levels: [number, number]) => void} onLevels called while a person drags */
  constructor(onLevels) {
    this.onLevels = onLevels;
    /** @type {[number, number]} */
    this.levels = [0, 1];
    /** @type {[number, number]} what the axis spans */
    this.span = [0, 1];
    this.sorted = new Float64Array();
    this.timer = 0;
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.handles = /** @type {const} */ ([0, 1]).map((which) => this.handle(which));
    this.element = h("div", { class: "histogram" }, this.canvas, ...this.handles);
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  /** @param {Float64Array<ArrayBuffer>} sorted values of the picture @param {[number, number]} levels */
  show(sorted, levels) {
    this.sorted = sorted;
    this.levels = levels;
    if (!this.dragging) this.span = spanOf(sorted, levels);
    this.redraw();
  }

  /** Draw soon; a picture that came meanwhile is drawn instead. */
  redraw() {
    this.timer ||= setTimeout(() => {
      this.timer = 0;
      this.draw();
    }, DRAW);
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!width) return;
    const [low, high] = this.span;
    const x = (/** @type {number} */ value) => ((value - low) / (high - low)) * width;
    this.handles.forEach((handle, which) => {
      const value = this.levels[which];
      handle.style.left = `${Math.min(width, Math.max(0, x(value)))}px`;
      setAttribute(handle, "aria-valuenow", String(Number(value.toPrecision(6))));
      setAttribute(handle, "aria-valuetext", measured(value, 4));
      setAttribute(handle, "aria-valuemin", String(Number(low.toPrecision(6))));
      setAttribute(handle, "aria-valuemax", String(Number(high.toPrecision(6))));
    });
    const ratio = devicePixelRatio;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    const context = this.canvas.getContext("2d");
    if (!context) return;
    context.scale(ratio, ratio);
    const { counts } = histogram(this.sorted, low, high);
    const tallest = Math.log1p(counts.reduce((a, b) => Math.max(a, b), 1));
    context.fillStyle = colourOf(this.element, "--faint");
    context.fillRect(x(this.levels[0]), 0, x(this.levels[1]) - x(this.levels[0]), height);
    context.fillStyle = colourOf(this.element, "--muted");
    for (let bin = 0; bin < BINS; bin += 1) {
      const tall = (Math.log1p(counts[bin]) / tallest) * (height - 2);
      if (tall > 0) context.fillRect((bin * width) / BINS, height - tall, width / BINS + 0.4, tall);
    }
  }

  /** @param {0 | 1} which */
  handle(which) {
    const label = which === 0 ? "Value shown darkest" : "Value shown brightest";
    const handle = h("div", { class: `handle ${which ? "high" : "low"}`, role: "slider", tabIndex: 0, "aria-label": label });
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      this.dragging = true;
    });
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const box = this.element.getBoundingClientRect();
      this.set(which, this.span[0] + ((event.clientX - box.left) / box.width) * (this.span[1] - this.span[0]));
    });
    handle.addEventListener("pointerup", () => {
      this.dragging = false;
      this.show(this.sorted, this.levels);
    });
    handle.addEventListener("keydown", (event) => {
      const direction = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -1, PageUp: 1 }[event.key];
      if (direction === undefined) return;
      const share = event.key.startsWith("Page") ? PAGE_STEP : KEY_STEP;
      this.set(which, this.levels[which] + direction * share * (this.span[1] - this.span[0]));
      event.preventDefault();
    });
    return handle;
  }

  /** @param {0 | 1} which @param {number} value */
  set(which, value) {
    this.levels = withLevel(this.levels, which, value);
    this.onLevels(this.levels);
    this.draw();
  }
}

/**
 * What the axis spans: the levels and nearly all values, with a margin.
 * @param {Float64Array} sorted
 * @param {[number, number]} levels
 * @returns {[number, number]}
 */
function spanOf(sorted, levels) {
  const least = sorted.length ? sorted[0] : levels[0];
  const most = sorted.length ? sorted[Math.floor((sorted.length - 1) * 0.9995)] : levels[1];
  const low = Math.min(least, levels[0]);
  const high = Math.max(most, levels[1]);
  const margin = (high - low || 1) * MARGIN;
  return [low - margin, high + margin];
}
