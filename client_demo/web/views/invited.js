/** Whom one has asked to connect and who has not answered, and taking that back. */

import { personParts } from "./choose.js";
import { confirmDialog, openDialog } from "./dialog.js";
import { fill, h } from "./dom.js";

/** @typedef {import("../model/messenger.js").Messenger} Messenger */

/** @param {Messenger} messenger */
export function openInvited(messenger) {
  const { state, changes, reader } = messenger;
  const list = h("ul", { class: "people compact whole", role: "list" });
  const none = h("p", { class: "empty" }, "No request of yours waits for an answer.");
  const words = "Nobody is told if a request is ignored: it waits here until you withdraw it.";
  const dialog = openDialog("Requests you sent", h("p", { class: "fine" }, words), list, none);

  function draw() {
    none.hidden = state.invited.size > 0;
    const had = list.contains(document.activeElement);
    fill(list, ...[...state.invited].map(([invitation, to]) => rowOf(invitation, to)));
    if (had || document.activeElement === document.body) dialog.querySelector("button")?.focus();
  }

  /** @param {string} invitation @param {string} to */
  function rowOf(invitation, to) {
    const profile = state.people.get(to);
    const click = () => askToWithdraw(messenger, invitation, to);
    const label = `Withdraw your request to ${profile.name}`;
    const about = { type: "button", class: "plain small", "aria-label": label, on: { click } };
    return h("li", { class: "person" }, ...personParts(profile), h("button", about, "Withdraw"));
  }

  const stop = changes.on(["invitations"], draw);
  dialog.addEventListener("close", stop);
  draw();
  void reader.invitations(); // no event tells of those sent or withdrawn elsewhere
}

/** @param {Messenger} messenger @param {string} invitation @param {string} to */
export function askToWithdraw({ state, relations }, invitation, to) {
  confirmDialog(
    `Withdraw your request to ${state.people.name(to)}?`,
    "It is taken from their requests. You cannot ask them again for some weeks.",
    "Withdraw",
    () => void relations.withdraw(invitation),
  );
}
