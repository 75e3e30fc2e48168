/** What this browser may do at the server, and the dialog for the token and the person's name. */

import { person, request } from "./api.js";
import { fill, h } from "./dom.js";

/** @typedef {{read: boolean, change: boolean, login: boolean, reason: string}} Rights */

class Access {
  constructor() {
    /** @type {Rights} */
    this.rights = { read: true, change: true, login: false, reason: "" };
    /** @type {Set<() => void>} */
    this.listeners = new Set();
  }

  async load() {
    this.set(await request("GET", "access"));
  }

  /** @param {Rights} rights */
  set(rights) {
    this.rights = rights;
    for (const listener of this.listeners) listener();
  }
}

export const access = new Access();

/** Ask for a name and, where one helps, for the token. @param {() => void} onDone */
export function openAccess(onDone) {
  const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("dialog"));
  const name = h("input", { id: "person", type: "text", value: person.name, maxLength: 64, autocomplete: "name" });
  const token = h("input", { id: "token", type: "password", autocomplete: "current-password" });
  const message = h("p", { class: "refusal", role: "alert", hidden: true });
  const { rights } = access;
  const state = rights.change ? "You may read and change here." : rights.read ? "You may read here." : "A token is needed to read here.";
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    person.name = name.value;
    try {
      if (token.value) access.set(await request("POST", "login", { token: token.value }));
      dialog.close();
      onDone();
    } catch (error) {
      message.textContent = /** @type {Error} */ (error).message;
      message.hidden = false;
    }
  };
  const logOut = async () => {
    await request("POST", "logout", {});
    await access.load();
    dialog.close();
    onDone();
  };
  fill(
    dialog,
    h("form", { class: "form", onsubmit: submit },
      h("h2", {}, "Who you are"),
      h("p", { class: "muted" }, "Your name goes with every change and command, and everybody sees it in the log."),
      h("label", { for: "person" }, "Name", name),
      rights.login || !rights.read ? h("label", { for: "token" }, "Token of this server", token) : null,
      h("p", { class: "muted" }, `${state} ${rights.change ? "" : rights.reason}`),
      message,
      h("div", { class: "buttons" },
        h("button", { class: "button primary" }, "Save"),
        h("button", { class: "button", type: "button", onclick: () => dialog.close() }, "Cancel"),
        h("button", { class: "button quiet", type: "button", onclick: logOut }, "Log out"),
      ),
    ),
  );
  dialog.showModal();
}
