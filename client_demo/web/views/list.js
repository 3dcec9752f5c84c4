/** The conversations, the latest active first. */

import { others, titleOf } from "../model/conversations.js";
import { asksMe } from "../model/own.js";
import { avatars } from "./avatar.js";
import { fill, h, hidden, keep } from "./dom.js";
import { icon } from "./icons.js";
import { shortTime, typingInWords } from "./words.js";

/** @typedef {import("../model/messenger.js").Messenger} Messenger */
/** @typedef {import("../protocol/types.js").Conversation} Conversation */

const NONE = "No conversations yet. Start one with somebody you are connected to.";

/**
 * @param {Messenger} messenger
 * @param {object} ports
 * @param {() => number} ports.now
 * @param {(id: string) => void} ports.open
 */
export function conversationList(messenger, { now, open }) {
  const { state, changes, reader } = messenger;
  const list = h("ul", { class: "conversations", role: "list" });
  const more = h(
    "button",
    { type: "button", class: "plain more", hidden: true },
    "Show older conversations",
  );
  const empty = h("p", { class: "empty", hidden: true });
  const element = h("nav", { class: "list", "aria-label": "Conversations" }, list, empty, more);
  /** @type {import("../model/own.js").List} */
  let which = "all";
  more.addEventListener("click", () => void reader.moreConversations());
  list.addEventListener("keydown", (event) => moveFocus(list, event));

  function draw() {
    const rows = state.conversations.ordered(which, state.me).map((one) => rowOf(one));
    keep(list, rows, () => h("li", {}), show);
    more.hidden = which !== "all" || state.conversations.next === null;
    empty.hidden = !state.ready || rows.length > 0;
    fill(empty, which === "all" ? NONE : "Nothing here.");
  }

  /** @param {Conversation} conversation */
  function rowOf(conversation) {
    const { id, kind, unread, last, draft, muted, starred, unread_mark: mark } = conversation;
    const { me, people, typing } = state;
    const typers = typing.who(id).map((member) => people.firstName(member));
    const row = {
      conversation,
      title: titleOf(conversation, me, people),
      group: kind === "group",
      draft: Boolean(draft) && state.openId !== id && typers.length === 0,
      preview: typers.length > 0 ? `${typingInWords(typers)}…` : previewOf(conversation),
      typing: typers.length > 0,
      time: last ? shortTime(last.sent_at, now()) : "",
      open: state.openId === id,
    };
    const pictures = others(conversation, me).map(({ member }) => people.get(member).avatar);
    if (row.draft) row.preview = `Draft: ${draft}`;
    const marks = [unread, muted, starred, mark, row.draft];
    const shown = [row.title, row.preview, row.typing, row.time, row.open, marks, pictures];
    return { ...row, key: id, signature: JSON.stringify(shown) };
  }

  /** @param {Conversation} conversation */
  function previewOf(conversation) {
    const { last, kind } = conversation;
    if (!last) return "No messages yet";
    const { me, people } = state;
    const text = last.deleted_at ? "Message deleted" : (last.body ?? "");
    if (last.sender === me) return `You: ${text}`;
    if (asksMe(conversation, me)) return `Request: ${text}`;
    return kind === "one_to_one" ? text : `${people.firstName(last.sender)}: ${text}`;
  }

  /** @param {HTMLElement} item @param {ReturnType<typeof rowOf>} row */
  function show(item, { conversation, group, title, preview, typing, draft, time, open: isOpen }) {
    const { id, unread, muted, starred, unread_mark: mark } = conversation;
    const profiles = others(conversation, state.me).map(({ member }) => state.people.get(member));
    const hadFocus = item.contains(document.activeElement);
    const button = h(
      "button",
      {
        type: "button",
        class: `conversation-row${unread > 0 || mark ? " unread" : ""}${muted ? " muted" : ""}`,
        "aria-current": isOpen ? "true" : null,
        on: { click: () => open(id) },
      },
      avatars(profiles),
      h(
        "span",
        { class: "row-title" },
        starred && h("span", { class: "star", title: "Starred" }, "★ ", hidden("Starred: ")),
        muted && h("span", { class: "sign", title: "Muted" }, icon("muted"), hidden("Muted: ")),
        group &&
          h("span", { class: "sign", title: "Of a group" }, icon("group"), hidden("Of a group: ")),
        title,
      ),
      h("span", { class: "row-time" }, time),
      h(
        "span",
        { class: `row-preview${typing ? " typing" : ""}${draft ? " draft" : ""}` },
        preview,
      ),
      unread === 0 && mark && h("span", { class: "badge mark" }, hidden("Marked unread")),
      unread > 0 &&
        h(
          "span",
          { class: "badge" },
          String(unread),
          hidden(unread === 1 ? " unread message" : " unread messages"),
        ),
    );
    fill(item, button);
    if (hadFocus) button.focus();
  }

  /** @param {import("../model/own.js").List} list */
  function choose(list) {
    which = list;
    draw();
    if (list !== "all") void reader.list(list);
  }

  changes.on(["list", "connections", "typing"], draw);
  return { element, draw, choose };
}

/** Up and down move between conversations. @param {HTMLElement} list @param {KeyboardEvent} event */
function moveFocus(list, event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === undefined) return;
  const buttons = [...list.querySelectorAll("button")];
  const at = buttons.indexOf(/** @type {HTMLButtonElement} */ (event.target));
  buttons[at + step]?.focus();
  event.preventDefault();
}
