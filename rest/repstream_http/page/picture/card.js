/** The card of a picture: toolbar, viewer, value under the pointer, contrast and colours. */

import { autoLevels, sample } from "./contrast.js";
import { colourMaps } from "./colours.js";
import { HistogramView } from "./histogram.js";
import { Viewer } from "./viewer.js";
import { fill, h, setAttribute, setText, symbol } from "../dom.js";
import { measured } from "../format.js";

/**
 * @typedef {import("./wire.js").Header} Header
 * @typedef {import("./wire.js").Pixels} Pixels
 * @typedef {{auto: boolean, percent: number, log: boolean, colours: string, mark: boolean}} Choices kept in this browser
 */

const KEPT = "repstream.picture";
const PERCENTS = [100, 99.98, 99.8, 99, 95];
/** @type {Choices} */
const FIRST = { auto: true, percent: 99.8, log: false, colours: "inferno", mark: true };

export class PictureCard {
  /**
   * @param {{label: string, onView: (view: object) => void, onRegion?: (region: import("./camera.js").Rectangle) => void,
   *   controls?: Node[], link: (form: string) => string, onPause?: (paused: boolean) => void}} options
   *   `link`: the address of the picture as a file
   */
  constructor(options) {
    this.options = options;
    /** @type {Choices} */
    this.choices = { ...FIRST, ...JSON.parse(localStorage.getItem(KEPT) ?? "{}") };
    /** @type {[number, number]} */
    this.levels = [0, 1];
    this.sorted = new Float64Array();
    this.viewer = new Viewer({
      onPoint: () => this.showPoint(),
      onView: options.onView,
      onRegion: (region) => {
        setAttribute(this.tools.region, "aria-pressed", "false");
        options.onRegion?.(region);
      },
    });
    this.histogram = new HistogramView((levels) => {
      this.choices.auto = false;
      this.setLevels(levels);
      this.keep();
    });
    this.pointed = h("output", { class: "pointed", "aria-live": "off" });
    this.title = h("span", { class: "caption" });
    this.veil = h("div", { class: "veil", hidden: true }, h("p", {}));
    this.frozen = h("span", { class: "badge", role: "status", hidden: true });
    this.viewer.element.append(this.veil, this.frozen);
    this.tools = this.makeTools();
    this.controls = this.makeControls();
    this.element = h("section", { class: "card picture", "aria-label": options.label },
      h("div", { class: "toolbar", role: "toolbar", "aria-label": "Picture" }, options.controls ?? [], h("span", { class: "spring" }), Object.values(this.tools)),
      this.viewer.element,
      h("div", { class: "readout" }, this.pointed, h("span", { class: "spring" }), this.title),
      h("div", { class: "contrast" }, this.histogram.element, this.controls.element));
    this.applyLook();
  }

  makeTools() {
    const { viewer, options } = this;
    const tool = (/** @type {Parameters<typeof symbol>[0]} */ name, /** @type {string} */ label, /** @type {() => void} */ action) =>
      h("button", { class: "tool", type: "button", title: label, "aria-label": label, onclick: action }, symbol(name));
    /** @type {Record<string, HTMLElement>} */
    const tools = {};
    const toggle = (/** @type {string} */ name, /** @type {Parameters<typeof symbol>[0]} */ sign, /** @type {string} */ label, /** @type {(on: boolean) => void} */ action) => {
      tools[name] = tool(sign, label, () => {
        const on = tools[name].getAttribute("aria-pressed") !== "true";
        setAttribute(tools[name], "aria-pressed", String(on));
        action(on);
      });
      setAttribute(tools[name], "aria-pressed", "false");
    };
    if (options.onPause) toggle("pause", "pause", "Hold the picture", (on) => options.onPause?.(on));
    toggle("profiles", "profile", "Profiles along row and column", (on) => {
      viewer.profiles = on;
      viewer.point ??= { x: viewer.camera.x, y: viewer.camera.y };
      this.showPoint();
      viewer.redraw();
    });
    if (options.onRegion) toggle("region", "region", "Draw a region", (on) => (viewer.mode = on ? "region" : "pan"));
    tools.minus = tool("minus", "Zoom out", () => viewer.zoom(0.8));
    tools.plus = tool("plus", "Zoom in", () => viewer.zoom(1.25));
    tools.fit = tool("fit", "Show all of it", () => viewer.fit());
    const menu = h("div", { class: "menu" }, ["png", "jpg", "npy"].map((form) =>
      h("button", { class: "link", type: "button", "data-form": form, onclick: () => this.save(form) }, { png: "Picture (PNG)", jpg: "Picture (JPEG)", npy: "Values (NumPy)" }[form])));
    tools.save = h("details", { class: "save" }, h("summary", { class: "tool", title: "Save", "aria-label": "Save" }, symbol("save")), menu);
    return tools;
  }

