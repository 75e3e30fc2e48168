/** The last minutes of the figures that are plotted: what the server kept, then what comes. */

import { request } from "./api.js";
import { lossesOf } from "./losses.js";

/** @typedef {import("./store.js").Store} Store */

export const SECONDS = 300;

export class History {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    /** @type {number[]} Unix seconds */
    this.times = [];
    /** @type {Map<string, (number | null)[]>} by key */
    this.series = new Map();
    /** @type {Set<() => void>} */
    this.listeners = new Set();
    this.timer = 0;
  }

  async open() {
    this.timer = setInterval(() => this.sample(), 1000);
    try {
      const kept = await request("GET", `${this.store.path}history`);
      const arrived = performance.now();
      await this.store.once(() => this.store.connected);
      // The server's record has the times of its own clock, which may be neither the engine's nor this browser's.
      const lead = this.store.now() - (performance.now() - arrived) / 1000 - kept.now;
      kept.times = kept.times.map((/** @type {number} */ t) => t + lead);
      const first = this.times[0] ?? Infinity;
      const older = kept.times.filter((/** @type {number} */ t) => t < first - 0.5).length;
      const names = new Set([...this.series.keys(), ...Object.keys(kept.series)]);
      for (const name of names) {
        const now = this.series.get(name) ?? new Array(this.times.length).fill(null);
        this.series.set(name, [...(kept.series[name] ?? new Array(older).fill(null)).slice(0, older), ...now]);
      }
      this.times = [...kept.times.slice(0, older), ...this.times];
      this.sumLost(older);
      this.trim();
    } catch {
      // Without the server's record the plots begin now.
    }
  }

  close() {
    clearInterval(this.timer);
  }

  /** The losses of the first samples, which the server keeps apart by where they were. @param {number} older */
  sumLost(older) {
    const planned = (/** @type {string} */ key) => this.store.get(key.replace(/dropped$/, "alarm_on_drop")) === false;
    const parts = [...this.series].filter(([key]) => /(^source\.(missing|malformed)|\.dropped)$/.test(key) && !planned(key));
    const lost = this.series.get("lost") ?? [];
    for (let n = 0; n < older; n += 1) {
      const known = parts.map(([, values]) => values[n]).filter((value) => value !== null);
      lost[n] = known.length ? known.reduce((a, b) => (a ?? 0) + (b ?? 0), 0) : null;
    }
    this.series.set("lost", lost);
  }

  /** Take the values as they are now. */
  sample() {
    const { store } = this;
    if (!store.connected && !this.times.length) return; // what time it is is not known yet
    // Samples of a time that is still to come are from before a clock was set back.
    if (store.now() < (this.times.at(-1) ?? 0)) this.forget();
    this.times.push(store.now());
    const outputs = [...store.sections("streams"), ...store.sections("writers")];
    const pictures = store.sections("pictures").flatMap((p) => [1, 2, 3, 4].map((n) => `${p}.roi${n}_sum`));
    const wanted = [...pictures, "source.rate", "source.throughput", "source.missing", "source.malformed",
      ...outputs.flatMap((o) => [`${o}.rate`, `${o}.queue_use`, `${o}.dropped`])];
    for (const key of wanted) {
      const value = store.reachable ? store.values.get(key) : null;
      this.put(key, typeof value === "number" ? value : null);
    }
    const lost = store.reachable ? lossesOf(store).filter((l) => !l.planned).reduce((sum, l) => sum + l.number, 0) : null;
    this.put("lost", lost);
    for (const [, values] of this.series) if (values.length < this.times.length) values.push(null);
    this.trim();
    for (const listener of this.listeners) listener();
  }

  /** @param {string} key @param {number | null} value */
  put(key, value) {
    let values = this.series.get(key);
    if (!values) this.series.set(key, (values = []));
    while (values.length < this.times.length - 1) values.push(null);
    values.push(value);
  }

  forget() {
    this.times = [];
    this.series.clear();
  }

  trim() {
    const first = this.store.now() - SECONDS;
    const old = this.times.findIndex((t) => t >= first);
    if (old <= 0) return;
    this.times = this.times.slice(old);
    for (const [key, values] of this.series) this.series.set(key, values.slice(old));
  }

  /** @param {string} key @returns {(number | null)[]} */
  of(key) {
    const values = this.series.get(key) ?? [];
    return values.length === this.times.length ? values : [...new Array(this.times.length - values.length).fill(null), ...values];
  }
}
