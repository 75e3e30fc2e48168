/** Every engine in a row: where it is, what it does, its load, since when; one that cannot be reached says why. */

import { fill, h, setAttribute, setText } from "./dom.js";
import { count, duration, rate, words } from "./format.js";
import { tone } from "./states.js";

/** @typedef {import("./store.js").Store} Store */

const COLUMNS = /** @type {const} */ (["Engine", "State", "Host", "Load", "Writers", "Up", "Starts"]);
/** @typedef {Record<typeof COLUMNS[number], HTMLTableCellElement>} Cells */

/**
 * What the writers do, in short: "main 30 of 100", or nothing where none writes.
 * @param {Pick<Store, "sections" | "text" | "number">} store
 */
export function writersText(store) {
  const writing = store.sections("writers").filter((section) => store.text(section, "state") === "WRITING");
  const texts = writing.map((section) => {
    const wanted = store.number(section, "num_requested");
    return `${section.slice(section.indexOf(".") + 1)} ${count(store.number(section, "num_written"))}${wanted ? ` of ${count(wanted)}` : ""}`;
  });
  return texts.join(", ") || "none writes";
}

export class EnginesCard {
  /** @param {Map<string, Store>} stores by engine */
  constructor(stores) {
    /** @type {[Store, Cells][]} */
    this.rows = [...stores.values()].map((store) => [store, /** @type {Cells} */ (Object.fromEntries(COLUMNS.map((name) => [name, h("td", { "data-label": name })])))]);
    for (const [store, cells] of this.rows) {
      fill(cells.Engine, h("a", { class: "link", href: `#live/${encodeURIComponent(store.engine)}` }, store.engine));
      fill(cells.State, h("span", { class: "state" }));
    }
    this.element = h("section", { class: "card wide all-engines", "aria-label": "All engines" },
      h("header", {}, h("h2", {}, "Engines")),
      h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Table of engines" },
        h("table", { class: "stacked" },
          h("thead", {}, h("tr", {}, COLUMNS.map((name) => h("th", { scope: "col" }, name)))),
          h("tbody", {}, this.rows.map(([, cells]) => h("tr", {}, Object.values(cells)))))));
  }

  update() {
    for (const [store, cells] of this.rows) {
      const { reachable } = store;
      const losing = reachable && store.get("engine", "losing") === true;
      const state = reachable ? store.text("engine", "state") : "UNKNOWN";
      const chip = /** @type {Element} */ (cells.State.firstElementChild);
      setText(chip, losing ? `${words(state)}, losing frames` : words(state));
      setAttribute(chip, "data-tone", tone(state, losing));
      setText(cells.Host, reachable ? store.text("engine", "host") : store.text("engine", "status") || "it does not answer");
      setText(cells.Load, reachable ? `${rate(store.number("source", "rate"))} Hz · ${rate(store.number("source", "throughput"))} MB/s` : "–");
      setText(cells.Writers, reachable ? writersText(store) : "–");
      setText(cells.Up, reachable ? duration(store.number("engine", "uptime")) : "–");
      setText(cells.Starts, reachable ? count(store.number("engine", "starts") || null) : "–");
    }
  }
}
