/** Puts the page together: which engine and which view is shown, and when anything is drawn. */

import { access, openAccess } from "./access.js";
import { AcquisitionsView } from "./acquisitions.js";
import { request } from "./api.js";
import { fill, h } from "./dom.js";
import { EnginesCard } from "./engines.js";
import { FilesView } from "./files.js";
import { LiveView } from "./live.js";
import { LogView } from "./log.js";
import { loadColours } from "./picture/colours.js";
import { SettingsView } from "./settings.js";
import { Shell, VIEWS, applyTheme } from "./shell.js";
import { Store } from "./store.js";

/** @typedef {import("./shell.js").ViewName} ViewName */
/** @typedef {{element: HTMLElement, open: (part: string) => void, update: () => void}} View */

const DRAW = 100; // ms between two drawings of what changed; events come at up to 10 Hz

class Page {
  /** @param {string[]} engines */
  constructor(engines) {
    this.main = /** @type {HTMLElement} */ (document.getElementById("main"));
    this.stores = new Map(engines.map((name) => [name, new Store(name)]));
    this.shell = new Shell(this.stores, {
      onEngine: (name) => this.go(this.view, name),
      onView: (view) => this.go(view, this.engine),
      onAccess: () => this.update(),
    });
    /** @type {Map<string, Map<ViewName, View>>} by engine */
    this.made = new Map();
    this.all = new EnginesCard(this.stores);
    this.engine = engines[0];
    /** @type {ViewName} */
    this.view = "live";
    this.pending = 0;
    for (const store of this.stores.values()) {
      store.watch(() => this.soon());
      store.open();
    }
    addEventListener("hashchange", () => this.route());
    addEventListener("keydown", (event) => this.key(event));
    access.listeners.add(() => this.soon());
    this.route();
  }

  /** The address after # is view/engine/part; the part is a section of the settings, or a file. */
  route() {
    const [view, engine, part = ""] = location.hash.slice(1).split("/").map(decodeURIComponent);
    this.view = view in VIEWS ? /** @type {ViewName} */ (view) : "live";
    if (this.stores.has(engine)) this.engine = engine;
    const shown = this.of(this.view);
    const above = this.view === "live" && this.stores.size > 1 ? [this.all.element] : [];
    if (this.main.lastElementChild !== shown.element) fill(this.main, ...above, shown.element);
    this.shell.select(this.view, this.engine);
    shown.open(part);
    this.update();
  }

  /** @param {ViewName} view @param {string} engine @param {string} [part] */
  go(view, engine, part = "") {
    location.hash = [view, engine, part].filter(Boolean).map(encodeURIComponent).join("/");
  }

  /** @param {ViewName} view @returns {View} */
  of(view) {
    const store = /** @type {Store} */ (this.stores.get(this.engine));
    let made = this.made.get(this.engine);
    if (!made) this.made.set(this.engine, (made = new Map()));
    const known = made.get(view);
    if (known) return known;
    /** @type {Record<ViewName, () => View>} */
    const makers = {
      live: () => new LiveView(store),
      acquisitions: () => new AcquisitionsView(store, { onOpen: (path) => this.go("files", this.engine, path), onLog: (id) => this.go("log", this.engine, id) }),
      files: () => new FilesView(store),
      log: () => new LogView(store),
      settings: () => new SettingsView(store),
    };
    const fresh = makers[view]();
    made.set(view, fresh);
    return fresh;
  }

  soon() {
    this.pending ||= setTimeout(() => {
      this.pending = 0;
      this.update();
    }, DRAW);
  }

  update() {
    this.shell.update(/** @type {Store} */ (this.stores.get(this.engine)));
    this.all.update();
    this.of(this.view).update();
  }

  /** Alt and a number choose a view. @param {KeyboardEvent} event */
  key(event) {
    const view = Object.keys(VIEWS)[Number(event.key) - 1];
    if (!event.altKey || !view) return;
    event.preventDefault();
    this.go(/** @type {ViewName} */ (view), this.engine);
  }
}

/** Ask who is there and begin; without the right to read, the login first. */
async function begin() {
  applyTheme();
  const main = /** @type {HTMLElement} */ (document.getElementById("main"));
  try {
    await access.load();
    if (!access.rights.read) {
      fill(main, h("section", { class: "card welcome" }, h("h1", {}, "repstream"), h("p", {}, "This server wants a token before it shows anything."),
        h("button", { class: "button primary", onclick: () => openAccess(begin) }, "Log in")));
      return openAccess(begin);
    }
    await loadColours();
    const engines = await request("GET", "engines");
    new Page(engines.map((/** @type {{name: string}} */ e) => e.name));
  } catch (error) {
    fill(main, h("section", { class: "card welcome" }, h("p", { class: "refusal", role: "alert" }, `${/** @type {Error} */ (error).message}. The page tries again.`)));
    setTimeout(begin, 2000);
  }
}

begin();
