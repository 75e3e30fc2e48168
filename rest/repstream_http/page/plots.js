/** Small plots of rates, queues and losses over the last minutes. */

import uPlot from "./vendor/uplot.js";
import { colourOf, fill, h, setText } from "./dom.js";
import { compact, count, measured, rate } from "./format.js";
import { SECONDS } from "./history.js";
import { lossesOf } from "./losses.js";

/**
 * @typedef {import("./history.js").History} History
 * @typedef {{key: string, label: string, colour: string}} Line
 * @typedef {{title: string, lines: () => Line[], now: () => string, least: number,
 *   free?: boolean}} Plan `least`: least span of the axis; `free`: it need not begin at 0
 */

const HEIGHT = 132;
const COLOURS = ["--series-1", "--series-2", "--series-3", "--series-4", "--series-5", "--series-6"];

export class PlotsCard {
  /** @param {import("./store.js").Store} store @param {History} history */
  constructor(store, history) {
    const outputs = () => [...store.sections("streams"), ...store.sections("writers")];
    const last = (/** @type {string} */ section) => section.slice(section.indexOf(".") + 1);
    const each = (/** @type {string} */ field) => outputs().map((o, n) => ({ key: `${o}.${field}`, label: last(o), colour: COLOURS[(n + 1) % COLOURS.length] }));
    const most = () => outputs().reduce((m, o) => Math.max(m, store.number(o, "queue_use") ?? 0), 0);
    /** @type {Plan[]} */
    const plans = [
      { title: "Rate", least: 1, now: () => `${rate(store.number("source", "rate"))} Hz`,
        lines: () => [{ key: "source.rate", label: "received", colour: COLOURS[0] }, ...each("rate")] },
      { title: "Throughput", least: 1, now: () => `${rate(store.number("source", "throughput"))} MB/s`,
        lines: () => [{ key: "source.throughput", label: "received", colour: COLOURS[0] }] },
      { title: "Queues", least: 10, now: () => `${measured(most(), 2)} %`, lines: () => each("queue_use") },
      { title: "Losses", least: 5, now: () => count(lossesOf(store).filter((l) => !l.planned).reduce((sum, l) => sum + l.number, 0)),
        lines: () => [{ key: "lost", label: "frames lost since the start", colour: "--bad" }] },
    ];
    this.plots = plans.map((plan) => new Plot(history, plan));
    this.element = h("section", { class: "card wide plots", "aria-label": "Last minutes" }, this.plots.map((p) => p.element));
    history.listeners.add(() => this.update());
  }

  update() {
    if (this.element.isConnected) for (const plot of this.plots) plot.update();
  }
}

export class Plot {
  /** @param {History} history @param {Plan} plan */
  constructor(history, plan) {
    this.history = history;
    this.plan = plan;
    this.value = h("span", { class: "value" });
    this.legend = h("div", { class: "legend" });
    this.chart = h("div", { class: "chart", role: "img", "aria-label": `${plan.title} over the last ${SECONDS / 60} minutes` });
    this.element = h("figure", { class: "plot" }, h("figcaption", {}, h("h3", {}, plan.title), this.value), this.chart, this.legend);
    /** @type {any} */
    this.plot = null;
    this.shown = "";
    new ResizeObserver(() => this.plot?.setSize({ width: this.chart.clientWidth, height: HEIGHT })).observe(this.chart);
  }

  update() {
    setText(this.value, this.plan.now());
    const lines = this.plan.lines();
    const shown = JSON.stringify(lines) + getComputedStyle(this.element).color;
    if (shown !== this.shown || !this.plot) this.rebuild(lines);
    this.shown = shown;
    const data = [this.history.times, ...lines.map((l) => this.history.of(l.key))];
    this.plot?.setData(data, false);
    const now = this.history.store.now();
    this.plot?.setScale("x", { min: now - SECONDS, max: now });
  }

  /** @param {Line[]} lines */
  rebuild(lines) {
    this.plot?.destroy();
    const width = this.chart.clientWidth;
    if (!width) return;
    const colour = (/** @type {string} */ name) => colourOf(this.element, name);
    const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    const ago = (/** @type {any} */ _plot, /** @type {number[]} */ ticks) => {
      const now = this.history.store.now();
      return ticks.map((t) => (now - t < 20 ? "now" : `−${Math.round((now - t) / 60)} min`));
    };
    const minutes = () => {
      const now = this.history.store.now();
      return [4, 3, 2, 1, 0].map((m) => now - 60 * m);
    };
    this.plot = new uPlot(
      {
        width,
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        padding: [8, 14, 0, 0],
        scales: {
          x: { time: false },
          y: { range: (/** @type {any} */ _p, /** @type {number | null} */ low, /** @type {number | null} */ high) => spanOf(this.plan, low ?? 0, high ?? 0) },
        },
        axes: [
          { ...axis, splits: minutes, values: ago, size: 24, gap: 4, grid: { show: false } },
          { ...axis, size: 42, gap: 4, values: (/** @type {any} */ _p, /** @type {number[]} */ ticks) => ticks.map((t) => compact(t)) },
        ],
        series: [{}, ...lines.map((l) => ({ label: l.label, stroke: colour(l.colour), width: 1.75, points: { show: false }, spanGaps: false }))],
      },
      [[], ...lines.map(() => [])],
      this.chart,
    );
    fill(this.legend, lines.map((l) => {
      const key = h("i");
      key.style.background = `var(${l.colour})`;
      return h("span", {}, key, l.label);
    }));
  }
}

/**
 * The ends of a vertical axis.
 * @param {{least: number, free?: boolean}} plan
 * @param {number} low
 * @param {number} high
 * @returns {[number, number]}
 */
export function spanOf({ least, free }, low, high) {
  if (!free) return [0, 1.15 * Math.max(least, high)];
  const middle = (low + high) / 2;
  const half = 0.6 * Math.max(least, high - low);
  return [middle - half, middle + half];
}
