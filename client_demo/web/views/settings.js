/** One's own settings: what others may see, and the way out. */

import { h } from "./dom.js";
import { openDialog } from "./dialog.js";

/** @typedef {import("../model/messenger.js").Messenger} Messenger */

/** @param {Messenger} messenger @param {() => void} signOut */
export function openSettings(messenger, signOut) {
  const { state, changes } = messenger;
  const receipts = h("input", {
    id: "receipts",
    type: "checkbox",
    role: "switch",
    class: "switch",
    "aria-describedby": "receipts-words",
    on: { change: () => void messenger.setReceipts(receipts.checked) },
  });
  const out = h("button", { type: "button", class: "plain" }, "Sign out");
  const dialog = openDialog(
    "Settings",
    h(
      "div",
      { class: "setting" },
      h("label", { for: "receipts" }, "Read receipts and typing"),
      receipts,
      h(
        "p",
        { id: "receipts-words", class: "fine" },
        "Others see what you have read and when you type. If you turn it off you see neither of theirs.",
      ),
    ),
    h("div", { class: "dialog-actions" }, out),
  );
  out.addEventListener("click", () => {
    dialog.close();
    signOut();
  });
  const show = () => (receipts.checked = state.settings.receipts);
  const stop = changes.on(["settings"], show);
  dialog.addEventListener("close", stop);
  show();
}
