/**
 * What a conversation shows, row by row: messages in groups, days, notices, and what is still on
 * its way. Pure: made anew from the state each time.
 */

import { roleIn } from "../model/conversations.js";
import { seenBy } from "../model/receipts.js";
import { writingIn } from "../model/ways.js";
import { quoted } from "./quote.js";
import { dayKey } from "./words.js";

/** @typedef {import("../protocol/types.js").Message} Message */
/** @typedef {import("../model/outbox.js").Outgoing} Outgoing */
/** @typedef {import("../model/state.js").State} State */
/**
 * @typedef {object} MessageRow
 * @property {"message"} kind
 * @property {string} key
 * @property {string} signature
 * @property {Message} message
 * @property {boolean} mine
 * @property {boolean} first Of a group by one sender.
 * @property {boolean} last
 * @property {boolean} named Whether to say who wrote it: there are several.
 * @property {boolean} leads Whether its sender leads the group that this conversation is of.
 * @property {boolean} reads Whether one only reads here: there is nothing to do with a message.
 * @property {boolean} writes Whether one writes here, and so can answer a message.
 * @property {Quote | null} quote Of the message that it answers, where that is on the page.
 * @property {string[]} seen Who has seen up to here.
 *
 * @typedef {ReturnType<typeof quoted>} Quote
 * @typedef {{kind: "outgoing", key: string, signature: string, outgoing: Outgoing, first: boolean, quote: Quote | null}} OutgoingRow
 * @typedef {{kind: "day", key: string, signature: string, at: number}} DayRow
 * @typedef {{kind: "unread" | "notice", key: string, signature: string, text: string}} LineRow
 * @typedef {MessageRow | OutgoingRow | DayRow | LineRow} TimelineRow
 */

const GROUP_MS = 300_000; // messages of one sender closer than this are one group

/**
 * @param {State} state
 * @param {Outgoing[]} outgoing Of the open conversation.
 * @returns {TimelineRow[]}
 */
export function rowsOf(state, outgoing) {
  const { open, openId, me } = state;
  const timeline = openId === null ? undefined : state.timelines.get(openId);
  const conversation = state.conversations.get(openId);
  const messages = timeline?.loaded ? timeline.messages : [];
  const seen =
    conversation === undefined ? new Map() : seenBy(messages, conversation.participants, me);
  const unreadFrom = open !== null && "conversation" in open ? open.unreadFrom : Infinity;
  const notices = [...(openId === null ? [] : (state.notices.get(openId) ?? []))];
  const named = conversation !== undefined && conversation.kind !== "one_to_one";
  const reads =
    named && (conversation.state === "closed" || roleIn(conversation, me) === "viewer");

  const writes = !reads && writingIn(state).may;
  const quoteOf = (/** @type {string | undefined} */ id) => {
    const held = id ? timeline?.find(id) : undefined;
    return held === undefined ? null : quoted(held, state);
  };

  /** @type {TimelineRow[]} */
  const rows = [];
  /** @type {MessageRow | null} */
  let group = null;
  let day = "";
  // Its place is known once what was read last is here, or everything is.
  let unreadDue = !timeline?.more || (timeline?.first?.seq ?? Infinity) <= unreadFrom;
  const noticesUpTo = (/** @type {number} */ seq) => {
    while (notices.length > 0 && notices[0].afterSeq <= seq) {
      const { afterSeq, text } = notices[0];
      rows.push({
        kind: "notice",
        key: `notice:${afterSeq}:${notices.length}`,
        signature: text,
        text,
      });
      notices.shift();
      group = null;
    }
  };

  for (const message of messages) {
    noticesUpTo(message.seq - 1);
    const today = dayKey(message.sent_at);
    if (today !== day) {
      rows.push({ kind: "day", key: `day:${today}`, signature: today, at: message.sent_at });
      group = null;
      day = today;
    }
    if (unreadDue && message.seq > unreadFrom && message.sender !== me) {
      rows.push({ kind: "unread", key: "unread", signature: "", text: "New" });
      group = null;
      unreadDue = false;
    }
    /** @type {MessageRow} */
    const row = {
      kind: "message",
      key: keyOf(message, me),
      signature: "",
      message,
      mine: message.sender === me,
      first: group === null || !joins(group.message, message),
      last: true,
      named,
      leads: roleIn(conversation, message.sender) === "manager",
      reads,
      writes,
      quote: quoteOf(message.reply_to),
      seen: seen.get(message.message) ?? [],
    };
    if (group !== null && !row.first) group.last = false;
    rows.push(row);
    group = row;
  }
  noticesUpTo(Infinity);
  for (const row of rows) if (row.kind === "message") row.signature = signatureOf(row, state);
  const waiting = outgoing.map((one, at) =>
    outgoingRow(one, at === 0 && !group?.mine, quoteOf(one.replyTo)),
  );
  return [...rows, ...waiting];
}

/** @param {Outgoing} outgoing @param {boolean} first @param {Quote | null} quote @returns {OutgoingRow} */
function outgoingRow(outgoing, first, quote) {
  const { clientId, state, words } = outgoing;
  const signature = JSON.stringify([state, words, quote]);
  return { kind: "outgoing", key: `client:${clientId}`, signature, outgoing, first, quote };
}

/** One's own message keeps its row from writing to stored. @param {Message} message @param {string} me */
function keyOf(message, me) {
  const own = message.sender === me && message.client_id;
  return own ? `client:${message.client_id}` : `message:${message.message}`;
}

/** @param {Message} before @param {Message} after */
function joins(before, after) {
  return before.sender === after.sender && after.sent_at - before.sent_at < GROUP_MS;
}

/** @param {MessageRow} row @param {State} state */
function signatureOf({ message, first, last, leads, reads, writes, quote, seen }, { people }) {
  const { sender, message: id, rev, reactions, body, mentions, deleted_at: deleted } = message;
  const { name, avatar } = people.get(sender);
  const names = mentions?.map((member) => people.name(member));
  const about = [leads, reads, writes, quote, seen, name, avatar, names];
  const shown = [first, last, about, reactions, body, deleted];
  return JSON.stringify([id, rev, shown]);
}
