/** Who is in a conversation and what it is called; bringing others in, taking them out, leaving. */

import { ERASED } from "../model/people.js";
import { addsPeople, changesRoster } from "../model/rosters.js";
import { openAddPeople } from "./add_people.js";
import { personParts } from "./choose.js";
import { confirmDialog, openDialog } from "./dialog.js";
import { fill, h, keep } from "./dom.js";

/** @typedef {import("../model/messenger.js").Messenger} Messenger */
/** @typedef {import("../protocol/types.js").Participant} Participant */

/** @type {Record<string, string>} What somebody is here, where that is to be said. */
const ROLES = { manager: "Leads the group", viewer: "Was mentioned: can read, and does not write" };
const TOO_MANY = "There are too many people here to name them.";

/**
 * @param {Messenger} messenger
 * @param {object} ports
 * @param {(member: string) => void} ports.openTo
 * @param {(conversation: string) => void} ports.open
 */
export function openDetails(messenger, { openTo, open }) {
  const { state, changes, rosters } = messenger;
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
    { class: "field" },
    h("label", { for: "title" }, "Title"),
    h(
      "div",
      { class: "field-row" },
      title,
      h("button", { type: "submit", class: "plain" }, "Rename"),
    ),
  );
  const people = h("ul", { class: "people compact whole", role: "list" });
  const large = h("p", { class: "fine" }, TOO_MANY);
  const leave = h("button", { type: "button", class: "danger" }, "Leave");
  const add = h("button", { type: "button", class: "plain" }, "Add people");
  const actions = h("div", { class: "dialog-actions" }, leave, add);
  const dialog = openDialog("People in this conversation", rename, large, people, actions);

  rename.addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close();
    void rosters.rename(openId, title.value.trim());
  });
  add.addEventListener("click", () => {
    dialog.close();
    openAddPeople(messenger, open);
  });
  leave.addEventListener("click", () => {
    dialog.close();
    confirmDialog(
      "Leave this conversation?",
      "You keep what was written until now, and see nothing after it.",
      "Leave",
      () => void rosters.leave(openId),
    );
  });

  /** What is offered goes with the right to it, while one looks. */
  function draw() {
    const held = state.conversations.get(openId);
    const participants = held?.participants ?? [];
    const changing = changesRoster(held, state);
    rename.hidden = !changing;
    large.hidden = participants.length > 0;
    leave.hidden = held?.state !== "open" || held.kind === "one_to_one";
    add.hidden = !addsPeople(held, state);
    actions.hidden = leave.hidden && add.hidden;
    const rows = participants.map((participant, at) => {
      const { member, name, role = "" } = participant;
      const { headline, avatar } = state.people.get(member);
      // More than one of them may have been erased.
      const key = member === ERASED ? `${member} ${at}` : member;
      const signature = JSON.stringify([name, role, headline, avatar, changing]);
      return { key, signature, participant, changing };
    });
    keep(people, rows, () => h("li", { class: "person-row" }), show);
  }

  /** @param {HTMLElement} item @param {{participant: Participant, changing: boolean}} row */
  function show(item, { participant, changing }) {
    const { member, name, role = "" } = participant;
    const profile = state.people.get(member);
    const what = ROLES[role] ?? "";
    const mine = member === state.me;
    const parts = personParts(profile, mine ? `${name} (you)` : name, what);
    if (mine || member === ERASED) return fill(item, h("span", { class: "person" }, ...parts));
    const click = () => {
      dialog.close();
      openTo(member);
    };
    const about = { type: "button", class: "person", title: `Write to ${name}` };
    const write = h("button", { ...about, on: { click } }, ...parts);
    fill(item, write, changing && removal(member, name));
  }

  /** @param {string} member @param {string} name */
  function removal(member, name) {
    const click = () => {
      dialog.close();
      confirmDialog(
        `Remove ${name}?`,
        "They keep what was written until now, and see nothing after it. Everybody here is told.",
        "Remove",
        () => void rosters.remove(openId ?? "", member),
      );
    };
    const about = { type: "button", class: "plain small", "aria-label": `Remove ${name}` };
    return h("button", { ...about, on: { click } }, "Remove");
  }

  const stop = changes.on(["list", "connections", "groups"], draw);
  dialog.addEventListener("close", stop);
  draw();
}
