/** Whom one has blocked, and lifting that. */

import { personParts } from "./choose.js";
import { openDialog } from "./dialog.js";
import { fill, h } from "./dom.js";

/** @typedef {import("../model/messenger.js").Messenger} Messenger */
/** @typedef {import("../protocol/types.js").Profile} Profile */

/** @param {Messenger} messenger */
export function openBlocked(messenger) {
  const { state, changes, relations } = messenger;
  const list = h("ul", { class: "people compact whole", role: "list" });
  const none = h("p", { class: "empty" }, "You have blocked nobody.");
  const words = "They are not told. To unblock somebody does not connect you again.";
  const dialog = openDialog("Blocked people", h("p", { class: "fine" }, words), list, none);

  function draw() {
    none.hidden = state.blocked.size > 0;
    fill(list, ...[...state.blocked.values()].map(rowOf));
  }

  /** @param {Profile} profile */
  function rowOf(profile) {
    const click = () => void relations.block(profile.member, false);
    const about = { type: "button", class: "plain small", "aria-label": `Unblock ${profile.name}` };
    const lift = h("button", { ...about, on: { click } }, "Unblock");
    return h("li", { class: "person" }, ...personParts(profile), lift);
  }

  const stop = changes.on(["blocks"], draw);
  dialog.addEventListener("close", stop);
  draw();
}
