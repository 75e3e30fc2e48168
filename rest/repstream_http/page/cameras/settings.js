/** The configuration, key by key as JSON; what the server refuses is said where it was typed. */

import { broken, fill, h, setText } from "../dom.js";

/** @typedef {import("./server.js").Server} Server */

/** Keys that are no choice of whoever looks at the page. */
const FIXED = new Set(["name"]);

export class SettingsCard {
  /** @param {Server} server @param {string} name */
  constructor(server, name) {
    this.server = server;
    this.name = name;
    this.rows = h("div", { class: "keys" });
    this.message = h("p", { class: "said refusal", role: "alert", hidden: true });
    const key = h("input", { type: "text", "aria-label": "New key", placeholder: "another key", spellcheck: false, autocomplete: "off" });
    const value = h("input", { type: "text", "aria-label": "Value of the new key", placeholder: "its value", spellcheck: false, autocomplete: "off" });
    const add = h("form", { class: "key" }, key, value, h("button", { class: "button", type: "submit" }, "Add"));
    add.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (key.value.trim() && (await this.change({ [key.value.trim()]: parsed(value.value) }, this.message))) key.value = value.value = "";
    });
    this.element = h("section", { class: "card", "aria-label": "Configuration" }, h("header", {}, h("h2", {}, "Configuration")), this.rows, add, this.message);
    /** @type {import("./server.js").Configuration} */
    this.held = {};
  }

  async load() {
    try {
      this.held = await this.server.configuration(this.name);
      this.message.hidden = true;
    } catch (error) {
      this.message.hidden = false;
      setText(this.message, /** @type {Error} */ (error).message);
      return;
    }
    fill(this.rows, Object.keys(this.held).filter((key) => !FIXED.has(key)).sort().map((key) => this.row(key)));
  }

  /** @param {string} key */
  row(key) {
    const text = () => JSON.stringify(this.held[key] ?? null);
    const input = h("input", { type: "text", value: text(), "aria-label": key, spellcheck: false, autocomplete: "off" });
    const said = h("p", { class: "said refusal", role: "alert", hidden: true });
    input.addEventListener("change", async () => {
      if (input.value !== text() && !(await this.change({ [key]: parsed(input.value) }, said))) input.value = text();
    });
    return h("div", { class: "key", "data-key": key }, h("label", {}, h("span", {}, ...broken(key)), input), said);
  }

  /**
   * Change keys; whether they were taken.
   * @param {import("./server.js").Configuration} change
   * @param {HTMLElement} said where a refusal is shown
   */
  async change(change, said = this.message) {
    try {
      await this.server.change(this.name, change);
    } catch (error) {
      said.hidden = false;
      setText(said, /** @type {Error} */ (error).message);
      return false;
    }
    said.hidden = true;
    await this.load();
    return true;
  }
}

/** What a person typed: JSON, else a text. @param {string} text */
export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
