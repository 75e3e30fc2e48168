/** The last minutes of the beam: what the server says each second, kept while the page is open. */

import { measured } from "../format.js";
import { SECONDS } from "../history.js";
import { Plot } from "../plots.js";

/** @typedef {import("./server.js").Instance} Instance */

const PLANS = [
  { title: "Centre", keys: [["x_center", "x"], ["y_center", "y"]], least: 1 },
  { title: "Width", keys: [["x_width", "x"], ["y_width", "y"]], least: 1 },
  { title: "Intensity", keys: [["intensity", "sum of all pixels"]], least: 1 },
];

export class Trend {
  constructor() {
    /** @type {number[]} Unix seconds */
    this.times = [];
    /** @type {Map<string, (number | null)[]>} */
    this.series = new Map();
    this.store = { now: () => Date.now() / 1000 };
    /** @type {Instance["beam"]} */
    this.beam = {};
    this.plots = PLANS.map(({ title, keys, least }) => new Plot(/** @type {any} */ (this), {
      title,
      least,
      free: true,
      now: () => keys.map(([key]) => measured(this.beam?.[key] ?? null, 5)).join(" · "),
      lines: () => keys.map(([key, label], n) => ({ key, label, colour: ["--series-1", "--series-5"][n] })),
    }));
  }

  /** @param {Instance["beam"]} beam */
  take(beam) {
    this.beam = beam;
    const now = this.store.now();
    // Those of a time that is still to come are from before the clock was set back.
    const old = now < (this.times.at(-1) ?? 0) ? this.times.length : this.times.filter((t) => t < now - SECONDS).length;
    this.times = [...this.times.slice(old), now];
    for (const key of PLANS.flatMap((plan) => plan.keys.map(([each]) => each))) {
      this.series.set(key, [...(this.series.get(key) ?? []).slice(old), beam?.[key] ?? null]);
    }
    for (const plot of this.plots) plot.update();
  }

  /** @param {string} key */
  of(key) {
    return this.series.get(key) ?? [];
  }
}
