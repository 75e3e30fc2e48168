/** Take a background of a pipeline's camera, say how far it is, and subtract it. */

import { h, setText } from "../dom.js";

const TICK = 200; // ms

/**
 * @typedef {import("./server.js").Server} Server
 * @typedef {import("./settings.js").SettingsCard} SettingsCard
 */

export class BackgroundCard {
  /** @param {Server} server @param {string} name @param {SettingsCard} settings */
  constructor(server, name, settings) {
    this.server = server;
    this.name = name;
    this.settings = settings;
    this.number = h("input", { type: "text", class: "number", inputMode: "numeric", value: "10", "aria-label": "Images of the background" });
    this.button = h("button", { class: "button", type: "button", onclick: () => this.collect() }, "Take background");
    this.enable = h("input", { type: "checkbox", class: "switch", role: "switch", onchange: () => this.switch() });
    this.progress = h("progress", { max: 1, value: 0, hidden: true, "aria-label": "Images taken" });
    this.said = h("p", { class: "muted", role: "status" });
    this.refusal = h("p", { class: "said refusal", role: "alert", hidden: true });
    this.element = h("section", { class: "card", "aria-label": "Background" }, h("header", {}, h("h2", {}, "Background")),
      h("div", { class: "background" }, this.number, h("span", { class: "muted" }, "images"), this.button, h("label", { class: "inline" }, this.enable, "Subtract")),
      this.progress, this.said, this.refusal);
    this.timer = 0;
    this.busy = false;
    this.rate = 0;
  }

  /** @param {import("./server.js").Instance} [instance] */
  update(instance) {
    const { held } = this.settings;
    this.camera = held.camera_name ?? instance?.camera;
    this.rate = instance?.rate ?? 0;
    this.button.disabled = this.busy || !this.camera;
    this.enable.disabled = this.busy || !held.image_background;
    this.enable.checked = Boolean(held.image_background_enable);
    if (!this.busy) setText(this.said, held.image_background ? String(held.image_background) : "None was taken for this pipeline.");
  }

  async collect() {
    const number = Number(this.number.value);
    this.begin(number);
    try {
      const taken = await this.server.collectBackground(this.camera, number);
      this.end();
      await this.settings.change({ image_background: taken, image_background_enable: true }, this.refusal);
    } catch (error) {
      this.refuse(/** @type {Error} */ (error).message);
    } finally {
      this.end();
    }
  }

  /** Show how many images have come by now, as the rate says. @param {number} number */
  begin(number) {
    const since = performance.now();
    this.busy = true;
    this.refusal.hidden = true;
    this.progress.hidden = false;
    this.progress.value = 0;
    const tick = () => {
      const come = Math.min(number, ((performance.now() - since) / 1000) * (this.rate || 1));
      this.progress.value = come / number;
      setText(this.said, `About ${Math.floor(come)} of ${number} images of ${this.camera}`);
    };
    tick();
    this.timer = setInterval(tick, TICK);
  }

  end() {
    clearInterval(this.timer);
    this.busy = false;
    this.progress.hidden = true;
  }

  switch() {
    this.settings.change({ image_background_enable: this.enable.checked }, this.refusal);
  }

  /** @param {string} text */
  refuse(text) {
    this.refusal.hidden = false;
    setText(this.refusal, text);
  }

  close() {
    clearInterval(this.timer);
  }
}
