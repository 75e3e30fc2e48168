/** The servers that a manager spreads its instances over, each in a row; one that cannot be reached says why. */

import { fill, h, setAttribute, setText } from "../dom.js";
import { clock, count, duration, rate } from "../format.js";

/** @typedef {import("./server.js").Host} Host */

const COLUMNS = /** @type {const} */ (["Server", "State", "Instances", "CPU", "Up", "Restarts"]);
/** @typedef {Record<typeof COLUMNS[number], HTMLTableCellElement>} Cells */

/** @param {string} address */
export function withoutScheme(address) {
  return address.slice(address.indexOf("://") + 3);
}

/** Nothing is shown where there is one server that can be reached: then it is this one. */
export class HostsCard {
  constructor() {
    /** @type {Map<string, Cells>} */
    this.rows = new Map();
    this.body = h("tbody", {});
    this.element = h("section", { class: "card wide", "aria-label": "Servers", hidden: true },
      h("header", {}, h("h2", {}, "Servers")),
      h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Table of servers" },
        h("table", { class: "stacked" },
          h("thead", {}, h("tr", {}, COLUMNS.map((name) => h("th", { scope: "col" }, name)))), this.body)));
  }

  /** @param {Host[]} hosts */
  update(hosts) {
    this.element.hidden = hosts.length < 2 && !hosts.some((host) => host.problem);
    const addresses = hosts.map((host) => host.address);
    if (addresses.join() !== [...this.rows.keys()].join()) {
      this.rows = new Map(addresses.map((address) => [address, cellsOf(address)]));
      fill(this.body, [...this.rows.values()].map((cells) => h("tr", {}, Object.values(cells))));
    }
    for (const host of hosts) show(/** @type {Cells} */ (this.rows.get(host.address)), host);
  }
}

/** @param {string} address */
function cellsOf(address) {
  const cells = /** @type {Cells} */ (Object.fromEntries(COLUMNS.map((name) => [name, h("td", { "data-label": name })])));
  setText(cells.Server, withoutScheme(address));
  fill(cells.State, h("span", { class: "state" }), h("span", { class: "muted" }));
  return cells;
}

/** @param {Cells} cells @param {Host} host */
function show(cells, host) {
  const [state, reason] = cells.State.children;
  setText(state, host.problem ? "Unreachable" : "Answers");
  setAttribute(state, "data-tone", host.problem ? "bad" : "good");
  setText(reason, host.problem ? ` ${host.since ? `since ${clock(host.since)}: ` : ""}it ${host.problem}` : "");
  setText(cells.Instances, host.problem ? "–" : count(host.instances));
  setText(cells.CPU, host.cpu === null ? "–" : `${rate(host.cpu)} %`);
  setText(cells.Up, host.problem || !host.started ? "–" : duration(Date.now() / 1000 - host.started));
  setText(cells.Restarts, count(host.restarts));
}
