/** What an operator looks at all day: the picture, the states, the figures. */

import { fill, h } from "./dom.js";
import { History } from "./history.js";
import { addButton, allow } from "./outputs.js";
import { LossesCard } from "./losses.js";
import { LiveCard } from "./picture/live_card.js";
import { PlotsCard } from "./plots.js";
import { RepeaterCard } from "./repeater.js";
import { StreamsCard } from "./streams.js";
import { WriterCard } from "./writer.js";

/** @typedef {import("./store.js").Store} Store */

export class LiveView {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    this.history = new History(store);
    this.repeater = new RepeaterCard(store);
    this.losses = new LossesCard(store);
    this.streams = new StreamsCard(store);
    this.plots = new PlotsCard(store, this.history);
    this.picture = new LiveCard(store, this.history);
    /** @type {WriterCard[]} */
    this.writers = [];
    this.writersPlace = h("div", { class: "stack" });
    this.side = h("div", { class: "stack side" }, this.repeater.element, this.writersPlace, this.losses.element);
    this.element = h("div", { class: "live" }, this.picture.element, this.side, this.plots.element, this.streams.element);
    /** @type {HTMLButtonElement | null} */
    this.add = null;
    /** @type {string | null} */
    this.names = null;
    this.history.open();
  }

  open() {
    this.update();
  }

  update() {
    if (!this.store.facts.size) return;
    const names = this.store.sections("writers");
    if (names.join() !== this.names) {
      this.names = names.join();
      this.writers = names.map((name) => new WriterCard(this.store, name));
      this.add = addButton(this.store, "writers");
      const none = h("section", { class: "card", "aria-label": "Writers" }, h("header", {}, h("h2", {}, "Writers"), this.add), h("p", { class: "muted" }, "No writer is configured, so nothing is saved."));
      fill(this.writersPlace, names.length ? this.writers.map((w) => w.element) : none);
    }
    allow(this.add);
    for (const part of [this.repeater, ...this.writers, this.losses, this.streams, this.picture]) part.update();
  }

  close() {
    this.history.close();
    this.picture.close();
  }
}
