/** What this browser may do at the server, and the dialog for the token and the person's name. */

import { person, request } from "./api.js";
import { openDialog } from "./dialog.js";
import { h } from "./dom.js";

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
  const name = h("input", { id: "person", type: "text", value: person.name, maxLength: 64, autocomplete: "name" });
  const token = h("input", { id: "token", type: "password", autocomplete: "current-password" });
  const { rights } = access;
  const more = rights.login ? "With the token for changes you may change, too." : `${rights.reason}.`;
  const state = rights.change ? "You may read and change here." : rights.read ? `You may read here. ${more}` : "A token is needed to read here.";
  token.autofocus = !rights.read;
  openDialog({
    title: "Who you are",
    submit: "Save",
    content: [
      h("p", { class: "muted" }, "Your name goes with every change and command, and everybody sees it in the log."),
      h("label", { for: "person" }, "Name", name),
      rights.login || !rights.read ? h("label", { for: "token" }, "Token of this server", token) : null,
      h("p", { class: "muted" }, state),
    ],
    onSubmit: async () => {
      person.name = name.value;
      if (token.value) access.set(await request("POST", "login", { token: token.value }));
      onDone();
    },
    more: rights.read && {
      label: "Log out",
      action: async () => {
        await request("POST", "logout", {});
        await access.load();
        onDone();
      },
    },
  });
}
