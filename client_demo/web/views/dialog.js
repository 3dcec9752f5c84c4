/** A modal dialog: the browser's own, which keeps the focus inside and gives it back. */

import { fill, h } from "./dom.js";
import { icon } from "./icons.js";

/**
 * @param {string} title
 * @param {...(HTMLElement | null)} content
 * @returns {HTMLDialogElement} Open; it removes itself when closed.
 */
export function openDialog(title, ...content) {
  const dialog = h("dialog", { class: "dialog", "aria-label": title });
  const close = h(
    "button",
    { type: "button", class: "icon-button", "aria-label": "Close" },
    icon("close"),
  );
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // the backdrop
  });
  fill(
    dialog,
    h(
      "div",
      { class: "dialog-body" },
      h("header", { class: "dialog-head" }, h("h2", {}, title), close),
      ...content,
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * Ask before something that cannot be taken back.
 * @param {string} title
 * @param {string} words
 * @param {string} action What the button says.
 * @param {() => void} run
 */
export function confirmDialog(title, words, action, run) {
  const yes = h("button", { type: "button", class: "danger" }, action);
  const no = h("button", { type: "button", class: "plain" }, "Cancel");
  const dialog = openDialog(
    title,
    h("p", {}, words),
    h("div", { class: "dialog-actions" }, no, yes),
  );
  no.addEventListener("click", () => dialog.close());
  yes.addEventListener("click", () => {
    dialog.close();
    run();
  });
  no.focus();
}

/** A line in a dialog for what did not happen; nothing until then. */
export function problemLine() {
  const element = h("p", { class: "wrong", role: "alert", hidden: true });
  /** @param {string} words Empty for nothing. */
  const say = (words) => {
    element.hidden = words === "";
    fill(element, words);
  };
  return { element, say };
}
