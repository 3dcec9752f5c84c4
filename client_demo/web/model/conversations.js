/** The conversations that are known, in order of activity, and what each is called. */

import { belongs } from "./own.js";

/** @typedef {import("./own.js").List} List */
/** @typedef {import("../protocol/types.js").Conversation} Conversation */
/** @typedef {import("../protocol/types.js").Message} Message */
/** @typedef {import("./people.js").People} People */

export class Conversations {
  constructor() {
    /** @type {Map<string, Conversation>} */
    this.known = new Map();
    /** @type {Map<string, number>} When something last happened in each, Unix milliseconds. */
    this.active = new Map();
    /** @type {string | null} The cursor to older ones, if there are any. */
    this.next = null;
  }

  /** @param {string | null} id */
  get(id) {
    return id === null ? undefined : this.known.get(id);
  }

  /**
   * @param {Conversation} conversation
   * @param {number} otherwise When it was active, if it has no message.
   */
  put(conversation, otherwise) {
    this.known.set(conversation.id, conversation);
    const { last } = conversation;
    this.active.set(
      conversation.id,
      last?.sent_at ?? this.active.get(conversation.id) ?? otherwise,
    );
  }

  /**
   * A page of the list, which is in order of activity.
   * @param {Conversation[]} page
   * @param {string | null} next
   */
  putPage(page, next) {
    let active = Infinity;
    for (const conversation of page) {
      active = Math.min(active, conversation.last?.sent_at ?? active);
      this.put(conversation, Number.isFinite(active) ? active : 0);
    }
    this.next = next;
  }

  /**
   * Change some fields of one that is known.
   * @param {string} id
   * @param {Partial<Conversation>} fields
   */
  change(id, fields) {
    const held = this.known.get(id);
    if (held !== undefined) this.put({ ...held, ...fields }, 0);
  }

  /**
   * A message was stored, or one has changed.
   * @param {Message} message
   * @param {boolean} counts Whether it is unread if it is new.
   */
  hold(message, counts) {
    const held = this.known.get(message.conversation);
    if (held === undefined) return;
    const isNew = message.seq > held.seq;
    const { last } = held;
    if (last && (message.seq < last.seq || (message.seq === last.seq && message.rev < last.rev)))
      return;
    this.change(held.id, {
      last: message,
      seq: Math.max(held.seq, message.seq),
      unread: held.unread + (isNew && counts ? 1 : 0),
    });
  }

  /** Read on this device or on another. @param {string} id @param {number} read */
  readTo(id, read) {
    const held = this.known.get(id);
    if (held === undefined || read <= held.read) return;
    this.change(id, { read, unread: Math.min(held.unread, Math.max(0, held.seq - read)) });
  }

  /** @param {List} list @param {string} me @returns {Conversation[]} The latest active first. */
  ordered(list = "all", me = "") {
    const at = (/** @type {Conversation} */ { id }) => this.active.get(id) ?? 0;
    const shown = [...this.known.values()].filter((one) => belongs(one, list, me));
    return shown.sort((a, b) => at(b) - at(a));
  }

  /** The one-to-one with a member, if it is known. @param {string} member */
  withMember(member) {
    return [...this.known.values()].find(
      ({ kind, participants }) =>
        kind === "one_to_one" && participants.some((one) => one.member === member),
    );
  }

  get unread() {
    const told = [...this.known.values()].filter((one) => belongs(one, "all") && !one.muted);
    return told.reduce((sum, { unread, unread_mark: mark }) => sum + (unread || Number(mark ?? 0)), 0);
  }
}

/**
 * The participants besides oneself.
 * @param {Conversation} conversation
 * @param {string} me
 */
export function others({ participants }, me) {
  return participants.filter(({ member }) => member !== me);
}

/**
 * What a member is in a conversation; of a large one nobody is told.
 * @param {Conversation | undefined} conversation
 * @param {string} member
 * @returns {string} "participant", "manager" or "viewer".
 */
export function roleIn(conversation, member) {
  return conversation?.participants.find((one) => one.member === member)?.role ?? "participant";
}

/**
 * @param {Conversation} conversation
 * @param {string} me
 * @param {People} people
 * @returns {string}
 */
export function titleOf(conversation, me, people) {
  if (conversation.title) return conversation.title;
  const talking = others(conversation, me).filter(({ role }) => role !== "viewer");
  const members = talking.map(({ member }) => member);
  if (members.length === 1) return people.name(members[0]);
  if (members.length > 0) return members.map((member) => people.firstName(member)).join(", ");
  const count = conversation.participant_count ?? 0;
  return count > 1 ? `${count} people` : "Only you";
}
