/** The page of a camera server or a pipeline server: a list of what it has, or one of them. */

import { fill, h, setText, symbol } from "../dom.js";
import { loadColours } from "../picture/colours.js";
import { applyTheme } from "../shell.js";
import { ListView } from "./list.js";
import { Server } from "./server.js";
import { InstanceView } from "./view.js";

const EVERY = 1000; // ms between two looks at the list

class Page {
  /** @param {Server} server */
  constructor(server) {
    this.server = server;
    this.main = /** @type {HTMLElement} */ (document.getElementById("main"));
    this.notice = h("p", { class: "notice", role: "alert", hidden: true, "data-tone": "bad" });
    fill(/** @type {HTMLElement} */ (document.getElementById("notices")), this.notice);
    const title = server.kind === "camera" ? "Cameras" : "Pipelines";
    fill(/** @type {HTMLElement} */ (document.getElementById("header")),
      h("span", { class: "brand" }, h("img", { src: "page/icon.svg", alt: "", width: 22, height: 22 }), h("span", {}, "repstream")),
      h("a", { class: "tab", href: "#" }, symbol("image"), h("span", {}, title)), h("span", { class: "spring" }),
      h("button", { class: "tool", type: "button", title: "Light or dark", "aria-label": "Light or dark", onclick: () => {
        applyTheme(localStorage.getItem("repstream.theme") === "dark" ? "light" : "dark");
      } }, symbol("theme")));
    this.list = new ListView(server);
    /** @type {InstanceView | null} */
    this.view = null;
    this.title = title;
    addEventListener("hashchange", () => this.route());
    setInterval(() => this.look(), EVERY);
    this.route();
  }

  /** The address after # is the name of what is shown. */
  route() {
    const name = decodeURIComponent(location.hash.slice(1));
    this.view?.close();
    this.view = name ? new InstanceView(this.server, name) : null;
    fill(this.main, (this.view ?? this.list).element);
    document.title = name || this.title;
    this.update();
  }

  async look() {
    if (document.hidden) return;
    try {
      await this.server.load();
      this.notice.hidden = true;
    } catch (error) {
      this.notice.hidden = false;
      setText(this.notice, `${/** @type {Error} */ (error).message}. What is shown is the last that is known; it is asked again.`);
      return;
    }
    this.update();
  }

  update() {
    (this.view ?? this.list).update();
  }
}

async function begin() {
  applyTheme();
  const server = new Server();
  try {
    await Promise.all([server.load(), loadColours()]);
    new Page(server);
  } catch (error) {
    const main = /** @type {HTMLElement} */ (document.getElementById("main"));
    fill(main, h("section", { class: "card welcome" }, h("p", { class: "refusal", role: "alert" }, `${/** @type {Error} */ (error).message}. The page tries again.`)));
    setTimeout(begin, 2000);
  }
}

begin();
