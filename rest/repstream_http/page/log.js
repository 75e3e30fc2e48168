/** What happened, newest first, filtered. */

import { request } from "./api.js";
import { fill, h, setAttribute } from "./dom.js";
import { clock } from "./format.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {{time: number, level: string, subject: string, text: string, acquisition_id: string}} Entry */

const LEVELS = ["info", "warning", "error"];
const EVERY = 2000;

/**
 * The entries of at least a level that contain every word, newest first.
 * @param {Entry[]} entries oldest first
 * @param {string} level
 * @param {string} words
 */
export function filtered(entries, level, words) {
  const least = LEVELS.indexOf(level);
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return entries
    .filter((e) => LEVELS.indexOf(e.level) >= least)
    .filter((e) => wanted.every((w) => `${e.subject} ${e.acquisition_id} ${e.text}`.toLowerCase().includes(w)))
    .reverse();
}

export class LogView {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    /** @type {Entry[]} */
    this.entries = [];
    this.words = h("input", { type: "search", placeholder: "Filter", "aria-label": "Filter the log by words", oninput: () => this.show() });
    this.level = h("select", { "aria-label": "Least level", onchange: () => this.show() },
      LEVELS.map((level) => h("option", { value: level }, { info: "Everything", warning: "Warnings and errors", error: "Errors" }[level])));
    this.body = h("tbody");
    this.note = h("p", { class: "muted" });
    this.element = h("section", { class: "card page log", "aria-label": "Log" },
      h("header", {}, h("h2", {}, "Log"), h("span", { class: "spring" }), this.words, this.level), this.note,
      h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Log entries" }, h("table", {},
        h("thead", {}, h("tr", {}, ["Time", "Level", "Of", "What"].map((n) => h("th", { scope: "col" }, n)))), this.body)));
    this.timer = 0;
  }

  /** @param {string} words what the lines must have: an acquisition, as its row in the list asks for it */
  open(words = "") {
    if (words) this.filter(words);
    this.load();
    this.timer ||= setInterval(() => (this.element.isConnected ? this.load() : this.close()), EVERY);
  }

  close() {
    clearInterval(this.timer);
    this.timer = 0;
  }

  update() {}

  /** @param {string} words */
  filter(words) {
    this.words.value = words;
    this.show();
  }

  async load() {
    try {
      const { since, entries } = await request("GET", `${this.store.path}log`);
      const before = JSON.stringify(this.entries.at(-1));
      this.entries = entries;
      this.note.textContent = `State changes, commands, settings, errors and losses since ${clock(since)}, as seen by this server.`;
      if (before !== JSON.stringify(entries.at(-1)) || !entries.length) this.show();
    } catch (error) {
      this.note.textContent = /** @type {Error} */ (error).message;
    }
  }

  show() {
    const shown = filtered(this.entries, this.level.value, this.words.value);
    const none = h("tr", {}, h("td", { class: "muted", colSpan: 4 }, this.entries.length ? "Nothing fits the filter." : "Nothing happened yet."));
    fill(this.body, shown.length ? shown.map((e) => {
      const which = e.acquisition_id ? h("button", { class: "link muted", title: "Lines about this acquisition", onclick: () => this.filter(e.acquisition_id) }, e.acquisition_id) : null;
      const row = h("tr", {}, h("td", { class: "time" }, clock(e.time)), h("td", {}, h("span", { class: "level" }, e.level)), h("td", {}, h("div", {}, e.subject), which), h("td", { class: "text" }, e.text));
      setAttribute(row, "data-level", e.level);
      return row;
    }) : none);
  }
}
