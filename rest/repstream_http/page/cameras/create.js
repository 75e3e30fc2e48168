/** Making a camera or a pipeline, of a template or as a copy, and removing one. */

import { openDialog } from "../dialog.js";
import { broken, fill, h } from "../dom.js";
import { parsed } from "./settings.js";
import { copyOf, TEMPLATES } from "./templates.js";

/**
 * @typedef {import("./server.js").Server} Server
 * @typedef {import("./server.js").Configuration} Configuration
 */

const COPY = "copy of ";

/** @param {Server} server @param {string} [from] one that is copied; none: a template */
export function openCreate(server, from = "") {
  const { kind } = server;
  const name = h("input", { id: "new-name", type: "text", autocomplete: "off", spellcheck: false });
  const begin = h("select", { id: "new-begin" },
    Object.keys(TEMPLATES[kind]).map((each) => h("option", { value: each }, each)),
    server.instances.map((each) => h("option", { value: COPY + each.name }, COPY + each.name)));
  const keys = new Keys();
  const refusal = h("p", { class: "refusal", role: "alert", hidden: true });
  const load = async () => {
    const chosen = begin.value;
    refusal.hidden = true;
    try {
      const found = chosen in TEMPLATES[kind] ? TEMPLATES[kind][chosen] : copyOf(await server.configuration(chosen.slice(COPY.length)));
      if (begin.value === chosen) keys.show(found);
    } catch (error) {
      refusal.textContent = /** @type {Error} */ (error).message;
      refusal.hidden = false;
    }
  };
  begin.addEventListener("change", load);
  if (from) begin.value = COPY + from;
  load();
  openDialog({
    title: `New ${kind}`,
    submit: "Create",
    content: [
      h("div", { class: "ask" }, h("label", { for: name.id }, "Name"), name),
      h("div", { class: "ask" }, h("label", { for: begin.id }, "Begin with"), begin, refusal),
      h("fieldset", { class: "making" }, h("legend", {}, "Configuration, each key as JSON"), keys.element),
    ],
    onSubmit: async () => {
      await server.create(name.value.trim(), keys.configuration());
      location.hash = encodeURIComponent(name.value.trim());
    },
  });
}

/** @param {Server} server @param {string} name */
export function openRemove(server, name) {
  openDialog({
    title: `Delete ${server.kind} ${name}?`,
    submit: "Delete",
    danger: true,
    content: [h("p", {}, "It is stopped, and its configuration is lost; backgrounds and files stay.")],
    onSubmit: async () => {
      await server.remove(name);
      location.hash = "";
    },
  });
}

/** The keys of a configuration in fields, and two fields more for another key. */
class Keys {
  constructor() {
    /** @type {Map<string, HTMLInputElement>} */
    this.inputs = new Map();
    this.rows = h("div", { class: "keys" });
    this.key = field("New key");
    this.value = field("Value of the new key");
    this.key.placeholder = "another key";
    this.value.placeholder = "its value";
    const add = h("button", { class: "button", type: "button", onclick: () => this.add() }, "Add");
    this.element = h("div", {}, this.rows, h("div", { class: "key more" }, this.key, this.value, add));
  }

  /** @param {Configuration} configuration */
  show(configuration) {
    this.inputs.clear();
    fill(this.rows, Object.entries(configuration).map(([key, value]) => this.row(key, JSON.stringify(value))));
  }

  /** @param {string} key @param {string} text */
  row(key, text) {
    const input = field(key, text);
    this.inputs.set(key, input);
    return h("div", { class: "key", "data-key": key }, h("label", {}, h("span", {}, ...broken(key)), input));
  }

  add() {
    const key = this.key.value.trim();
    if (!key) return;
    const known = this.inputs.get(key);
    if (known) known.value = this.value.value;
    else this.rows.append(this.row(key, this.value.value));
    this.key.value = this.value.value = "";
  }

  /** What is typed; a key that waits to be added counts, too. @returns {Configuration} */
  configuration() {
    this.add();
    return Object.fromEntries([...this.inputs].map(([key, input]) => [key, parsed(input.value)]));
  }
}

/** @param {string} label @param {string} [value] */
function field(label, value = "") {
  return h("input", { type: "text", value, "aria-label": label, spellcheck: false, autocomplete: "off" });
}
