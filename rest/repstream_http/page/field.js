/** One setting of the catalogue as an input: unit, limits, choices, help, refusal beside it. */

import { access } from "./access.js";
import { h, setAttribute, setText } from "./dom.js";
import { NONE, count, valueText } from "./format.js";

/**
 * @typedef {import("./store.js").Store} Store
 * @typedef {import("./store.js").Facts} Facts
 * @typedef {import("./store.js").Value} Value
 */

let ids = 0;

/**
 * The limits of a number in words; empty where there are none.
 * @param {Pick<Facts, "kind" | "minimum" | "maximum" | "unit">} facts
 */
export function limits({ kind, minimum, maximum, unit }) {
  if (kind !== "int" && kind !== "float") return "";
  const text = (/** @type {number} */ n) => (Math.abs(n) > 1e15 ? n.toExponential(1).replace("e+", "e") : Number.isInteger(n) ? count(n) : String(n));
  const after = unit ? ` ${unit}` : "";
  if (minimum !== null && maximum !== null) return `${text(minimum)} … ${text(maximum)}${after}`;
  if (minimum !== null) return `${text(minimum)} or more${after}`;
  return maximum !== null ? `at most ${text(maximum)}${after}` : unit;
}

/**
 * What a person typed as the value that is sent; text that is no number stays text, for the server to refuse.
 * @param {Pick<Facts, "kind">} facts
 * @param {string} text
 * @returns {Value}
 */
export function typed({ kind }, text) {
  if (kind === "bool") return text === "true";
  if (kind !== "int" && kind !== "float") return text;
  const number = Number(text.trim().replace(",", "."));
  return text.trim() === "" || Number.isNaN(number) ? text : number;
}

/**
 * When a setting may be written, in words.
 * @param {Pick<Facts, "access" | "group">} facts
 */
export function accessText(facts) {
  if (facts.access === "always") return "at any time";
  if (facts.access === "read_only") return "read only";
  return facts.group === "writers" ? "while the writer is idle" : "while the repeater is not running";
}

/**
 * An empty input for a value of a setting.
 * @param {Pick<Facts, "kind" | "choices" | "length">} facts
 * @returns {HTMLInputElement | HTMLSelectElement}
 */
export function inputFor(facts) {
  if (facts.kind === "choice") return h("select", {}, facts.choices.map((choice) => h("option", { value: choice }, choice)));
  if (facts.kind === "bool") return h("input", { type: "checkbox", class: "switch", role: "switch" });
  const numeric = facts.kind === "int" || facts.kind === "float";
  const input = h("input", { type: "text", class: numeric ? "number" : "", spellcheck: false, autocomplete: "off" });
  if (numeric) input.inputMode = facts.kind === "int" ? "numeric" : "decimal";
  if (facts.length) input.maxLength = facts.length;
  return input;
}

export class Field {
  /**
   * @param {Store} store
   * @param {string} section "streams.live"
   * @param {Facts} facts
   * @param {{label?: string, brief?: boolean}} [options] brief: without help and access
   */
  constructor(store, section, facts, options = {}) {
    this.store = store;
    this.facts = facts;
    this.key = `${section}.${facts.field}`;
    this.id = `field${(ids += 1)}`;
    this.input = this.control();
    this.input.id = this.id;
    this.message = h("p", { class: "said refusal", role: "alert", hidden: true });
    this.reset = h("button", { class: "link", type: "button", hidden: true, onclick: () => this.send(facts.default) }, "");
    const label = options.label ?? facts.title;
    const parts = [
      h("label", { for: this.id }, label),
      h("div", { class: "control" }, this.input, facts.unit && facts.kind !== "bool" ? h("span", { class: "unit" }, facts.unit) : null),
    ];
    if (!options.brief) {
      const range = limits(facts);
      setAttribute(this.input, "aria-describedby", `${this.id}-help`);
      const facts2 = [range, accessText(facts)].filter(Boolean).join(" · ");
      parts.push(
        h("div", { class: "help", id: `${this.id}-help` }, h("span", {}, facts.description), h("span", { class: "muted" }, facts2), this.reset),
      );
    }
    this.element = h("div", { class: options.brief ? "field brief" : "field", "data-key": this.key }, ...parts, this.message);
    this.update();
  }

  /** @returns {HTMLInputElement | HTMLSelectElement} */
  control() {
    const input = inputFor(this.facts);
    input.addEventListener("change", () => this.send(typed(this.facts, this.shown())));
    if (input instanceof HTMLSelectElement || this.facts.kind === "bool") return input;
    input.addEventListener("keydown", (event) => {
      if (/** @type {KeyboardEvent} */ (event).key === "Escape") {
        this.dirty = false;
        this.update();
      }
    });
    input.addEventListener("input", () => (this.dirty = true));
    return input;
  }

  shown() {
    return this.facts.kind === "bool" ? String(/** @type {HTMLInputElement} */ (this.input).checked) : this.input.value;
  }

  /** Show the value that is held, unless a person is typing. */
  update() {
    const value = this.store.get(this.key);
    const { facts, input } = this;
    if (!this.dirty) {
      if (facts.kind === "bool") /** @type {HTMLInputElement} */ (input).checked = value === true;
      else if (input.value !== String(value ?? "")) {
        input.value = String(value ?? "");
        input.title = facts.kind === "text" ? input.value : "";
        requestAnimationFrame(() => (input.scrollLeft = input.scrollWidth)); // of a path the end says more
      }
    }
    input.disabled = !this.store.reachable || !access.rights.change || value === null;
    const differs = value !== null && value !== facts.default;
    this.element.classList.toggle("differs", differs);
    this.reset.hidden = !differs;
    setText(this.reset, `Default: ${facts.default === "" ? "empty" : valueText(facts.default, facts) || NONE}`);
  }

  /** @param {Value} value */
  async send(value) {
    this.dirty = false;
    if (value === this.store.get(this.key)) return this.update();
    try {
      await this.store.write({ [this.key]: value });
      this.message.hidden = true;
    } catch (error) {
      this.message.hidden = false;
      setText(this.message, /** @type {Error} */ (error).message);
      this.update();
    }
  }
}
