/** The last acquisitions with their results. */

import { request } from "./api.js";
import { broken, fill, h, setAttribute } from "./dom.js";
import { baseName, bytes, clock, count, duration, words } from "./format.js";
import { resultTone } from "./states.js";

/** @typedef {import("./store.js").Store} Store */

const COLUMNS = ["Ended", "File", "Result", "Images", "Missing", "Dropped", "Size", "Took", "Run", "Writer", "Log"];
const NUMBERS = new Set(["Images", "Missing", "Dropped", "Size", "Took"]);

/** Whether a message says more than the result. @param {string} message @param {string} result */
export function says(message, result) {
  return message.replace(/\.$/, "").toLowerCase() !== result.toLowerCase();
}

export class AcquisitionsView {
  /** @param {Store} store @param {{onOpen: (path: string) => void, onLog: (id: string) => void}} events look at a file, at what the log says */
  constructor(store, events) {
    this.store = store;
    this.events = events;
    this.body = h("tbody");
    this.note = h("p", { class: "muted" });
    const head = h("tr", {}, COLUMNS.map((name) => h("th", { scope: "col", class: NUMBERS.has(name) ? "number" : "" }, name)));
    this.element = h("section", { class: "card page acquisitions", "aria-label": "Acquisitions" },
      h("h2", {}, "Last acquisitions"), this.note,
      h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Table of acquisitions" }, h("table", { class: "stacked" }, h("thead", {}, head), this.body)));
    /** Ends of acquisitions that were seen, to know when to ask anew. */
    this.seen = "";
  }

  open() {
    this.seen = "";
    this.update();
  }

  update() {
    if (!this.element.isConnected) return;
    const seen = this.store.sections("writers").map((w) => `${this.store.get(w, "acq_result")} ${this.store.get(w, "acquisition_id")}`).join();
    if (seen === this.seen) return;
    this.seen = seen;
    this.load();
  }

  async load() {
    try {
      const { since, acquisitions } = await request("GET", `${this.store.path}acquisitions`);
      this.note.textContent = `The last 20 that this server knows of; it has watched since ${clock(since)}.`;
      const none = h("tr", {}, h("td", { class: "muted", colSpan: COLUMNS.length }, "No acquisition has ended yet."));
      fill(this.body, acquisitions.length ? acquisitions.map((/** @type {any} */ a) => this.row(a)) : none);
    } catch (error) {
      this.note.textContent = /** @type {Error} */ (error).message;
    }
  }

  /** @param {any} a */
  row(a) {
    const result = h("span", { class: "state" }, words(a.acq_result));
    setAttribute(result, "data-tone", resultTone(a.acq_result));
    const took = duration(a.acq_duration); // those that an earlier version has noted have none
    const name = baseName(a.full_file_name) || "–";
    const cells = [
      clock(a.stop_time), a.full_file_name ? h("button", { class: "link", title: a.full_file_name, onclick: () => this.events.onOpen(a.full_file_name) }, ...broken(name)) : name, result,
      `${count(a.num_written)}${a.num_requested ? ` of ${count(a.num_requested)}` : ""}`, count(a.num_missing), count(a.dropped),
      bytes(a.file_size), took, a.acq_run_id || "–", a.name,
      h("button", { class: "link", "aria-label": `Log of ${name}`, onclick: () => this.events.onLog(a.acquisition_id) }, "Lines"),
    ];
    return h("tr", { "data-result": a.acq_result }, cells.map((cell, n) => {
      const lost = (COLUMNS[n] === "Missing" && a.num_missing) || (COLUMNS[n] === "Dropped" && a.dropped);
      const more = COLUMNS[n] === "Result" && says(a.acq_message, a.acq_result) ? h("div", { class: "muted" }, a.acq_message) : null;
      return h("td", { "data-label": COLUMNS[n], class: `${NUMBERS.has(COLUMNS[n]) ? "number" : ""} ${lost ? "lost" : ""}` }, cell, more);
    }));
  }
}
