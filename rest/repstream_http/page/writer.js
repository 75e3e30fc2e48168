/** The card of a writer: its acquisition, the file, what the next one will be, its commands. */

import { says } from "./acquisitions.js";
import { CommandBar } from "./commands.js";
import { h, setAttribute, setText } from "./dom.js";
import { Field } from "./field.js";
import { baseName, bytes, count, duration, words } from "./format.js";
import { resultTone, tone } from "./states.js";

/** @typedef {import("./store.js").Store} Store */

const QUICK = /** @type {[string, string][]} */ ([["output_file", "Next file"], ["num_images", "Images"]]);

/**
 * How far an acquisition is and when it will be done.
 * @param {number | null} written
 * @param {number | null} requested 0: until stopped
 * @param {number | null} rate frames a second
 * @returns {{share: number | null, left: number | null}} seconds left, null where unknown
 */
export function progressOf(written, requested, rate) {
  if (!requested || written === null) return { share: null, left: null };
  const share = Math.min(1, written / requested);
  return { share, left: rate && share < 1 ? (requested - written) / rate : null };
}

export class WriterCard {
  /** @param {Store} store @param {string} section */
  constructor(store, section) {
    this.store = store;
    this.section = section;
    this.name = section.slice(section.indexOf(".") + 1);
    this.bar = new CommandBar(store, section, ["start", "stop", "pause", "abort", "arm", "flush"]);
    this.state = h("span", { class: "state" });
    this.file = h("p", { class: "file" });
    this.message = h("p", { class: "status" });
    this.progress = h("progress", { max: 1, "aria-label": `Progress of writer ${this.name}` });
    this.counts = h("p", { class: "counts" });
    this.disk = h("p", { class: "muted" });
    this.waiting = h("p", { class: "warning", role: "status", hidden: true });
    this.fields = QUICK.flatMap(([field, label]) => {
      const facts = store.fact(`${section}.${field}`);
      return facts ? [new Field(store, section, facts, { label, brief: true })] : [];
    });
    this.element = h("section", { class: "card writer", "aria-label": `Writer ${this.name}`, "data-section": section },
      h("header", {}, h("h2", {}, `Writer ${this.name}`), this.state),
      this.file, this.progress, this.counts, this.message, this.waiting,
      h("div", { class: "quick" }, this.fields.map((f) => f.element)),
      this.bar.element, this.disk);
  }

  update() {
    const { store, section } = this;
    const acquisition = store.text(section, "acq_state");
    const ended = acquisition === "FINISHED" || acquisition === "FAILED";
    this.showState(acquisition, ended);
    this.showFile(!ended && store.get(section, "state") === "WRITING");
    const message = ended ? store.text(section, "acq_message") : "";
    setText(this.message, says(message, store.text(section, "acq_result")) ? message : "");
    this.message.hidden = !this.message.textContent;
    this.message.classList.toggle("refusal", acquisition === "FAILED" && store.get(section, "acq_result") !== "aborted");
    const waiting = [store.text(section, "waiting"), store.text(section, "space_warning")].filter(Boolean).join(" ");
    this.waiting.hidden = !waiting;
    setText(this.waiting, waiting);
    const free = store.number(section, "free_space");
    setText(this.disk, free === null ? "Free disk space not known" : `${bytes(free * 1e9)} free on disk`);
    this.disk.classList.toggle("warning", free !== null && free < 10);
    for (const field of this.fields) field.update();
    this.bar.update();
  }

  /** @param {string} acquisition @param {boolean} ended */
  showState(acquisition, ended) {
    const result = this.store.text(this.section, "acq_result");
    const state = this.store.text(this.section, "state") || "UNKNOWN";
    const running = state === "WRITING" && acquisition !== "NONE";
    const shown = ended ? result : running ? acquisition : state;
    setText(this.state, words(shown));
    setAttribute(this.state, "data-tone", ended ? resultTone(result) : tone(shown));
  }

  /** @param {boolean} busy whether images are being written */
  showFile(busy) {
    const number = (/** @type {string} */ field) => this.store.number(this.section, field);
    const path = this.store.text(this.section, "full_file_name");
    setText(this.file, path ? baseName(path) : "No file yet");
    setAttribute(this.file, "title", path);
    const requested = number("num_requested");
    const { share, left } = progressOf(number("num_written"), requested, number("rate"));
    this.progress.hidden = !busy;
    if (share === null) this.progress.removeAttribute("value");
    else this.progress.value = share;
    const parts = [`${count(number("num_written"))}${requested ? ` of ${count(requested)}` : ""} images`, bytes(number("file_size"))];
    if (number("num_missing")) parts.push(`${count(number("num_missing"))} missing`);
    if (busy && left !== null) parts.push(`${duration(left)} left`);
    setText(this.counts, parts.join(" · "));
  }
}
