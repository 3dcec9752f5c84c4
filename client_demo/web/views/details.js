/** Who is in a conversation of several, what it is called, and the way out of it. */

import { roleIn } from "../model/conversations.js";
import { ERASED } from "../model/people.js";
import { leadsSome } from "../model/ways.js";
import { personParts } from "./choose.js";
import { confirmDialog, openDialog } from "./dialog.js";
import { fill, h } from "./dom.js";

/** @typedef {import("../model/messenger.js").Messenger} Messenger */

/** @type {Record<string, string>} What somebody is here, where that is to be said. */
const ROLES = { manager: "Leads the group", viewer: "Was mentioned: can read, and does not write" };

/** @param {Messenger} messenger @param {(member: string) => void} openTo */
export function openDetails(messenger, openTo) {
  const { state, changes } = messenger;
  const { openId } = state;
  const conversation = state.conversations.get(openId);
  if (openId === null || conversation === undefined) return;
  const title = h("input", {
    id: "title",
    type: "text",
    maxlength: 100,
    value: conversation.title ?? "",
    autocomplete: "off",
  });
  const rename = h(
    "form",
    { class: "field-row" },
    title,
    h("button", { type: "submit", class: "plain" }, "Rename"),
  );
  const people = h("ul", { class: "people compact", role: "list" });
  const leave = h("button", { type: "button", class: "danger" }, "Leave");
  const isOpen = conversation.state === "open";
  const role = roleIn(conversation, state.me);
  const large = conversation.participants.length === 0;
  // A group's owner and managers alone rename its conversations; in a large one roles are not told.
  const leads = role === "manager" || (large && leadsSome(state));
  const renames = isOpen && (conversation.kind !== "group" || leads);
  const dialog = openDialog(
    "People in this conversation",
    renames ? h("label", { for: "title" }, "Title") : null,
    renames ? rename : null,
    large ? h("p", { class: "fine" }, "There are too many people here to name them.") : people,
    isOpen ? h("div", { class: "dialog-actions" }, leave) : null,
  );

  rename.addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close();
    void messenger.rename(openId, title.value.trim());
  });
  leave.addEventListener("click", () => {
    dialog.close();
    confirmDialog(
      "Leave this conversation?",
      "You keep what was written until now, and see nothing after it.",
      "Leave",
      () => void messenger.leave(openId),
    );
  });

  function draw() {
    const now = state.conversations.get(openId)?.participants ?? [];
    fill(people, ...now.map(rowOf));
  }

  /** @param {import("../protocol/types.js").Participant} participant */
  function rowOf({ member, name, role = "" }) {
    const profile = state.people.get(member);
    const what = ROLES[role] ?? "";
    const mine = member === state.me;
    const parts = personParts(profile, mine ? `${name} (you)` : name, what);
    if (mine || member === ERASED) return h("li", { class: "person" }, ...parts);
    const click = () => {
      dialog.close();
      openTo(member);
    };
    const about = { type: "button", class: "person", title: `Write to ${name}` };
    return h("li", {}, h("button", { ...about, on: { click } }, ...parts));
  }
  const stop = changes.on(["list"], draw);
  dialog.addEventListener("close", stop);
  draw();
}
