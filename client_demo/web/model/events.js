/**
 * What each event does to the state: one function an event, and nothing but the state.
 *
 * Events carry results, so each of them may be applied twice, or onto newer state.
 */

import { takeDraft, takeMarks } from "./own.js";

/** @typedef {import("../protocol/types.js").Event} Event */
/** @typedef {import("../protocol/types.js").Fields} Fields */
/** @typedef {import("../protocol/types.js").Message} Message */
/** @typedef {import("./state.js").State} State */

/**
 * @param {State} state
 * @param {Event} event
 * @param {boolean} [again] It was applied before, to what a read has replaced since.
 */
export function applyEvent(state, { event, data }, again = false) {
  const handler = HANDLERS[event];
  if (handler === undefined) return; // a newer server's: nothing here depends on it
  state.changes.changed(...handler(state, data, again));
}

/** @param {State} state @param {Message} message */
export function applyMessage(state, message) {
  const { conversation, sender, deleted_at: deleted } = message;
  const held = state.conversations.get(conversation);
  if (held === undefined || opensAnew(held, message)) state.wanted.add(conversation);
  const { cleared_seq: cleared = -1 } = held ?? {};
  if (message.seq <= cleared) return; // gone for oneself, whatever becomes of it
  state.conversations.hold(message, sender !== state.me && !deleted);
  const timeline = state.timelines.get(conversation);
  const inside = timeline?.first === undefined || message.seq >= timeline.first.seq;
  if (timeline?.loaded && inside) timeline.put(message);
}

/** Whether a new message comes where nothing was open: as a request, or it opens that again.
 * @param {import("../protocol/types.js").Conversation} held @param {Message} message */
function opensAnew(held, { seq, kind = "direct" }) {
  if (held.kind !== "one_to_one" || seq <= held.seq || kind === "direct") return false;
  return held.state !== "open" || held.last?.kind !== kind;
}

/** @type {Record<string, (state: State, data: any, again: boolean) => string[]>} */
const HANDLERS = {
  "message.created": (state, data) => {
    applyMessage(state, data);
    state.typing.stopped(data.conversation, data.sender);
    return ["list", "timeline"];
  },
  "message.edited": changedMessage,
  "message.deleted": changedMessage,
  "message.reacted": (state, data) => {
    state.timelines.get(data.conversation)?.react(data);
    return ["timeline"];
  },

  "conversation.changed": takeMarks,
  "draft.changed": takeDraft,
  "conversation.joined": wantConversation,
  "conversation.left": (state, { conversation }, again) => {
    state.conversations.change(conversation, { state: "closed" });
    if (!again) state.notice(conversation, "You are no longer in this conversation.");
    state.wanted.add(conversation);
    return ["list", "timeline"];
  },
  "conversation.renamed": (state, { conversation, title }, again) => {
    state.conversations.change(conversation, { title });
    if (!again)
      state.notice(conversation, title ? `Renamed to “${title}”.` : "The title was removed.");
    return ["list", "timeline"];
  },
  "roster.changed": changedRoster,

  "read.moved": (state, { conversation, read }) => {
    state.conversations.readTo(conversation, read);
    return ["list"];
  },
  "receipt.read": (state, { conversation, member, seq }) => {
    const held = state.conversations.get(conversation);
    if (held === undefined) return [];
    const participants = held.participants.map((one) =>
      one.member === member ? { ...one, shown: Math.max(seq, one.shown ?? 0) } : one,
    );
    state.conversations.change(conversation, { participants });
    return ["timeline"];
  },
  "typing.started": (state, { conversation, member, expires_in_ms: lasts }) => {
    if (member !== state.me) state.typing.started(conversation, member, lasts);
    return [];
  },
  "typing.stopped": (state, { conversation, member }) => {
    state.typing.stopped(conversation, member);
    return [];
  },

  "invitation.received": (state, data) => {
    state.invitations.set(data.invitation, data);
    return ["invitations"];
  },
  "invitation.answered": goneInvitation,
  "invitation.withdrawn": goneInvitation,
  "connection.added": (state, data) => {
    state.people.learn([data]);
    state.connections.set(data.member, data);
    wantWith(state, data.member);
    return ["connections", "list", "timeline"];
  },
  "connection.removed": (state, { member }) => {
    state.connections.delete(member);
    wantWith(state, member);
    return ["connections", "timeline"];
  },
  "block.changed": (state, { member, blocked }) => {
    if (blocked) state.blocked.set(member, state.people.get(member));
    else state.blocked.delete(member);
    return ["blocks", "list"];
  },
  "settings.changed": (state, data) => {
    takeSettings(state, data);
    return ["settings", "timeline"];
  },
  "request.received": wantConversation,
  "request.answered": (state, { conversation, accepted }, again) => {
    const words = accepted ? "The request was accepted." : "The request was declined.";
    if (!again) state.notice(conversation, words);
    return wantConversation(state, { conversation });
  },
  "conversation.closed": (state, { conversation }, again) => {
    state.conversations.change(conversation, { state: "closed" });
    if (!again) state.notice(conversation, "This conversation was closed.");
    return wantConversation(state, { conversation });
  },
  "credits.changed": (state, { balance }) => {
    state.balance = balance;
    return ["credits"];
  },
};

/**
 * @param {State} state
 * @param {import("../protocol/types.js").Settings} settings
 */
export function takeSettings(state, settings) {
  const before = state.settings.receipts;
  state.settings = settings;
  if (before === settings.receipts) return;
  // Off: what others showed is not ours to see any longer. On: it has to be read.
  state.typing.clear();
  for (const { id, participants } of state.conversations.known.values()) {
    const hidden = participants.map(({ shown: _, ...one }) => one);
    state.conversations.change(id, { participants: hidden });
  }
  if (settings.receipts && state.openId !== null) state.wanted.add(state.openId);
}

/** @param {State} state @param {Message} message */
function changedMessage(state, message) {
  applyMessage(state, message);
  return ["list", "timeline"];
}

/** @param {State} state @param {Fields} data */
function wantConversation(state, { conversation }) {
  state.wanted.add(conversation);
  return ["list", "timeline"];
}

/** What two may do between them has changed, and with it their conversation's state.
 * @param {State} state @param {string} member */
function wantWith(state, member) {
  const held = state.conversations.withMember(member);
  if (held !== undefined && held.state !== "open") state.wanted.add(held.id);
}

/** @param {State} state @param {Fields} data */
function goneInvitation(state, { invitation }) {
  state.invitations.delete(invitation);
  state.invited.delete(invitation);
  return ["invitations"];
}

/** @param {State} state @param {Fields} data @param {boolean} again */
function changedRoster(state, { conversation, changes = [], participant_count: count }, again) {
  const held = state.conversations.get(conversation);
  if (held === undefined) return [];
  let { participants } = held;
  for (const { member, name, change, role } of changes) {
    participants = participants.filter((one) => one.member !== member);
    if (change === "added") participants = [...participants, { member, name, role }];
    if (!again) state.notice(conversation, rosterNotice(name, change, role));
    state.people.learn([{ member, name }]);
    if (change !== "added") state.typing.stopped(conversation, member);
  }
  state.conversations.change(conversation, { participants, participant_count: count });
  return ["list", "timeline"];
}

/** @param {string} name @param {string} change @param {string} role */
function rosterNotice(name, change, role) {
  if (change === "added" && role === "viewer")
    return `${name} was mentioned and can read from here on.`;
  if (change === "added") return `${name} was added.`;
  return change === "removed" ? `${name} was removed.` : `${name} left.`;
}
