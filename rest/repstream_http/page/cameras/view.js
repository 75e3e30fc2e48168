/** One camera or pipeline: live picture, profiles with fits, the last minutes, what is drawn, its configuration. */

import { address } from "../api.js";
import { fill, h, setAttribute, setText } from "../dom.js";
import { clock, count, rate, words } from "../format.js";
import { PictureCard } from "../picture/card.js";
import { LiveSource } from "../picture/live_source.js";
import { tone } from "../states.js";
import { BackgroundCard } from "./background.js";
import { openCreate, openRemove } from "./create.js";
import { CurvePlot } from "./curves.js";
import { StartStop } from "./list.js";
import { asMarker, asRegion, regionOf } from "./regions.js";
import { SettingsCard } from "./settings.js";
import { Trend } from "./trend.js";

const CURVES = 500; // ms between two looks at the profiles

/** @typedef {import("./server.js").Server} Server */

export class InstanceView {
  /** @param {Server} server @param {string} name */
  constructor(server, name) {
    this.server = server;
    this.name = name;
    this.settings = new SettingsCard(server, name);
    this.trend = new Trend();
    this.x = new CurvePlot("Profile along x");
    this.y = new CurvePlot("Profile along y");
    this.background = new BackgroundCard(server, name, this.settings);
    this.picture = new PictureCard({
      label: "Live picture",
      onView: (view) => this.source?.wish({ view }),
      onRegion: (box) => this.drawn(box),
      onPause: (paused) => this.source?.pause(paused),
      controls: [this.makeMeaning()],
      link: (form) => address(`${server.at(name)}/picture.${form}`),
    });
    /** @type {LiveSource | null} */
    this.source = null;
    this.state = h("span", { class: "state", role: "status" });
    this.figures = h("dl", { class: "figures" });
    this.cells = Object.fromEntries(["Rate", "Received", "Clients", "Lost", "Image"].map((each) => [each, h("dd", {})]));
    this.figures.append(...Object.entries(this.cells).map(([each, cell]) => h("div", {}, h("dt", {}, each), cell)));
    this.message = h("p", { class: "refusal", role: "alert", hidden: true });
    this.button = new StartStop(server, name, (text) => this.say(text));
    const buttons = h("div", { class: "buttons" }, this.button.element,
      h("button", { class: "button", type: "button", onclick: () => openCreate(server, name) }, "Copy"),
      h("button", { class: "button danger", type: "button", onclick: () => openRemove(server, name) }, "Delete"));
    const what = h("section", { class: "card", "aria-label": words(server.kind) },
      h("header", {}, h("h1", {}, name), this.state), this.message, this.figures, buttons);
    this.curves = h("section", { class: "card curves", "aria-label": "Profiles", hidden: true }, this.x.element, this.y.element);
    this.trends = h("section", { class: "card wide plots", "aria-label": "Last minutes", hidden: server.kind === "camera" }, this.trend.plots.map((plot) => plot.element));
    this.element = h("div", { class: "live" }, h("div", { class: "stack" }, this.picture.element, this.curves),
      h("div", { class: "stack side" }, what, server.kind === "pipeline" ? this.background.element : null, this.settings.element), this.trends);
    this.timer = setInterval(() => this.look(), CURVES);
    this.settings.load();
    this.picture.say("It does not run.");
  }

  makeMeaning() {
    const pipeline = this.server.kind === "pipeline";
    const size = h("input", { type: "text", class: "number", value: "100, 100", hidden: true, "aria-label": "Width and height of the marker" });
    const meaning = h("select", { "aria-label": "What a drawn rectangle is" },
      h("option", { value: "region" }, "Rectangle: region sent"), pipeline ? null : h("option", { value: "marker" }, "Rectangle: calibration marker"));
    meaning.addEventListener("change", () => (size.hidden = meaning.value !== "marker"));
    this.meaning = meaning;
    this.size = size;
    this.whole = h("button", { class: "button", type: "button", onclick: () => this.settings.change(asRegion(this.server.kind, this.settings.held, null)) }, "Whole image");
    return h("span", { class: "meaning" }, meaning, size, this.whole);
  }

  /** A rectangle that a person drew. @param {import("./regions.js").Rectangle} box */
  drawn(box) {
    const { held } = this.settings;
    if (this.meaning?.value !== "marker") return this.settings.change(asRegion(this.server.kind, held, box));
    const [width = NaN, height = width] = (this.size?.value ?? "").split(/[,;x×]/).map(Number);
    return this.settings.change(asMarker(held, box, width, height));
  }

  update() {
    const instance = this.server.find(this.name);
    const runs = instance?.state === "RUNNING";
    setText(this.state, words(instance?.state ?? "UNKNOWN"));
    setAttribute(this.state, "data-tone", tone(instance?.state ?? "UNKNOWN", false));
    this.button.update(runs);
    if (!this.button.refused) this.say(instance ? instance.message : `Nothing here is called ${this.name}.`);
    this.showFigures(instance);
    if (this.whole) this.whole.hidden = !regionOf(this.server.kind, this.settings.held);
    this.background.update(instance);
    if (this.server.kind === "pipeline") this.trend.take(runs ? instance.beam : {});
    this.follow(runs);
  }

  /** @param {import("./server.js").Instance} [instance] */
  showFigures(instance) {
    const { rate: sent = 0, received = null, clients = null, lost = null, size = null, reasons = {} } = instance ?? {};
    const cells = { Rate: `${rate(sent)} Hz`, Received: count(received), Clients: count(clients), Lost: count(lost), Image: size?.join(" × ") ?? "–" };
    for (const [each, text] of Object.entries(cells)) setText(this.cells[each], text);
    setAttribute(this.cells.Lost, "title", Object.entries(reasons).map(([reason, number]) => `${reason}: ${number}`).join(", ") || null);
  }

  /** Receive pictures while it runs. @param {boolean} runs */
  follow(runs) {
    if (runs && !this.source) {
      this.source = new LiveSource(this.server.at(this.name), {
        onPicture: (header, pixels) => this.show(header, pixels),
        onBitmap: (_header, bitmap) => bitmap.close(),
        onState: (_open, reason) => reason && this.picture.say(reason),
      });
      this.source.wish({ encoding: "blosc" });
      this.picture.viewer.ask();
    } else if (!runs && this.source) {
      this.source.close();
      this.source = null;
      this.picture.setFrozen("It does not run");
    }
  }

  /** @param {import("../picture/wire.js").Header} header @param {import("../picture/wire.js").Pixels} pixels */
  show(header, pixels) {
    this.picture.show(header, pixels);
    this.picture.say("");
    this.picture.setFrozen("");
    setText(this.picture.title, `pulse ${header.imageId} · ${clock(header.time)}`);
  }

  async look() {
    if (!this.source || document.hidden || this.looking) return;
    this.looking = true;
    try {
      const { x, y } = await this.server.beam(this.name);
      this.curves.hidden = !x.profile;
      this.x.show(x);
      this.y.show(y);
    } catch {
      // The list says what is wrong with it.
    } finally {
      this.looking = false;
    }
  }

  /** @param {string} text */
  say(text) {
    this.message.hidden = !text;
    setText(this.message, text);
  }

  close() {
    clearInterval(this.timer);
    this.background.close();
    this.source?.close();
    fill(this.element);
  }
}