  makeControls() {
    const { choices } = this;
    const changed = () => {
      choices.percent = Number(percent.value);
      choices.log = log.checked;
      choices.colours = colours.value;
      choices.mark = mark.checked;
      this.keep();
      this.applyLook();
      this.autoContrast();
    };
    const auto = h("input", { type: "checkbox", class: "switch", role: "switch", checked: choices.auto, onchange: () => {
      choices.auto = auto.checked;
      changed();
    } });
    const percent = h("select", { "aria-label": "Share of the pixels between the levels", onchange: changed },
      PERCENTS.map((p) => h("option", { value: String(p), selected: p === choices.percent }, `${p} %`)));
    const log = h("input", { type: "checkbox", class: "switch", role: "switch", checked: choices.log, onchange: changed });
    const colours = h("select", { "aria-label": "Colour map", onchange: changed },
      [...colourMaps.keys()].map((name) => h("option", { value: name, selected: name === choices.colours }, name)));
    const mark = h("input", { type: "checkbox", class: "switch", role: "switch", checked: choices.mark, onchange: changed });
    const levels = h("output", { class: "levels" });
    const element = h("div", { class: "controls" }, levels,
      h("label", { title: "Follow the picture" }, auto, "Auto"), percent, h("label", { title: "Logarithmic brightness" }, log, "Log"), colours,
      h("label", { title: "Mark saturated and bad pixels" }, mark, "Mark", h("i", { class: "marked" }), "saturated", h("i", { class: "marked bad" }), "bad"));
    return { element, auto, levels };
  }

  /** @param {Header} header @param {Pixels} pixels */
  show(header, pixels) {
    this.sorted = sample(pixels, header.saturation, header.bad);
    this.viewer.show({ header, pixels });
    this.viewer.look.mark = this.choices.mark ? header.saturation : Infinity;
    this.autoContrast();
    this.showPoint();
  }

  autoContrast() {
    if (this.choices.auto && this.sorted.length) this.levels = autoLevels(this.sorted, this.choices.percent);
    this.setLevels(this.levels);
  }

  /** @param {[number, number]} levels */
  setLevels(levels) {
    this.levels = levels;
    [this.viewer.look.low, this.viewer.look.high] = levels;
    this.controls.auto.checked = this.choices.auto;
    setText(this.controls.levels, `${measured(levels[0], 4)} … ${measured(levels[1], 4)}`);
    this.histogram.show(this.sorted, levels);
    this.viewer.redraw();
  }

  applyLook() {
    const { look, frame } = this.viewer;
    look.log = this.choices.log;
    look.marked = this.choices.mark;
    look.colours = colourMaps.get(this.choices.colours) ?? [...colourMaps.values()][0];
    look.mark = this.choices.mark && frame ? frame.header.saturation : Infinity;
  }

  keep() {
    localStorage.setItem(KEPT, JSON.stringify(this.choices));
  }

  showPoint() {
    const { point, frame } = this.viewer;
    const found = this.viewer.sample();
    setAttribute(this.pointed, "data-value", found ? String(found.value) : null);
    if (!point || !frame || !found) return setText(this.pointed, "");
    const { stepX, stepY } = frame.header;
    const kind = found.bad ? " bad pixel" : found.value >= frame.header.saturation ? " saturated" : "";
    const value = Number.isInteger(found.value) ? String(found.value) : measured(found.value, 6);
    const taken = stepX * stepY > 1 ? ` (${stepX} × ${stepY} pixels)` : "";
    setText(this.pointed, `x ${Math.floor(point.x)}  y ${Math.floor(point.y)}  value ${value}${kind}${taken}`);
  }

  /** A text over the picture, none where it is empty. @param {string} text */
  say(text) {
    this.veil.hidden = !text;
    setText(/** @type {HTMLElement} */ (this.veil.firstElementChild), text);
  }

  /** @param {string} text */
  setFrozen(text) {
    this.frozen.hidden = !text;
    setText(this.frozen, text);
  }

  /** The picture as a file, in the colours and contrast that are shown. @param {string} form */
  save(form) {
    const query = new URLSearchParams();
    if (form !== "npy") {
      query.set("low", String(this.levels[0]));
      query.set("high", String(this.levels[1]));
      query.set("log", String(this.choices.log));
      query.set("colours", this.choices.colours);
    }
    const name = this.viewer.frame ? `image_${this.viewer.frame.header.imageId}.${form}` : "";
    const link = this.options.link(form);
    h("a", { href: `${link}${link.includes("?") ? "&" : "?"}${query}`, download: name }).click();
    /** @type {HTMLDetailsElement} */ (this.tools.save).open = false;
  }

  /** Replace the controls at the left of the toolbar. @param {...Node} nodes */
  setControls(...nodes) {
    const bar = /** @type {HTMLElement} */ (this.element.firstElementChild);
    fill(bar, nodes, h("span", { class: "spring" }), Object.values(this.tools));
  }
}
