/** Files below the engine's folders: browsed, and looked at image by image, also while they grow. */

import { binary, request, address } from "./api.js";
import { broken, fill, h, setText, symbol } from "./dom.js";
import { baseName, bytes, clock, count, words } from "./format.js";
import { PictureCard } from "./picture/card.js";
import { viewFor } from "./picture/camera.js";

/** @typedef {import("./store.js").Store} Store */

const EVERY = 1000;
const TYPE = "application/x-repstream-picture";

export class FilesView {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    this.list = h("div", { class: "file-list" });
    this.where = h("p", { class: "muted where" });
    this.browser = h("section", { class: "card browser", "aria-label": "Folders" }, h("h2", {}, "Files"), this.where, this.list);
    this.facts = h("dl", { class: "figures" });
    this.title = h("h2", {}, "");
    this.slider = h("input", { type: "range", min: "0", max: "0", value: "0", "aria-label": "Image number", oninput: () => this.pick(Number(this.slider.value)) });
    this.number = h("input", { type: "number", min: "0", class: "number", "aria-label": "Image number", onchange: () => this.pick(Number(this.number.value)) });
    this.follow = h("input", { type: "checkbox", class: "switch", role: "switch", checked: true, onchange: () => this.follow.checked && this.go(this.count - 1) });
    this.newest = h("label", { class: "inline", title: "Show the newest image while the file grows" }, this.follow, "Newest");
    this.of = h("span", { class: "muted" });
    this.card = new PictureCard({
      label: "Image of a file",
      onView: (view) => {
        this.view = /** @type {ReturnType<typeof viewFor>} */ (view);
        this.load();
      },
      controls: [
        h("button", { class: "tool", title: "Image before", "aria-label": "Image before", onclick: () => this.pick(this.image - 1) }, symbol("back")),
        this.number, this.of,
        h("button", { class: "tool", title: "Next image", "aria-label": "Next image", onclick: () => this.pick(this.image + 1) }, symbol("next")),
        this.newest,
      ],
      link: (form) => address(`${this.store.path}files/image.${form}?${this.query()}`),
    });
    this.viewer = h("div", { class: "file-viewer", hidden: true }, this.title, this.card.element, this.slider, h("section", { class: "card" }, this.facts));
    this.hint = h("p", { class: "muted hint" }, "Choose a file to look at its images, also while it is written.");
    this.element = h("div", { class: "files" }, this.browser, this.viewer, this.hint);
    this.path = "";
    this.image = 0;
    this.count = 0;
    this.view = viewFor(this.card.viewer.camera, devicePixelRatio);
    this.worker = new Worker(new URL("./picture/worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = (event) => event.data.type === "picture" && this.card.show(event.data.header, event.data.pixels);
    this.timer = 0;
    this.loading = false;
    this.again = false;
  }

  open(path = "") {
    if (path) this.show(path);
    this.browse(this.folder ?? "");
    this.timer ||= setInterval(() => (this.element.isConnected ? this.refresh() : this.close()), EVERY);
  }

  close() {
    clearInterval(this.timer);
    this.timer = 0;
  }

  update() {}

  /** @param {string} folder */
  async browse(folder) {
    try {
      const found = await request("GET", `${this.store.path}files?${new URLSearchParams(folder ? { folder } : {})}`);
      this.folder = folder;
      setText(this.where, found.folder || "Folders that the engine writes to");
      const up = found.parent === null ? null : this.entry("back", "Up", "", () => this.browse(found.parent));
      const rows = found.entries.map((/** @type {any} */ e) =>
        e.folder
          ? this.entry("folder", e.name, "", () => this.browse(e.path))
          : this.entry("image", e.name, `${bytes(e.size)} · ${clock(e.modified)}`, () => this.show(e.path), e.path));
      fill(this.list, up, rows.length ? rows : h("p", { class: "muted" }, "No files here."));
    } catch (error) {
      fill(this.list, h("p", { class: "refusal" }, /** @type {Error} */ (error).message));
    }
  }

  /** @param {"back" | "folder" | "image"} sign @param {string} name @param {string} more @param {() => void} action */
  entry(sign, name, more, action, path = "") {
    return h("button", { class: "entry", type: "button", "data-path": path, "aria-current": path && path === this.path ? "true" : undefined, onclick: action }, symbol(sign), h("span", {}, broken(name)), h("span", { class: "muted" }, more));
  }

  /** @param {string} path */
  show(path) {
    this.path = path;
    this.image = 0;
    this.count = -1;
    this.viewer.hidden = false;
    this.hint.hidden = true;
    setText(this.title, baseName(path));
    for (const entry of this.list.querySelectorAll(".entry")) entry.toggleAttribute("aria-current", entry.getAttribute("data-path") === path);
    this.refresh();
  }

  async refresh() {
    if (!this.path) return;
    try {
      const info = await request("GET", `${this.store.path}files/info?${new URLSearchParams({ path: this.path })}`);
      const grown = info.count !== this.count;
      this.count = info.count;
      this.slider.max = this.number.max = String(Math.max(0, info.count - 1));
      setText(this.of, `of ${count(info.count)}`);
      this.newest.hidden = info.finished;
      this.card.say(info.count ? "" : "The file waits for its first image.");
      /** @type {[string, string][]} */
      const facts = [["Images", count(info.count)], ["Size", `${info.width ?? "–"} × ${info.height ?? "–"} ${info.dtype ?? ""}`], ["Outcome", words(info.outcome || "of another program")], ["Last id", info.last_id === null ? "–" : String(info.last_id)], ["Size on disk", bytes(info.size)]];
      fill(this.facts, facts.map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, text))));
      if (grown && this.count) this.go(this.follow.checked && !info.finished ? this.count - 1 : Math.min(this.image, this.count - 1));
    } catch (error) {
      this.card.say(/** @type {Error} */ (error).message);
    }
  }

  /** Show an image that a person chose; from then on it stays. @param {number} image */
  pick(image) {
    this.follow.checked = false;
    this.go(image);
  }

  /** @param {number} image */
  go(image) {
    if (this.count <= 0) return;
    this.image = Math.min(this.count - 1, Math.max(0, Math.round(image) || 0));
    this.slider.value = this.number.value = String(this.image);
    this.load();
  }

  query() {
    const query = new URLSearchParams({ path: this.path, image: String(this.image) });
    return query;
  }

  /** Load the image; while one is on its way only the last one asked for comes after it. */
  async load() {
    if (!this.path || this.count <= 0) return;
    if (this.loading) {
      this.again = true;
      return;
    }
    this.loading = true;
    try {
      const query = this.query();
      query.set("size", this.view.size.join("x"));
      if (this.view.region) query.set("region", this.view.region.join(","));
      const message = await binary(`${this.store.path}files/image?${query}`, TYPE);
      setText(this.card.title, `image ${this.image}`);
      this.worker.postMessage({ type: "decode", message }, [message]);
    } catch (error) {
      this.card.say(/** @type {Error} */ (error).message);
    } finally {
      this.loading = false;
      if (this.again) {
        this.again = false;
        this.load();
      }
    }
  }
}
