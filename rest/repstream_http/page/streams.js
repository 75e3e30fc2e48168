/** The table of streams: policy, counters, clients. */

import { fill, h, setAttribute, setText } from "./dom.js";
import { count, measured, rate } from "./format.js";
import { addButton, allow, settingsHash } from "./outputs.js";

/** @typedef {import("./store.js").Store} Store */

const COLUMNS = /** @type {const} */ (["Stream", "Policy", "Rate", "Sent", "Left out", "Dropped", "Queue", "Clients"]);

/**
 * The policy of a stream with the parameters that it uses, in short.
 * @param {Pick<Store, "get" | "text">} store
 * @param {string} section
 */
export function policyText(store, section) {
  const policy = store.text(section, "policy");
  const value = (/** @type {string} */ field) => String(store.get(section, field) ?? "?");
  /** @type {Record<string, () => string>} */
  const texts = {
    forward: () => "all frames",
    send_every_nth: () => (value("every_nth") === "1" ? "all frames" : `every ${value("every_nth")}th`),
    send_every_sec: () => `one each ${value("every_sec")} s`,
    send_every_nth_frame: () => `${value("burst")} in ${value("frame_block")}`,
    batch: () => `batches of ${value("burst")} in ${value("frame_block")}`,
    strides: () => `${value("stride")} on, ${value("stride")} off`,
    periodic: () => `${value("burst")} at ${value("burst_rate")} Hz`,
    modulo: () => `one in ${value("modulo")}`,
  };
  return (texts[policy] ?? (() => policy.replaceAll("_", " ")))();
}

export class StreamsCard {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    this.body = h("tbody");
    /** @type {HTMLButtonElement | null} */
    this.add = null;
    this.addPlace = h("span");
    const head = h("tr", {}, COLUMNS.map((name, n) => h("th", { class: n > 1 ? "number" : "", scope: "col" }, name)));
    this.element = h("section", { class: "card wide streams", "aria-label": "Streams" },
      h("header", {}, h("h2", {}, "Streams"), this.addPlace), h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Table of streams" }, h("table", { class: "stacked" }, h("thead", {}, head), this.body)));
    /** @type {string | null} */
    this.names = null;
    /** @type {Map<string, HTMLTableCellElement[]>} */
    this.rows = new Map();
  }

  update() {
    const sections = this.store.sections("streams");
    if (sections.join() !== this.names) this.rebuild(sections);
    allow(this.add);
    for (const [section, cells] of this.rows) this.updateRow(section, cells);
  }

  /** @param {string[]} sections */
  rebuild(sections) {
    this.names = sections.join();
    fill(this.addPlace, (this.add = addButton(this.store, "streams")));
    this.rows = new Map(sections.map((section) => [section, COLUMNS.map((label, n) => h("td", { class: n > 1 ? "number" : "", "data-label": label }))]));
    for (const [section, cells] of this.rows) {
      const name = section.slice(section.indexOf(".") + 1);
      fill(cells[0], h("a", { class: "link", href: settingsHash(this.store, section), title: `Settings of stream ${name}` }, name));
    }
    const empty = h("tr", {}, h("td", { class: "muted", colSpan: COLUMNS.length }, "No stream is configured."));
    fill(this.body, sections.length ? [...this.rows.values()].map((cells) => h("tr", {}, cells)) : empty);
  }

  /** @param {string} section @param {HTMLTableCellElement[]} cells */
  updateRow(section, cells) {
    const { store } = this;
    const number = (/** @type {string} */ field) => store.number(section, field);
    const enabled = store.get(section, "enable") !== false;
    const dropped = number("dropped") ?? 0;
    const texts = [
      enabled ? policyText(store, section) : "off",
      `${rate(number("rate"))} Hz`,
      count(number("sent")),
      count(number("skipped")),
      count(dropped),
      `${count(number("queued"))} (${measured(number("queue_use"), 2)} %)`,
      count(number("clients")),
    ];
    texts.forEach((text, n) => setText(cells[n + 1], text));
    setAttribute(cells[1], "title", `${store.text(section, "mode")} ${store.text(section, "address")}`);
    setAttribute(cells[4], "title", store.text(section, "skipped_reasons"));
    setAttribute(cells[5], "title", store.text(section, "dropped_reasons"));
    cells[5].classList.toggle("lost", dropped > 0 && store.get(section, "alarm_on_drop") !== false);
    cells[6].classList.toggle("warning", (number("queue_use") ?? 0) >= 70);
    cells[0].parentElement?.classList.toggle("off", !enabled);
  }
}
