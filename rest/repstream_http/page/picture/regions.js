/** Regions of a slot: drawn here, counted by the engine, the same for everybody and every control system. */

import { fill, h, setText, symbol } from "../dom.js";
import { measured } from "../format.js";
import { Plot } from "../plots.js";

/** @typedef {import("../store.js").Store} Store */
/** @typedef {import("./camera.js").Rectangle} Rectangle */

export const MOST = 4;
const COLOURS = ["#ffd24a", "#7fd4ff", "#9be58a", "#ff9d7a"];
const LINES = ["--series-4", "--series-1", "--series-3", "--series-5"];
const PLACES = /** @type {const} */ (["x", "y", "width", "height"]);

/**
 * The regions of a slot that are in use.
 * @param {Pick<Store, "number" | "text">} store
 * @param {string} section "pictures.1"
 */
export function regionsOf(store, section) {
  return Array.from({ length: MOST }, (_, n) => {
    const head = `roi${n + 1}`;
    const [x, y, width, height] = PLACES.map((p) => store.number(section, `${head}_${p}`) ?? 0);
    return { head, number: n + 1, name: store.text(section, `${head}_name`) || `Region ${n + 1}`, x, y, width, height, colour: COLOURS[n] };
  }).filter((r) => r.width > 0 && r.height > 0);
}

/**
 * The values that make a drawn rectangle the first free region; null where all are in use.
 * @param {Pick<Store, "number" | "text">} store
 * @param {string} section
 * @param {Rectangle} box
 */
export function newRegion(store, section, box) {
  const used = new Set(regionsOf(store, section).map((r) => r.head));
  const free = Array.from({ length: MOST }, (_, n) => `roi${n + 1}`).find((head) => !used.has(head));
  if (!free) return null;
  return Object.fromEntries(PLACES.map((p) => [`${section}.${free}_${p}`, box[p]]));
}

export class RegionsPanel {
  /** @param {Store} store @param {string} section @param {import("../history.js").History} history */
  constructor(store, section, history) {
    this.store = store;
    this.section = section;
    this.list = h("div", { class: "region-list" });
    this.message = h("p", { class: "said refusal", role: "alert", hidden: true });
    this.plot = new Plot(history, {
      title: "Sums of the regions",
      least: 1,
      now: () => "",
      lines: () => regionsOf(store, section).map((r) => ({ key: `${section}.${r.head}_sum`, label: r.name, colour: LINES[r.number - 1] })),
    });
    this.element = h("div", { class: "regions", hidden: true }, this.list, this.plot.element);
    this.shown = "";
    /** @type {Map<string, HTMLElement>} */
    this.sums = new Map();
    history.listeners.add(() => this.element.isConnected && !this.element.hidden && this.plot.update());
  }

  /** @returns {ReturnType<typeof regionsOf>} what is to be drawn over the picture */
  update() {
    const regions = regionsOf(this.store, this.section);
    const shown = JSON.stringify(regions);
    if (shown !== this.shown) this.rebuild(regions);
    this.shown = shown;
    for (const [head, cell] of this.sums) setText(cell, measured(this.store.number(this.section, `${head}_sum`), 6));
    return regions;
  }

  /** @param {ReturnType<typeof regionsOf>} regions */
  rebuild(regions) {
    this.element.hidden = !regions.length;
    this.sums = new Map();
    fill(this.list, regions.map((r) => {
      const key = h("i", { class: "key" });
      key.style.background = `var(${LINES[r.number - 1]})`;
      const name = h("input", { type: "text", value: r.name, "aria-label": `Name of region ${r.number}`, onchange: () => this.write({ [`${this.section}.${r.head}_name`]: name.value }) });
      const sum = h("output", { class: "sum", "aria-label": `Sum of ${r.name}` });
      this.sums.set(r.head, sum);
      const remove = () => this.write({ [`${this.section}.${r.head}_width`]: 0, [`${this.section}.${r.head}_height`]: 0 });
      return h("div", { class: "region" }, key, name, h("span", { class: "muted" }, `${r.width} × ${r.height} at ${r.x}, ${r.y}`), sum,
        h("button", { class: "tool", type: "button", title: "Remove", "aria-label": `Remove ${r.name}`, onclick: remove }, symbol("trash")));
    }), this.message);
  }

  /** A rectangle that a person drew. @param {Rectangle} box */
  add(box) {
    const values = newRegion(this.store, this.section, box);
    if (values) return this.write(values);
    return this.say(`All ${MOST} regions are in use; remove one first.`);
  }

  /** @param {Record<string, import("../store.js").Value>} values */
  async write(values) {
    try {
      await this.store.write(values);
      this.say("");
    } catch (error) {
      this.say(/** @type {Error} */ (error).message);
    }
  }

  /** @param {string} text */
  say(text) {
    this.message.hidden = !text;
    if (text) this.element.hidden = false;
    setText(this.message, text);
  }
}
