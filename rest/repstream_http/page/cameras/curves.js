/** The beam's profiles along x and y, with the Gaussian fitted to each. */

import uPlot from "../vendor/uplot.js";
import { colourOf, h } from "../dom.js";
import { compact } from "../format.js";

const HEIGHT = 150;

/** @typedef {{axis: number[] | null, profile: number[] | null, fit: number[] | null}} Curve */

export class CurvePlot {
  /** @param {string} title */
  constructor(title) {
    this.chart = h("div", { class: "chart tall", role: "img", "aria-label": title });
    const key = (/** @type {string} */ colour, /** @type {string} */ text) => {
      const line = h("i");
      line.style.background = `var(${colour})`;
      return h("span", {}, line, text);
    };
    this.element = h("figure", { class: "plot" }, h("figcaption", {}, h("h3", {}, title)), this.chart,
      h("div", { class: "legend" }, key("--series-1", "profile"), key("--series-5", "fit")));
    /** @type {any} */
    this.plot = null;
    new ResizeObserver(() => this.plot?.setSize({ width: this.chart.clientWidth, height: HEIGHT })).observe(this.chart);
  }

  /** @param {Curve} curve */
  show({ axis, profile, fit }) {
    this.element.hidden = !profile;
    if (!profile) return;
    if (!this.plot) this.make();
    const places = axis ?? profile.map((_, n) => n);
    const order = places.length > 1 && places[0] > places[places.length - 1] ? (/** @type {any[]} */ v) => v.slice().reverse() : (/** @type {any[]} */ v) => v;
    this.plot?.setData([order(places), order(profile), order(fit ?? profile.map(() => null))]);
    this.chart.dataset.fitted = String(Boolean(fit));
  }

  make() {
    const width = this.chart.clientWidth;
    if (!width) return;
    const colour = (/** @type {string} */ name) => colourOf(this.element, name);
    const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    const series = { points: { show: false }, spanGaps: false };
    this.plot = new uPlot({
      width,
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      padding: [8, 22, 0, 0],
      scales: { x: { time: false } },
      axes: [{ ...axis, size: 24, gap: 4 }, { ...axis, size: 48, gap: 4, values: (/** @type {any} */ _p, /** @type {number[]} */ ticks) => ticks.map((t) => compact(t)) }],
      series: [{}, { ...series, label: "profile", stroke: colour("--series-1"), width: 1.25 }, { ...series, label: "fit", stroke: colour("--series-5"), width: 1.75 }],
    }, [[], [], []], this.chart);
  }
}
