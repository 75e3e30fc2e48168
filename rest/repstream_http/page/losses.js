/** What was lost, where, and why. */

import { fill, h } from "./dom.js";
import { count } from "./format.js";

/** @typedef {import("./store.js").Store} Store */
/**
 * `planned`: at an output where losses are no alarm.
 * @typedef {{key: string, number: number, what: string, where: string, reason: string, planned: boolean}} Loss
 */

/**
 * Every kind of loss since the last start, the greatest number first.
 * @param {Pick<Store, "get" | "number" | "text" | "sections">} store
 * @returns {Loss[]}
 */
export function lossesOf(store) {
  /** @type {Loss[]} */
  const found = [];
  const add = (/** @type {string} */ section, /** @type {string} */ field, /** @type {string} */ what, /** @type {string} */ where, /** @type {string} */ reason, planned = false) => {
    const number = store.number(section, field) ?? 0;
    const plural = number === 1 ? what : what.replace(" ", "s ");
    if (number) found.push({ key: `${section}.${field}`, number, what: plural, where, reason, planned });
  };
  add("source", "missing", "frame missing", "at the input", "gaps in the frame ids");
  add("source", "malformed", "message malformed", "at the input", store.text("source", "malformed_reasons"));
  for (const group of ["streams", "writers"]) {
    for (const section of store.sections(group)) {
      const name = section.slice(section.indexOf(".") + 1);
      const where = group === "streams" ? `by stream ${name}` : `by writer ${name}`;
      const planned = store.get(section, "alarm_on_drop") === false;
      add(section, "dropped", "frame dropped", where, store.text(section, "dropped_reasons"), planned);
    }
  }
  return found.sort((a, b) => Number(a.planned) - Number(b.planned) || b.number - a.number);
}

export class LossesCard {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    this.list = h("ul", { class: "losses" });
    this.element = h("section", { class: "card", "aria-label": "Losses" }, h("h2", {}, "Losses"), this.list);
    this.shown = "";
  }

  update() {
    const losses = lossesOf(this.store);
    const text = JSON.stringify(losses);
    if (text === this.shown) return;
    this.shown = text;
    if (!losses.length) return fill(this.list, h("li", { class: "muted" }, "No frame was lost since the last start."));
    fill(
      this.list,
      losses.map((loss) =>
        h("li", { class: loss.planned ? "loss planned" : "loss", "data-key": loss.key },
          h("strong", {}, count(loss.number)), ` ${loss.what} ${loss.where}`,
          loss.reason ? h("span", { class: "reason" }, loss.reason) : null),
      ),
    );
  }
}
