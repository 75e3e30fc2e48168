/** The live picture of an engine: which slot, what comes, and since when nothing does. */

import { address } from "../api.js";
import { fill, h, setText } from "../dom.js";
import { clock, duration, rate } from "../format.js";
import { PictureCard } from "./card.js";
import { LiveSource } from "./live_source.js";
import { RegionsPanel } from "./regions.js";

const FROZEN_AFTER = 2; // seconds without a picture, or three periods where pictures are rare

export class LiveCard {
  /** @param {import("../store.js").Store} store @param {import("../history.js").History} history */
  constructor(store, history) {
    this.store = store;
    this.history = history;
    this.slot = 1;
    /** Shows the picture that was on its way when the one before was held. @type {(() => void) | null} */
    this.kept = null;
    this.select = h("select", { "aria-label": "Picture", onchange: () => this.choose(Number(this.select.value)) });
    this.slow = h("input", { type: "checkbox", class: "switch", role: "switch", checked: localStorage.getItem("repstream.slow") === "1", onchange: () => {
      localStorage.setItem("repstream.slow", this.slow.checked ? "1" : "0");
      this.source?.wish(this.encoding());
    } });
    this.card = new PictureCard({
      label: "Live picture",
      onView: (view) => {
        this.view = view;
        this.source?.wish({ view });
      },
      onRegion: (box) => this.regions.add(box),
      onPause: (paused) => {
        this.paused = paused;
        this.source?.pause(paused);
        if (!paused) this.kept?.();
        this.kept = null;
        this.tick();
      },
      controls: [this.select],
      link: (form) => address(`${this.path}.${form}`),
    });
    this.card.controls.element.append(h("label", { title: "JPEG: less to send, values 0 to 255 only" }, this.slow, "Slow link"));
    this.regions = new RegionsPanel(store, this.section, history);
    this.regionsPlace = h("div", {}, this.regions.element);
    this.card.element.append(this.regionsPlace);
    this.element = this.card.element;
    this.view = {};
    this.paused = false;
    /** @type {LiveSource | null} */
    this.source = null;
    /** Times at which the last pictures were shown, for the rate. @type {number[]} */
    this.shownAt = [];
    this.count = 0;
    this.known = "";
    this.reason = "";
    this.timer = setInterval(() => this.tick(), 250);
  }

  get path() {
    return `${this.store.path}pictures/${this.slot}`;
  }

  get section() {
    return `pictures.${this.slot}`;
  }

  encoding() {
    return { encoding: this.slow.checked ? "jpeg" : "blosc" };
  }

  /** @param {number} slot */
  choose(slot) {
    if (this.paused) this.card.tools.pause.click();
    this.slot = slot;
    this.regions = new RegionsPanel(this.store, this.section, this.history);
    fill(this.regionsPlace, this.regions.element);
    this.source?.close();
    this.source = new LiveSource(this.path, {
      onPicture: (header, pixels) => this.show(header, pixels),
      onBitmap: (header, bitmap) => this.show(header, grey(bitmap)),
      onState: (_open, reason) => (this.reason = reason),
    });
    this.source.wish({ view: this.view, ...this.encoding() });
    this.update();
  }

  /** @param {import("./wire.js").Header} header @param {import("./wire.js").Pixels} pixels */
  show(header, pixels) {
    if (this.paused) {
      this.kept = () => this.show(header, pixels);
      return;
    }
    this.header = header;
    this.lastAt = performance.now();
    this.count += 1;
    this.shownAt.push(this.lastAt);
    if (this.shownAt.length > 30) this.shownAt.shift();
    this.card.show({ ...header, type: typeOf(pixels) }, pixels);
    this.card.say("");
    // What tests and benchmarks read: how many were shown, which one last, how old it was when shown.
    const age = this.store.now() - header.received;
    this.element.dispatchEvent(new CustomEvent("shown", { detail: { number: header.number, age }, bubbles: true }));
    this.tick();
  }

  update() {
    const slots = this.store.sections("pictures");
    const known = slots.map((s) => this.store.text(s, "stream")).join() + slots.length;
    if (known !== this.known && slots.length) {
      this.known = known;
      fill(this.select, slots.map((s, n) => h("option", { value: String(n + 1), selected: n + 1 === this.slot }, `${n + 1}: ${this.store.text(s, "stream") || "off"}`)));
      if (!this.source) this.choose(this.slot);
    }
    this.select.hidden = slots.length < 2;
    this.card.viewer.regions = this.regions.update();
    this.card.viewer.redraw();
    if (!slots.length && this.store.connected) this.card.say("This engine has no pictures.");
    else if (!this.header) this.card.say(this.reason || "No picture yet: the stream of this slot has sent no image.");
  }

  tick() {
    if (!this.header) return;
    const now = performance.now();
    const span = (now - this.shownAt[0]) / 1000;
    const shown = this.shownAt.length > 1 ? (this.shownAt.length - 1) / span : 0;
    const since = (now - (this.lastAt ?? now)) / 1000;
    const period = this.shownAt.length > 2 ? ((this.lastAt ?? now) - this.shownAt[0]) / 1000 / (this.shownAt.length - 1) : 0;
    const frozen = since > Math.max(FROZEN_AFTER, 3 * period);
    const at = this.header.received;
    setText(this.card.title, `image ${this.header.imageId} · ${clock(this.header.time)}${frozen ? "" : ` · ${rate(shown)} Hz`}`);
    if (this.paused) this.card.setFrozen("Held");
    else this.card.setFrozen(frozen ? `Frozen since ${clock(at)} (${duration(since)})` : "");
  }

  close() {
    clearInterval(this.timer);
    this.source?.close();
  }
}

/** @param {import("./wire.js").Pixels} pixels */
function typeOf(pixels) {
  return [Uint8Array, Uint16Array, Uint32Array, Float32Array].findIndex((T) => pixels instanceof T);
}

/** The brightness of a JPEG as values 0 … 255. @param {ImageBitmap} bitmap */
function grey(bitmap) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  const values = new Uint8Array(data.length / 4);
  for (let i = 0; i < values.length; i += 1) values[i] = data[4 * i];
  bitmap.close();
  return values;
}
