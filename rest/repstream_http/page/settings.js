/** Every setting and reading of the catalogue, in a form made from the catalogue. */

import { fill, h, setText } from "./dom.js";
import { Field } from "./field.js";
import { valueText, words } from "./format.js";
import { addButton, allow, removeButton } from "./outputs.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./store.js").Facts} Facts */

export class SettingsView {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    this.section = "";
    /** @type {Field[]} */
    this.fields = [];
    /** @type {{key: string, facts: Facts, cell: HTMLElement}[]} */
    this.readings = [];
    this.list = h("nav", { class: "sections", "aria-label": "Sections" });
    this.form = h("div", { class: "settings-form" });
    this.search = h("input", { type: "search", placeholder: "Search all settings", "aria-label": "Search all settings", oninput: () => this.build() });
    this.only = h("input", { type: "checkbox", class: "switch", role: "switch", onchange: () => this.build() });
    this.expert = h("input", { type: "checkbox", class: "switch", role: "switch", checked: localStorage.getItem("repstream.expert") === "1", onchange: () => {
      localStorage.setItem("repstream.expert", this.expert.checked ? "1" : "0");
      this.build();
    } });
    this.by = h("p", { class: "muted by" });
    this.element = h("section", { class: "card page settings", "aria-label": "Settings" },
      h("header", {}, h("h2", {}, "Settings"), h("span", { class: "spring" }), h("label", { class: "inline" }, this.expert, "Expert settings"), h("label", { class: "inline" }, this.only, "Not at default"), this.search),
      this.by, h("div", { class: "columns" }, this.list, this.form));
    this.shown = "";
    /** @type {HTMLButtonElement[]} */
    this.buttons = [];
    /** A section that is to be shown as soon as there is one. */
    this.wanted = "";
  }

  /** @param {string} section that is shown, once there is one of this name; none: as before */
  open(section) {
    this.shown = "";
    if (section) this.wanted = section;
    this.update();
  }

  /** All sections in use, in the order of the catalogue. */
  sections() {
    return this.store.groups.flatMap((group) => this.store.sections(group.name));
  }

  update() {
    if (!this.element.isConnected || !this.store.facts.size) return;
    const sections = this.sections();
    if (sections.join() !== this.shown) {
      this.shown = sections.join();
      if (sections.includes(this.wanted)) [this.section, this.wanted] = [this.wanted, ""];
      if (!sections.includes(this.section)) this.section = sections.find((s) => s === "source") ?? sections[0];
      this.build();
    }
    for (const field of this.fields) field.update();
    for (const button of this.buttons) allow(button);
    for (const { key, facts, cell } of this.readings) setText(cell, valueText(this.store.get(key), facts));
    const command = this.store.text("engine", "last_command");
    setText(this.by, command ? `Last change or command: ${command}, by ${this.store.text("engine", "last_command_by")}` : "Nothing was changed yet.");
  }

  /** A button that is grey while nothing may be changed. @param {HTMLButtonElement} button */
  changing(button) {
    this.buttons.push(button);
    allow(button);
    return button;
  }

  build() {
    const sections = this.sections();
    const searching = this.search.value.trim() !== "" || this.only.checked;
    this.fields = [];
    this.readings = [];
    this.buttons = [];
    fill(this.list, this.store.groups.flatMap((group) => [
      ...this.store.sections(group.name).map((section) => this.entry(section, !searching && section === this.section)),
      group.named ? this.changing(addButton(this.store, group.name, "section")) : null,
    ]));
    const shown = searching ? sections : [this.section];
    const parts = shown.flatMap((section) => this.part(section, searching));
    fill(this.form, parts.length ? parts : h("p", { class: "muted" }, "No setting fits."));
    for (const { key, facts, cell } of this.readings) setText(cell, valueText(this.store.get(key), facts));
  }

  /** @param {string} section @param {boolean} current */
  entry(section, current) {
    return h("button", { class: "section", type: "button", "aria-current": current ? "true" : undefined, onclick: () => {
      this.section = section;
      this.search.value = "";
      this.only.checked = false;
      this.build();
    } }, titleOf(section));
  }

  /** @param {string} section @param {boolean} searching @returns {HTMLElement[]} */
  part(section, searching) {
    const head = this.store.slots[section] ?? section;
    const wanted = this.search.value.trim().toLowerCase();
    const facts = [...this.store.facts.values()].filter((f) => f.slot_key === `${head}.${f.field}`);
    const fits = (/** @type {Facts} */ f) => `${f.field} ${f.title} ${f.description}`.toLowerCase().includes(wanted);
    const differs = (/** @type {Facts} */ f) => this.store.get(section, f.field) !== f.default;
    const level = (/** @type {Facts} */ f) => this.expert.checked || searching || f.level !== "expert";
    const settings = facts.filter((f) => f.writable && level(f) && (!searching || (fits(f) && (!this.only.checked || differs(f)))));
    const readings = facts.filter((f) => !f.writable && level(f) && (!searching || (wanted && fits(f) && !this.only.checked)));
    if (!settings.length && !readings.length) return [];
    const fields = settings.map((f) => new Field(this.store, section, f));
    this.fields.push(...fields);
    const rows = readings.map((f) => {
      const cell = h("dd", {});
      this.readings.push({ key: `${section}.${f.field}`, facts: f, cell });
      return h("div", { title: f.description }, h("dt", {}, f.title), cell);
    });
    return [
      h("header", { class: "section-head" }, h("h3", {}, titleOf(section)), section in this.store.slots && !searching ? this.changing(removeButton(this.store, section)) : null),
      ...fields.map((f) => f.element),
      ...(rows.length ? [h("details", { class: "readings", open: !fields.length || searching }, h("summary", {}, `Readings of ${titleOf(section).toLowerCase()} (${rows.length})`), h("dl", { class: "figures" }, rows))] : []),
    ];
  }
}

/** "streams.live" as "Stream live". @param {string} section */
export function titleOf(section) {
  const [group, name] = section.split(".");
  return name === undefined ? words(group) : `${words(group).replace(/s$/, "")} ${name}`;
}
