/** Buttons for commands: greyed out with the reason, and a refusal shown where one clicked. */

import { access } from "./access.js";
import { ApiError } from "./api.js";
import { h, setAttribute, setText } from "./dom.js";
import { words } from "./format.js";

/** @typedef {import("./store.js").Store} Store */

/** Commands that begin to take images. */
const BEGINS = new Set(["start", "arm"]);

/**
 * Why a command is not possible now; empty where it is.
 * @param {{allowed_in: string[], name: string}} command
 * @param {{connected: boolean, reachable: boolean, change: boolean, reason: string, state: string, busy?: boolean}} now
 *   `busy`: its acquisition takes images
 */
export function whyNot(command, now) {
  if (!now.connected) return "The server does not answer.";
  if (!now.reachable) return "The engine cannot be reached.";
  if (!now.change) return `${now.reason.charAt(0).toUpperCase()}${now.reason.slice(1)}.`;
  if (now.busy && BEGINS.has(command.name)) return "An acquisition takes images now; stop it first.";
  if (!command.allowed_in.length || command.allowed_in.includes(now.state)) {
    return command.name === "pause" && !now.busy ? "The gate is shut." : "";
  }
  return `Not possible in ${now.state}, only in ${command.allowed_in.join(", ")}.`;
}

/**
 * The command that one most likely wants next; after an error that is the way out of it.
 * @param {string[]} possible in the order in which they stand
 * @param {string} state
 */
export function prominent(possible, state) {
  return state === "ERROR" && possible.includes("initialize") ? "initialize" : possible.find((name) => name !== "abort");
}

export class CommandBar {
  /**
   * @param {Store} store
   * @param {string} section "engine" or "writers.main"
   * @param {string[]} names of the commands shown, the first one most prominent
   */
  constructor(store, section, names) {
    this.store = store;
    this.section = section;
    this.message = h("p", { class: "said", role: "status", hidden: true });
    this.buttons = names.map((name) => this.button(name));
    this.element = h("div", { class: "commands" }, h("div", { class: "buttons" }, this.buttons.map((b) => b.element)), this.message);
    /** Id of the command whose end is waited for. */
    this.waiting = "";
    store.completions.add((completion) => this.completed(completion));
  }

  /** @param {string} name */
  button(name) {
    const danger = name === "abort" ? " danger" : "";
    const element = h("button", { class: `button${danger}`, "data-command": `${this.section}.${name}` }, words(name));
    element.addEventListener("click", () => this.give(name));
    return { name, element };
  }

  /** @param {string} name */
  reason(name) {
    const head = this.store.slots[this.section] ?? this.section;
    const command = this.store.commands.find((c) => c.slot_key === `${head}.${name}`);
    const { connected, reachable } = this.store;
    const state = this.store.text(this.section, "state");
    const busy = state === "WRITING" && this.store.get(this.section, "gate") === "open";
    return command ? whyNot(command, { connected, reachable, ...access.rights, state, busy }) : "There is no such command.";
  }

  update() {
    const reasons = new Map(this.buttons.map(({ name }) => [name, this.reason(name)]));
    const best = prominent([...reasons].filter(([, reason]) => !reason).map(([name]) => name), this.store.text(this.section, "state"));
    for (const { name, element } of this.buttons) {
      const reason = reasons.get(name);
      setAttribute(element, "aria-disabled", reason ? "true" : null);
      setAttribute(element, "title", reason || this.description(name));
      element.classList.toggle("primary", name === best);
    }
  }

  /** @param {string} name */
  description(name) {
    const head = this.store.slots[this.section] ?? this.section;
    return this.store.commands.find((c) => c.slot_key === `${head}.${name}`)?.description ?? "";
  }

  /** @param {string} name */
  async give(name) {
    const reason = this.reason(name);
    if (reason) return this.say(reason, "refusal");
    this.say(`${words(name)} …`, "");
    try {
      const answer = await this.store.execute(`${this.section}.${name}`);
      this.waiting = answer.done ? "" : answer.id;
      this.say(answer.done ? answer.message : `${words(name)}: ${answer.message}`, "");
    } catch (error) {
      this.say(error instanceof ApiError ? `${words(name)} refused: ${error.reason}` : String(error), "refusal");
    }
  }

  /** @param {{id: string, ok: boolean, message: string}} completion */
  completed(completion) {
    if (!this.waiting || completion.id !== this.waiting) return;
    this.waiting = "";
    this.say(completion.message, completion.ok ? "" : "refusal");
  }

  /** @param {string} text @param {string} kind */
  say(text, kind) {
    this.message.hidden = !text;
    this.message.className = `said ${kind}`;
    setText(this.message, text);
  }
}
