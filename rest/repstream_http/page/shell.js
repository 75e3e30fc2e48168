/** The frame of the page: header with engines and state, views, notices, theme. */

import { access, openAccess } from "./access.js";
import { person } from "./api.js";
import { fill, h, setAttribute, setText, symbol } from "./dom.js";
import { rate, words } from "./format.js";
import { lossesOf } from "./losses.js";
import { tone } from "./states.js";

/** @typedef {import("./store.js").Store} Store */

export const VIEWS = /** @type {const} */ ({ live: "Live", acquisitions: "Acquisitions", files: "Files", log: "Log", settings: "Settings" });
/** @typedef {keyof typeof VIEWS} ViewName */

const THEMES = ["auto", "light", "dark"];

/** @param {string} [theme] */
export function applyTheme(theme = localStorage.getItem("repstream.theme") ?? "auto") {
  localStorage.setItem("repstream.theme", theme);
  setAttribute(document.documentElement, "data-theme", theme);
}

export class Shell {
  /**
   * @param {Map<string, Store>} stores by engine
   * @param {{onEngine: (name: string) => void, onView: (view: ViewName) => void, onAccess: () => void}} events
   */
  constructor(stores, events) {
    this.stores = stores;
    this.events = events;
    this.state = h("span", { class: "state", role: "status" });
    this.figures = h("span", { class: "now" });
    /** @type {Map<string, HTMLElement>} */
    this.engines = new Map([...stores.keys()].map((name) => [name, h("button", { class: "engine", type: "button", onclick: () => events.onEngine(name) }, h("i", { class: "dot" }), name)]));
    this.person = h("button", { class: "tool wide", type: "button", title: "Your name, and the token of this server", onclick: () => openAccess(events.onAccess) });
    const theme = h("button", { class: "tool", type: "button", title: "Light or dark", "aria-label": "Light or dark", onclick: () => {
      const now = localStorage.getItem("repstream.theme") ?? "auto";
      applyTheme(THEMES[(THEMES.indexOf(now) + 1) % THEMES.length]);
      theme.title = `Theme: ${localStorage.getItem("repstream.theme")}`;
    } }, symbol("theme"));
    this.places = ["header", "tabs"].map((id) => /** @type {HTMLElement} */ (document.getElementById(id)));
    const views = () => Object.entries(VIEWS).map(([name, title]) => h("button", { class: "tab", type: "button", "data-view": name, onclick: () => events.onView(/** @type {ViewName} */ (name)) }, symbol(/** @type {ViewName} */ (name)), h("span", {}, title)));
    const [header, tabs] = this.places;
    fill(header,
      h("span", { class: "brand" }, h("img", { src: "page/icon.svg", alt: "", width: 22, height: 22 }), h("span", {}, "repstream")),
      h("div", { class: "engines", role: "group", "aria-label": "Engines" }, [...this.engines.values()]),
      this.state, this.figures, h("span", { class: "spring" }),
      h("nav", { class: "views", "aria-label": "Views" }, views()), this.person, theme);
    fill(tabs, views());
    this.notices = /** @type {HTMLElement} */ (document.getElementById("notices"));
    this.noticed = "";
  }

  /** @param {ViewName} view @param {string} engine */
  select(view, engine) {
    for (const tab of document.querySelectorAll("[data-view]")) setAttribute(tab, "aria-current", tab.getAttribute("data-view") === view ? "page" : null);
    for (const [name, button] of this.engines) setAttribute(button, "aria-pressed", String(name === engine));
    document.title = `${engine} – ${VIEWS[view]}`;
  }

  /** @param {Store} store that of the engine which is shown */
  update(store) {
    const state = store.connected ? store.text("engine", "state") || "UNKNOWN" : "UNKNOWN";
    const losing = store.reachable && store.get("engine", "losing") === true;
    setText(this.state, losing ? `${words(state)}, losing frames` : words(state));
    setAttribute(this.state, "data-tone", tone(state, losing));
    setText(this.figures, store.reachable ? `${rate(store.number("source", "rate"))} Hz · ${rate(store.number("source", "throughput"))} MB/s` : "");
    for (const [name, button] of this.engines) {
      const other = this.stores.get(name);
      const seen = other?.connected ? other.get("engine", "state") : "UNKNOWN";
      setAttribute(/** @type {Element} */ (button.firstElementChild), "data-tone", tone(seen, other?.get("engine", "losing") === true));
      setAttribute(button, "title", `${name}: ${words(seen)}`);
    }
    fill(this.person, symbol("person"), h("span", {}, person.name || (access.rights.change ? "Your name" : "Log in")));
    this.showNotices(store, losing);
  }

  /** @param {Store} store @param {boolean} losing */
  showNotices(store, losing) {
    /** @type {[string, string][]} tone and text */
    const notices = [];
    if (!store.connected && store.failed) notices.push(["bad", "The server does not answer. Figures and picture are the last ones known; it is asked again every few seconds."]);
    else if (store.connected && !store.reachable) notices.push(["bad", `The engine ${store.engine} cannot be reached: ${store.text("engine", "status") || "it does not answer"}. It is found again by itself.`]);
    if (losing) {
      const lost = lossesOf(store).filter((l) => !l.planned).map((l) => `${l.number} ${l.what} ${l.where}${l.reason ? ` (${l.reason})` : ""}`);
      notices.push(["bad", `Losing frames: ${lost.join("; ") || "see the figures"}.`]);
    }
    if (!access.rights.change) notices.push(["", `Looking only: ${access.rights.reason}.`]);
    const text = JSON.stringify(notices);
    if (text === this.noticed) return;
    this.noticed = text;
    fill(this.notices, notices.map(([kind, said]) => {
      const notice = h("p", { class: "notice", role: kind === "bad" ? "alert" : "status" }, said);
      setAttribute(notice, "data-tone", kind || null);
      return notice;
    }));
  }
}
