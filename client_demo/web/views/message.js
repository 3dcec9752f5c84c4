/** One message: its bubble, what can be done with it, and what has become of it. */

import { KINDS } from "./asking.js";
import { avatar } from "./avatar.js";
import { fill, h, hidden } from "./dom.js";
import { icon } from "./icons.js";
import { marked } from "./links.js";
import { openPicker } from "./picker.js";
import { quoteLine } from "./quote.js";
import { fullTime, namesInWords, timeOfDay } from "./words.js";

/** @typedef {import("../model/messenger.js").Messenger} Messenger */
/** @typedef {import("../model/state.js").State} State */
/** @typedef {import("../protocol/types.js").Message} Message */
/** @typedef {import("../protocol/types.js").Reaction} Reaction */
/** @typedef {import("./rows.js").MessageRow} MessageRow */
/** @typedef {import("./rows.js").OutgoingRow} OutgoingRow */
/**
 * @typedef {object} MessagePorts
 * @property {Messenger} messenger
 * @property {(message: Message) => void} reply
 * @property {(message: Message) => void} edit
 * @property {(message: Message) => void} remove
 *
 * @typedef {(message: string) => void} GoTo Show a message of the page.
 */

const LEADS = " · leads the group";

/**
 * @param {HTMLElement} item
 * @param {MessageRow} row
 * @param {MessagePorts} ports
 * @param {GoTo} goTo
 */
export function showMessage(item, row, ports, goTo) {
  const { message, mine, first, last, named, leads, reads, quote } = row;
  const { people } = ports.messenger.state;
  const profile = people.get(message.sender);
  const deleted = message.deleted_at !== undefined;
  const called = mentionsMe(message, ports.messenger.state);
  item.className = classes("message", { mine, first, last, deleted, called });
  item.dataset.message = message.message;
  const answers = message.reply_to ?? "";
  fill(
    item,
    !mine && (last ? avatar(profile, "small") : h("span", { class: "avatar-space" })),
    h(
      "div",
      { class: "message-main" },
      !mine && named && first
        ? h("span", { class: "message-sender" }, profile.name, leads && LEADS)
        : hidden(mine ? "You:" : `${profile.name}:`),
      answers !== "" && quoteLine(quote, () => goTo(answers)),
      h(
        "div",
        { class: "bubble-line" },
        deleted
          ? h("p", { class: "bubble" }, "Message deleted")
          : bubble(message, ports.messenger.state, fullTime(message.sent_at)),
        !deleted && !reads && actions(row, ports),
      ),
      reactions(message, ports.messenger),
      meta(row, ports.messenger),
    ),
  );
}

/**
 * @param {{body?: string, subject?: string, mentions?: string[]}} message
 * @param {State} state
 * @param {string} [title]
 */
function bubble({ body = "", subject, mentions = [] }, { people, me }, title) {
  const mentioned = mentions.map((member) => people.get(member));
  return h(
    "p",
    { class: "bubble", dir: "auto", title },
    subject ? h("b", { class: "subject" }, subject) : null,
    ...marked(body, mentioned, me),
  );
}

/**
 * One that is not known to be stored yet.
 * @param {HTMLElement} item
 * @param {OutgoingRow} row
 * @param {Messenger} messenger
 * @param {GoTo} goTo
 */
export function showOutgoing(item, { outgoing, first, quote }, { outbox, state: known }, goTo) {
  const { body, subject, mentions, replyTo, clientId, cost, state, words } = outgoing;
  const asks = state === "failed" && cost > 0;
  const failed = state === "failed" && !asks;
  item.className = classes("message mine last outgoing", { first, failed, asks });
  const button = (/** @type {string} */ text, /** @type {() => void} */ click) =>
    h("button", { type: "button", class: "link", on: { click } }, text);
  fill(
    item,
    h(
      "div",
      { class: "message-main" },
      hidden("You:"),
      replyTo !== "" && quoteLine(quote, () => goTo(replyTo)),
      h("div", { class: "bubble-line" }, bubble({ body, subject, mentions }, known)),
      failed || asks
        ? h(
            "p",
            { class: classes("meta", { failed }), role: "alert" },
            asks ? words : `Not sent. ${words}`,
            " ",
            asks
              ? button(`Send for ${cost === 1 ? "a credit" : `${cost} credits`}`, () =>
                  outbox.retry(clientId, cost),
                )
              : button("Try again", () => outbox.retry(clientId)),
            " ",
            button("Discard", () => outbox.remove(clientId)),
          )
        : h("p", { class: "meta" }, "Sending…"),
    ),
  );
}

/** @param {MessageRow} row @param {MessagePorts} ports */
function actions({ message, writes }, { messenger, reply, edit, remove }) {
  const mayChange = messenger.mayChange(message);
  const react = tool("smile", "React", (event) =>
    openPicker(
      /** @type {HTMLElement} */ (event.currentTarget),
      (emoji) => void messenger.react(message, emoji),
    ),
  );
  react.setAttribute("aria-haspopup", "true");
  return h(
    "div",
    { class: "tools" },
    react,
    writes && tool("reply", "Reply", () => reply(message)),
    mayChange && tool("pencil", "Edit", () => edit(message)),
    mayChange && tool("bin", "Delete", () => remove(message)),
  );
}

/** @param {string} name @param {string} label @param {(event: MouseEvent) => void} click */
function tool(name, label, click) {
  return h(
    "button",
    { type: "button", class: "tool", "aria-label": label, title: label, on: { click } },
    icon(name),
  );
}

/** @param {Message} message @param {Messenger} messenger */
function reactions(message, messenger) {
  const { me, people } = messenger.state;
  const given = message.deleted_at ? [] : (message.reactions ?? []);
  if (given.length === 0) return null;
  const pills = given.map((/** @type {Reaction} */ { emoji, members, count }) => {
    const mine = members?.includes(me) ?? false;
    const who = namesInWords(
      (members ?? []).map((member) => (member === me ? "you" : people.name(member))),
    );
    const label = `${emoji} ${who || count}`;
    const click = () => void messenger.react(message, emoji);
    return h(
      "button",
      {
        type: "button",
        class: "reaction",
        "aria-pressed": String(mine),
        "aria-label": label,
        title: who,
        on: { click },
      },
      h("span", { class: "emoji" }, emoji),
      String(count ?? members?.length ?? 0),
    );
  });
  return h("div", { class: "reactions" }, ...pills);
}

/** The time at the end of a group, and who has seen it. @param {MessageRow} row @param {Messenger} messenger */
function meta({ message, last, named, seen }, { state }) {
  const parts = [];
  if (last) parts.push(timeOfDay(message.sent_at));
  const kind = KINDS[message.kind ?? ""];
  // Among several all messages are of one kind, which the head says.
  if (last && kind !== undefined && !named && !message.deleted_at) parts.push(kind);
  if (mentionsMe(message, state)) parts.push("mentions you");
  if (message.edited_at && !message.deleted_at) parts.push("edited");
  if (seen.length > 0) {
    parts.push(`Seen by ${namesInWords(seen.map((who) => state.people.firstName(who)))}`);
  }
  return parts.length > 0 ? h("p", { class: "meta" }, parts.join(" · ")) : null;
}

/** @param {Message} message @param {State} state */
function mentionsMe({ mentions = [], deleted_at: deleted }, { me }) {
  return deleted === undefined && mentions.includes(me);
}

/** @param {string} always @param {Record<string, boolean>} when */
function classes(always, when) {
  return [always, ...Object.keys(when).filter((name) => when[name])].join(" ");
}
