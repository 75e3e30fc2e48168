/** What one engine says about itself: a snapshot and every change after it, over a WebSocket. */

import { address, request } from "./api.js";

const AGAIN = 1000;
const LONGEST = 10_000;
const CLOCK_SET = 10; // seconds by which no event of a live connection is late

/**
 * @typedef {string | number | boolean | null} Value
 * @typedef {{key: string, slot_key: string, group: string, slot: number, field: string, title: string,
 *   level: string, format: string, kind: string, access: string, writable: boolean, description: string, unit: string,
 *   default: Value, minimum: number | null, maximum: number | null, length: number, choices: string[],
 *   alarm: Record<string, number | null> | null}} Facts
 * @typedef {{key: string, slot_key: string, group: string, slot: number, name: string, title: string, description: string,
 *   waits: boolean, allowed_in: string[], argument: Record<string, any> | null}} CommandFacts
 * @typedef {(changed: Set<string> | null) => void} Listener called with the keys that changed, null: all
 * @typedef {(completion: {id: string, command: string, ok: boolean, message: string}) => void} OnCompletion
 */

export class Store {
  /** @param {string} engine its name */
  constructor(engine) {
    this.engine = engine;
    this.path = `engines/${encodeURIComponent(engine)}/`;
    /** Whether the server can be reached. */
    this.connected = false;
    /** Whether it was asked in vain. */
    this.failed = false;
    /** The server's clock ahead of this browser's, in seconds. */
    this.clockLead = 0;
    /** @type {Map<string, Value>} by key with the name of a stream or writer */
    this.values = new Map();
    /** @type {Record<string, string>} slot of each name: "streams.live" is "streams.1" */
    this.slots = {};
    /** @type {Map<string, Facts>} by key with the slot */
    this.facts = new Map();
    /** @type {{name: string, singular: string, slots: number, named: boolean}[]} */
    this.groups = [];
    /** @type {CommandFacts[]} */
    this.commands = [];
    /** @type {Set<Listener>} */
    this.listeners = new Set();
    /** @type {Set<OnCompletion>} */
    this.completions = new Set();
    /** @type {WebSocket | null} */
    this.socket = null;
    this.pause = AGAIN;
    this.closed = false;
  }

  /** Begin to follow the engine. */
  open() {
    this.closed = false;
    const socket = new WebSocket(address(`${this.path}changes`, "ws"));
    this.socket = socket;
    let before = Promise.resolve();
    socket.onmessage = (event) => {
      // One after the other: the first waits for the catalogue.
      before = before.then(() => this.take(JSON.parse(event.data))).catch(() => socket.close());
    };
    socket.onclose = () => {
      if (this.socket !== socket || this.closed) return;
      this.connected = false;
      this.failed = true;
      this.tell(null);
      setTimeout(() => this.closed || this.open(), this.pause);
      this.pause = Math.min(LONGEST, this.pause * 1.5);
    };
  }

  close() {
    this.closed = true;
    this.socket?.close();
  }

  /** @param {any} message */
  async take(message) {
    // An event is never from the future: the greatest lead is the one with the least delay.
    // One that lags by far behind it shows that a clock was set.
    const lead = message.time - Date.now() / 1000;
    const anew = message.type === "snapshot" || lead < this.clockLead - CLOCK_SET;
    this.clockLead = anew ? lead : Math.max(this.clockLead, lead);
    if (message.type === "snapshot") {
      if (!this.facts.size) await this.loadCatalogue();
      this.connected = true;
      this.pause = AGAIN;
      this.values = new Map(Object.entries(message.values));
      this.slots = message.slots;
      this.tell(null);
    } else if (message.type === "change") {
      for (const [key, value] of Object.entries(message.values)) this.values.set(key, /** @type {Value} */ (value));
      this.tell(new Set(Object.keys(message.values)));
    } else if (message.type === "completion") {
      for (const listener of this.completions) listener(message);
    }
  }

  async loadCatalogue() {
    const catalogue = await request("GET", `${this.path}catalogue`);
    this.facts = new Map(catalogue.parameters.map((/** @type {Facts} */ f) => [f.slot_key, f]));
    this.groups = catalogue.groups;
    this.commands = catalogue.commands;
  }

  /**
   * A value by its key, or of a section and field.
   * @param {string} section "engine", "streams.live", or a whole key
   * @param {string} [field]
   */
  get(section, field) {
    return this.values.get(field === undefined ? section : `${section}.${field}`) ?? null;
  }

  /** @param {string} section @param {string} field */
  number(section, field) {
    const value = this.get(section, field);
    return typeof value === "number" ? value : null;
  }

  /** @param {string} section @param {string} field */
  text(section, field) {
    return String(this.get(section, field) ?? "");
  }

  /**
   * The sections of a group that are in use: "streams" gives "streams.live", "pictures" gives "pictures.1",
   * "source" gives itself.
   * @param {string} group
   */
  sections(group) {
    const declared = this.groups.find((g) => g.name === group);
    if (!declared) return [];
    if (!declared.slots) return [group];
    if (!declared.named) return Array.from({ length: declared.slots }, (_, n) => `${group}.${n + 1}`);
    const named = Object.entries(this.slots).filter(([name]) => name.startsWith(`${group}.`));
    return named.sort((a, b) => slotOf(a[1]) - slotOf(b[1])).map(([name]) => name);
  }

  /** The facts of a key in either form. @param {string} key @returns {Facts | undefined} */
  fact(key) {
    const dot = key.lastIndexOf(".");
    const head = key.slice(0, dot);
    return this.facts.get(`${this.slots[head] ?? head}.${key.slice(dot + 1)}`);
  }

  /** The engine's clock now, Unix seconds. */
  now() {
    return Date.now() / 1000 + this.clockLead;
  }

  /** Whether the engine behind the server can be reached. */
  get reachable() {
    return this.connected && this.get("engine", "state") !== "UNKNOWN";
  }

  /** @param {Listener} listener @returns {() => void} stops it */
  watch(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** When something is so, at once or after a change. @param {() => boolean} condition @returns {Promise<void>} */
  once(condition) {
    if (condition()) return Promise.resolve();
    return new Promise((resolve) => {
      const stop = this.watch(() => {
        if (!condition()) return;
        stop();
        resolve();
      });
    });
  }

  /** @param {Record<string, Value>} values */
  write(values) {
    return request("PATCH", `${this.path}parameters`, values);
  }

  /**
   * Change a part of the configuration, all of it or nothing; a stream or writer given as null is removed.
   * @param {Record<string, Record<string, unknown>>} tree
   * @returns {Promise<void>}
   */
  configure(tree) {
    return request("PATCH", `${this.path}config`, tree);
  }

  /** @param {string} command @param {Value} [argument] */
  execute(command, argument) {
    const body = argument === undefined || argument === null ? {} : { argument };
    return request("POST", `${this.path}commands/${command}`, body);
  }

  /** @param {Set<string> | null} changed */
  tell(changed) {
    for (const listener of this.listeners) listener(changed);
  }
}

/** @param {string} head */
function slotOf(head) {
  return Number(head.slice(head.lastIndexOf(".") + 1));
}
