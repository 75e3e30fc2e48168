/** All cameras or pipelines of a server: thumbnail, state, rate, clients, losses. */

import { binary } from "../api.js";
import { fill, h, setAttribute, setText, symbol } from "../dom.js";
import { count, rate, words } from "../format.js";
import { tone } from "../states.js";
import { openCreate } from "./create.js";
import { HostsCard, withoutScheme } from "./hosts.js";

/**
 * @typedef {import("./server.js").Server} Server
 * @typedef {import("./server.js").Instance} Instance
 */

const REFRESH = 2000; // ms between two thumbnails of one instance
const SIZE = 320;

export class ListView {
  /** @param {Server} server */
  constructor(server) {
    this.server = server;
    /** @type {Map<string, Tile>} */
    this.tiles = new Map();
    this.grid = h("div", { class: "tiles" });
    this.empty = h("p", { class: "muted", hidden: true });
    const make = h("button", { class: "button", type: "button", onclick: () => openCreate(server) }, `New ${server.kind}`);
    this.hosts = new HostsCard();
    this.element = h("section", { "aria-label": "All" }, this.hosts.element, h("p", { class: "making" }, make), this.empty, this.grid);
    this.names = "";
  }

  update() {
    const { hosts, instances, kind } = this.server;
    this.hosts.update(hosts);
    const names = JSON.stringify(instances.map((each) => each.name));
    if (names !== this.names) {
      this.names = names;
      const known = this.tiles;
      this.tiles = new Map(instances.map(({ name }) => [name, known.get(name) ?? new Tile(this.server, name)]));
      fill(this.grid, [...this.tiles.values()].map((tile) => tile.element));
    }
    this.empty.hidden = instances.length > 0;
    setText(this.empty, `No ${kind} is saved yet.`);
    for (const instance of instances) this.tiles.get(instance.name)?.update(instance);
  }
}

class Tile {
  /** @param {Server} server @param {string} name */
  constructor(server, name) {
    this.server = server;
    this.name = name;
    this.state = h("span", { class: "state" });
    this.figures = h("p", { class: "muted" });
    this.message = h("p", { class: "refusal", role: "alert", hidden: true });
    this.image = h("img", { class: "thumbnail", alt: `Picture of ${name}`, hidden: true });
    this.place = h("div", { class: "thumbnail-place" }, symbol("image"), this.image);
    this.button = new StartStop(server, name, (text) => this.say(text));
    this.image.addEventListener("load", () => (this.image.hidden = false));
    this.refreshed = 0;
    this.element = h("article", { class: "card tile", "data-name": name, "aria-label": name },
      h("a", { href: `#${encodeURIComponent(name)}`, "aria-label": `Show ${name}` }, this.place),
      h("header", {}, h("h2", {}, h("a", { href: `#${encodeURIComponent(name)}` }, name)), this.state),
      this.figures, this.message, this.button.element);
  }

  /** @param {Instance} instance */
  update(instance) {
    const runs = instance.state === "RUNNING";
    setText(this.state, words(instance.state));
    setAttribute(this.state, "data-tone", tone(instance.state, false));
    const lost = instance.lost ? ` · ${count(instance.lost)} lost` : "";
    const at = instance.server && this.server.hosts.length > 1 ? ` · ${withoutScheme(instance.server)}` : "";
    setText(this.figures, runs ? `${rate(instance.rate ?? 0)} Hz · ${instance.clients} ${instance.clients === 1 ? "client" : "clients"}${lost}${at}` : "Not running");
    this.button.update(runs);
    if (!this.button.refused) this.say(instance.message);
    if (!runs) this.image.hidden = true;
    const now = performance.now();
    if (!runs || !this.element.isConnected || document.hidden || now - this.refreshed < REFRESH) return;
    this.refreshed = now;
    this.refresh();
  }

  async refresh() {
    try {
      const picture = await binary(`${this.server.at(this.name)}/picture.jpg?size=${SIZE}&rule=mean&percentile=100&colours=inferno`, "image/jpeg");
      const before = this.image.src;
      this.image.src = URL.createObjectURL(new Blob([picture], { type: "image/jpeg" }));
      if (before) URL.revokeObjectURL(before);
    } catch {
      this.image.hidden = true;
    }
  }

  /** @param {string} text */
  say(text) {
    this.message.hidden = !text;
    setText(this.message, text);
  }
}

/** The button that starts or stops one of them; a refusal goes to `say`. */
export class StartStop {
  /** @param {Server} server @param {string} name @param {(text: string) => void} say */
  constructor(server, name, say) {
    this.runs = false;
    this.refused = false;
    this.element = h("button", { class: "button", type: "button", "data-command": "start" }, "Start");
    this.element.addEventListener("click", async () => {
      this.element.disabled = true;
      try {
        await (this.runs ? server.stop(name) : server.start(name));
        this.refused = false;
        say("");
      } catch (error) {
        this.refused = true;
        say(/** @type {Error} */ (error).message);
      } finally {
        this.element.disabled = false;
      }
    });
  }

  /** @param {boolean} runs */
  update(runs) {
    this.runs = runs;
    setText(this.element, runs ? "Stop" : "Start");
    setAttribute(this.element, "data-command", runs ? "stop" : "start");
  }
}
