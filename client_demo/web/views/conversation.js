/** The open conversation: who it is with, the messages, who is typing, and where one writes. */

import { others, titleOf } from "../model/conversations.js";
import { addsPeople } from "../model/rosters.js";
import { otherIn } from "../model/ways.js";
import { asking } from "./asking.js";
import { avatars } from "./avatar.js";
import { composer } from "./composer.js";
import { confirmDialog } from "./dialog.js";
import { fill, h } from "./dom.js";
import { openDetails } from "./details.js";
import { icon } from "./icons.js";
import { openOwn } from "./own.js";
import { timelineView } from "./timeline.js";
import { activeInWords, typingInWords } from "./words.js";

/** @typedef {import("../model/messenger.js").Messenger} Messenger */

/**
 * @param {Messenger} messenger
 * @param {object} ports
 * @param {() => number} ports.now
 * @param {() => void} ports.back To the list, on a narrow screen.
 * @param {(member: string) => void} ports.openTo
 * @param {(conversation: string) => void} ports.open
 */
export function conversationView(messenger, { now, back, openTo, open: openOther }) {
  const { state, changes } = messenger;
  const writing = composer(messenger);
  const timeline = timelineView({
    messenger,
    now,
    reply: writing.reply,
    edit: writing.edit,
    remove: ({ message }) =>
      confirmDialog(
        "Delete message?",
        "It is deleted for everybody here.",
        "Delete",
        () => void messenger.delete(message),
      ),
  });
  const goBack = h(
    "button",
    {
      type: "button",
      class: "icon-button back",
      "aria-label": "Back to conversations",
      on: { click: back },
    },
    icon("back"),
  );
  const picture = h("span", { class: "head-picture" });
  const title = h("h1", { class: "head-title", tabindex: -1 });
  const subtitle = h("p", { class: "head-subtitle" });
  const details = h(
    "button",
    { type: "button", class: "icon-button", "aria-label": "People in this conversation" },
    icon("people"),
  );
  const own = h(
    "button",
    { type: "button", class: "icon-button", "aria-label": "This conversation, for you" },
    icon("more"),
  );
  const typing = h("p", { class: "typing-line" });
  const head = h(
    "header",
    { class: "head" },
    goBack,
    picture,
    h("div", { class: "head-text" }, title, subtitle),
    details,
    own,
  );
  const open = h(
    "section",
    { class: "conversation", "aria-label": "Conversation" },
    head,
    timeline.element,
    typing,
    asking(messenger),
    writing.element,
  );
  const nothing = h(
    "div",
    { class: "nothing" },
    h("img", { src: "/assets/rose.svg", alt: "", width: 88, height: 88 }),
    h("p", {}, "Pick a conversation, or start one."),
  );
  const element = h("main", { class: "pane" }, open, nothing);
  details.addEventListener("click", () => openDetails(messenger, { openTo, open: openOther }));
  own.addEventListener("click", () => openOwn(messenger, back));

  function draw() {
    const { target } = messenger;
    open.hidden = target === null;
    nothing.hidden = target !== null;
    if (target === null) return;
    const held = state.conversations.get(state.openId);
    const to = state.open !== null && "to" in state.open ? state.open.to : null;
    const profiles = held
      ? others(held, state.me).map(({ member }) => state.people.get(member))
      : to !== null
        ? [state.people.get(to)]
        : [];
    fill(picture, avatars(profiles));
    fill(title, held ? titleOf(held, state.me, state.people) : (profiles[0]?.name ?? "…"));
    const several = held !== undefined && held.kind !== "one_to_one";
    const about = several ? sizeInWords(held) : (profiles[0]?.headline ?? "");
    const there = presence();
    fill(subtitle, there, there !== null && about !== "" && " · ", about);
    details.hidden = !several && !addsPeople(held, state);
    own.hidden = held === undefined;
  }

  /** Whether the other is there, before what is said of them. */
  function presence() {
    if (state.presence === null || state.presence.member !== otherIn(state)) return null;
    const { active, agoMs } = state.presence;
    return h("span", { class: active ? "presence now" : "presence" }, activeInWords(active, agoMs));
  }

  function drawTyping() {
    const { openId, people } = state;
    const names =
      openId === null ? [] : state.typing.who(openId).map((member) => people.firstName(member));
    fill(typing, ...(names.length > 0 ? [dots(), typingInWords(names)] : []));
  }

  changes.on(["open", "list", "connections", "presence"], draw);
  changes.on(["open", "typing"], drawTyping);

  return { element, draw, focus: () => writing.focus(), focusTitle: () => title.focus() };
}

/** @param {import("../protocol/types.js").Conversation} conversation */
function sizeInWords({ kind, participants, participant_count: count = participants.length }) {
  const viewers = participants.filter(({ role }) => role === "viewer").length;
  const people = count === 1 ? "1 person" : `${count} people`;
  const reading = viewers > 0 ? ` · ${viewers} more can read` : "";
  return `${kind === "group" ? "Group · " : ""}${people}${reading}`;
}

function dots() {
  return h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i"));
}
