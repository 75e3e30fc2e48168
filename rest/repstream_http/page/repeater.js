/** The card of the repeater: state, what it does, its commands. */

import { CommandBar } from "./commands.js";
import { h, setAttribute, setText } from "./dom.js";
import { bytes, clock, count, duration, rate, words } from "./format.js";
import { tone } from "./states.js";

/** @typedef {import("./store.js").Store} Store */

export class RepeaterCard {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    this.bar = new CommandBar(store, "engine", ["start", "stop", "initialize", "reset"]);
    this.state = h("span", { class: "state" });
    this.status = h("p", { class: "status" });
    this.error = h("p", { class: "refusal", role: "alert", hidden: true });
    this.lock = h("p", { class: "muted", hidden: true });
    this.figures = h("dl", { class: "figures" });
    this.cells = Object.fromEntries(
      ["Rate", "Throughput", "Received", "Last id", "Image", "Engine up"].map((name) => [name, h("dd", {})]),
    );
    this.figures.append(...Object.entries(this.cells).map(([name, cell]) => h("div", {}, h("dt", {}, name), cell)));
    this.element = h("section", { class: "card", "aria-label": "Repeater" },
      h("header", {}, h("h2", {}, "Repeater"), this.state),
      this.status, this.error, this.figures, this.bar.element, this.lock);
  }

  update() {
    const { store } = this;
    const state = store.connected ? store.text("engine", "state") : "UNKNOWN";
    setText(this.state, words(state));
    setAttribute(this.state, "data-tone", tone(state, store.get("engine", "losing") === true));
    setText(this.status, store.connected ? store.text("engine", "status") : store.failed ? "The server does not answer; it is asked again." : "");
    const error = store.text("engine", "last_error");
    this.error.hidden = !error;
    this.status.hidden = Boolean(error) && store.text("engine", "status").includes(error);
    setText(this.error, error ? `${clock(store.number("engine", "last_error_time"))}  ${error}` : "");
    const holder = store.text("engine", "locked_by");
    this.lock.hidden = !holder;
    setText(this.lock, holder ? `${holder} holds the control lock.` : "");
    const height = store.number("source", "seen_height");
    const cells = {
      Rate: `${rate(store.number("source", "rate"))} Hz`,
      Throughput: `${rate(store.number("source", "throughput"))} MB/s`,
      Received: `${count(store.number("source", "received"))}`,
      "Last id": count(store.number("source", "last_frame_id")),
      Image: height === null ? "–" : `${store.number("source", "seen_width")} × ${height} ${store.text("source", "seen_type")}`,
      "Engine up": duration(store.number("engine", "uptime")),
    };
    for (const [name, text] of Object.entries(cells)) setText(this.cells[name], text);
    setAttribute(this.cells.Received, "title", bytes(store.number("source", "received_bytes")));
    this.bar.update();
  }
}
