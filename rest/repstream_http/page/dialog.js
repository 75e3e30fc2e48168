/** The page's one dialog: a form that stays open, with the reason, while what it asks for is refused. */

import { fill, h } from "./dom.js";

/**
 * @param {{title: string, content: import("./dom.js").Child[], submit: string, danger?: boolean,
 *   onSubmit: () => Promise<void>, more?: false | {label: string, action: () => Promise<void>}}} asked
 *   `onSubmit` throws where it is refused; `more`: another way to end it
 */
export function openDialog({ title, content, submit, danger = false, onSubmit, more }) {
  const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("dialog"));
  const message = h("p", { class: "refusal", role: "alert", hidden: true });
  const run = async (/** @type {() => Promise<void>} */ action) => {
    try {
      await action();
      dialog.close();
    } catch (error) {
      message.textContent = /** @type {Error} */ (error).message;
      message.hidden = false;
    }
  };
  const send = (/** @type {Event} */ event) => {
    event.preventDefault();
    run(onSubmit);
  };
  fill(dialog, h("form", { class: "form", onsubmit: send, noValidate: true }, h("h2", {}, title), ...content, message,
    h("div", { class: "buttons" },
      h("button", { class: danger ? "button danger" : "button primary" }, submit),
      h("button", { class: "button", type: "button", onclick: () => dialog.close() }, "Cancel"),
      more ? h("button", { class: "button quiet", type: "button", onclick: () => run(more.action) }, more.label) : null)));
  dialog.setAttribute("aria-label", title);
  dialog.showModal();
}
