/** The groups one is in, what is said in them, and beginning a conversation of one. */

import { titleOf } from "../model/conversations.js";
import { chooser } from "./choose.js";
import { confirmDialog, openDialog, problemLine } from "./dialog.js";
import { fill, h } from "./dom.js";

/** @typedef {import("../model/messenger.js").Messenger} Messenger */
/** @typedef {import("../protocol/types.js").Group} Group */
/** @typedef {(conversation: string) => void} Open */

const ONLY_MEMBERS =
  "Only members of the group can come in. An announcement reaches all of them, once a week.";
const ROLES = { owner: "You own it", manager: "You manage it", member: "You are a member" };

/** @param {Messenger} messenger @param {Open} open */
export function openGroups(messenger, open) {
  const { state, changes, reader } = messenger;
  const list = h("ul", { class: "people compact", role: "list", "aria-label": "Your groups" });
  const none = h("p", { class: "empty" }, "You are in no group. Whoever runs this makes them.");
  const talks = h("ul", { class: "people compact", role: "list", "aria-label": "Conversations" });
  const heading = h("h3", { class: "section-title" }, "Conversations of your groups");
  const dialog = openDialog("Groups", list, none, heading, talks);

  function draw() {
    none.hidden = state.groups.length > 0;
    fill(list, ...state.groups.map(groupRow));
    const said = state.conversations.ordered().filter(({ kind }) => kind === "group");
    heading.hidden = talks.hidden = said.length === 0;
    fill(talks, ...said.map(talkRow));
  }

  /** @param {Group} group */
  function groupRow(group) {
    const about = `${sizeInWords(group)} · ${ROLES[group.role]}`;
    return row(group.name, about, () => openGroup(messenger, group, open));
  }

  /** @param {import("../protocol/types.js").Conversation} conversation */
  function talkRow(conversation) {
    const count = conversation.participant_count ?? conversation.participants.length;
    const title = titleOf(conversation, state.me, state.people);
    return row(title, count === 1 ? "1 person" : `${count} people`, () => open(conversation.id));
  }

  /** @param {string} name @param {string} about @param {() => void} then */
  function row(name, about, then) {
    const click = () => {
      dialog.close();
      then();
    };
    const text = h(
      "span",
      { class: "person-text" },
      h("span", { class: "person-name" }, name),
      h("span", { class: "person-headline" }, about),
    );
    return h("li", {}, h("button", { type: "button", class: "person", on: { click } }, text));
  }

  const stop = changes.on(["groups", "list"], draw);
  dialog.addEventListener("close", stop);
  draw();
  void reader.groups();
}

/** @param {Messenger} messenger @param {Group} group @param {Open} open */
function openGroup(messenger, group, open) {
  const about = h("p", { class: "fine" }, `${sizeInWords(group)}. ${ROLES[group.role]}.`);
  if (group.role !== "member") return openLed(messenger, group, about, open);
  const may =
    "Its owner and managers begin its conversations. To any other member you can write a request, " +
    "even if you are not connected: look for them under New conversation.";
  openDialog(group.name, about, h("p", {}, may));
}

/**
 * A group whose conversations one begins.
 * @param {Messenger} messenger
 * @param {Group} group
 * @param {HTMLElement} about
 * @param {Open} open
 */
function openLed(messenger, group, about, open) {
  const { state } = messenger;
  const kept = { type: "text", maxlength: 100, autocomplete: "off" };
  const title = h("input", { id: "group-title", ...kept });
  const start = h("button", { type: "submit", class: "primary" });
  const announce = h("button", { type: "button", class: "plain" }, "Announce to all");
  const wrong = problemLine();
  const people = chooser({
    label: "Search people by name or id",
    from: () => state.people.besides((member) => member === state.me),
    byId: true,
    none: () => "Nobody matches.",
    changed: describe,
  });
  const form = h(
    "form",
    { class: "new-conversation" },
    h("label", { for: "group-title" }, "Title (optional)"),
    title,
    people.element,
    h("p", { class: "fine" }, ONLY_MEMBERS),
    wrong.element,
    h("div", { class: "dialog-actions" }, announce, start),
  );
  const dialog = openDialog(group.name, about, form);

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (people.chosen.size > 0) void begin([...people.chosen]);
  });
  announce.addEventListener("click", () =>
    confirmDialog(
      `Announce to all of ${group.name}?`,
      `All ${sizeInWords(group)} come into this conversation. A group has one announcement a week.`,
      "Announce",
      () => void begin([]),
    ),
  );

  /** @param {string[]} members None for all. */
  async function begin(members) {
    wrong.say("");
    start.disabled = announce.disabled = true;
    const id = await messenger.rosters.start(members, title.value.trim(), group.group, wrong.say);
    describe();
    if (id === null) return;
    dialog.close();
    open(id);
  }

  function describe() {
    const { size } = people.chosen;
    announce.disabled = size > 0;
    start.disabled = size === 0;
    fill(start, size === 0 ? "Start" : `Start with ${size === 1 ? "1 person" : `${size} people`}`);
  }

  people.draw();
  title.focus();
}

/** @param {Group} group */
function sizeInWords({ size }) {
  return size === 1 ? "1 member" : `${size} members`;
}
