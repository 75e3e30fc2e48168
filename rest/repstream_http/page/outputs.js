/** Streams and writers come and go: one change of the configuration each, refused where the engine refuses it. */

import { access } from "./access.js";
import { openDialog } from "./dialog.js";
import { h, setAttribute, symbol } from "./dom.js";
import { inputFor, typed } from "./field.js";

/** @typedef {import("./store.js").Store} Store */

/** What is asked for beside the name: without it a new one stands in the way of another. @type {Record<string, string[]>} */
const ASKED = { streams: ["address", "mode"], writers: ["folder", "file_name"] };

/**
 * An address like the ones that are taken, on the port after the highest of them.
 * @param {string[]} taken
 * @param {string} first where none is taken
 */
export function nextAddress(taken, first) {
  const ports = taken.map((address) => /^(tcp:\/\/.*:)(\d+)$/.exec(address)).filter((found) => found !== null);
  const last = ports.sort((a, b) => Number(a[2]) - Number(b[2])).at(-1);
  return last && Number(last[2]) < 65535 ? `${last[1]}${Number(last[2]) + 1}` : first;
}

/** "streams" as "stream". @param {Store} store @param {string} group */
export function singular(store, group) {
  return store.groups.find((g) => g.name === group)?.singular ?? group;
}

/**
 * A button that asks for the name of a new stream or writer, and makes it.
 * @param {Store} store
 * @param {string} group "streams" or "writers"
 * @param {string} [kind] class of the button
 */
export function addButton(store, group, kind = "link") {
  return h("button", { class: `add ${kind}`, type: "button", "data-add": group, onclick: () => openNew(store, group) },
    symbol("plus"), `Add ${singular(store, group)}`);
}

/**
 * A button that removes a stream or writer, after asking.
 * @param {Store} store
 * @param {string} section "streams.live"
 */
export function removeButton(store, section) {
  return h("button", { class: "remove link", type: "button", "data-remove": section, onclick: () => openRemove(store, section) }, symbol("trash"), "Remove");
}

/** Grey out a button where nothing may be changed. @param {HTMLButtonElement | null} button */
export function allow(button) {
  if (!button) return;
  const { change, reason } = access.rights;
  button.disabled = !change;
  setAttribute(button, "title", change ? null : reason);
}

/** @param {Store} store @param {string} group */
function openNew(store, group) {
  const one = singular(store, group);
  const name = h("input", { id: "new-name", type: "text", maxLength: 31, autocomplete: "off", spellcheck: false });
  const asked = (ASKED[group] ?? []).flatMap((field) => {
    const facts = [...store.facts.values()].find((f) => f.group === group && f.field === field);
    return facts ? [{ field, facts, input: inputFor(facts) }] : [];
  });
  for (const { field, facts, input } of asked) {
    const taken = store.sections(group).map((s) => store.text(s, field));
    input.value = field === "address" ? nextAddress(taken, String(facts.default)) : String(facts.default ?? "");
  }
  openDialog({
    title: `New ${one}`,
    submit: "Add",
    content: [
      h("div", { class: "ask" }, h("label", { for: name.id }, "Name"), name),
      ...asked.map(({ field, facts, input }) => {
        input.id = `new-${field}`;
        setAttribute(input, "aria-describedby", `${input.id}-help`);
        return h("div", { class: "ask" }, h("label", { for: input.id }, facts.title), input, h("span", { class: "muted", id: `${input.id}-help` }, facts.description));
      }),
    ],
    onSubmit: async () => {
      const key = `${group}.${name.value}`;
      if (key in store.slots) throw new Error(`There is a ${one} ${name.value} already; take another name.`);
      const settings = asked.map(({ field, facts, input }) => [field, typed(facts, input.value)]);
      await store.configure({ [group]: { [name.value]: Object.fromEntries(settings) } });
      location.hash = settingsHash(store, key);
    },
  });
}

/** @param {Store} store @param {string} section */
function openRemove(store, section) {
  const [group, name] = section.split(".");
  const one = singular(store, group);
  openDialog({
    title: `Remove ${one} ${name}?`,
    submit: "Remove",
    danger: true,
    content: [h("p", {}, group === "streams" ? "Its settings are lost, and its clients get no more frames." : "Its settings are lost; files that it wrote stay.")],
    onSubmit: () => store.configure({ [group]: { [name]: null } }),
  });
}

/** Where the settings of a section are. @param {Store} store @param {string} section */
export function settingsHash(store, section) {
  return `#settings/${[store.engine, section].map(encodeURIComponent).join("/")}`;
}
