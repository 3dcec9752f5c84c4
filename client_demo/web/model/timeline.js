/**
 * The messages of one conversation that this page holds: one stretch, up to the newest.
 *
 * Idempotent throughout: `rev` decides which version of a message is newer, so history and
 * events may come twice and in either order.
 */

/** @typedef {import("../protocol/types.js").Message} Message */
/** @typedef {import("../protocol/types.js").Reaction} Reaction */

const KEPT = 600; // messages; the oldest go first, and are read again when scrolled to

export class Timeline {
  constructor() {
    /** @type {Message[]} Ascending by seq. */
    this.messages = [];
    /** Whether there are older ones on the server. */
    this.more = true;
    /** Whether the newest page has been read. */
    this.loaded = false;
  }

  get first() {
    return this.messages.at(0);
  }

  get last() {
    return this.messages.at(-1);
  }

  /** @param {string} id */
  find(id) {
    return this.messages.findLast(({ message }) => message === id);
  }

  /**
   * Take in a message, unless a newer version of it is here.
   * @param {Message} message
   */
  put(message) {
    let at = this.messages.length;
    while (at > 0 && this.messages[at - 1].seq > message.seq) at -= 1;
    const held = this.messages[at - 1];
    if (held?.seq !== message.seq) this.messages.splice(at, 0, message);
    else if (held.rev <= message.rev) this.messages[at - 1] = message;
  }

  /**
   * The newest page of history, or the one before what is here.
   * @param {Message[]} messages
   * @param {boolean} more Whether there are still older ones.
   */
  putPage(messages, more) {
    for (const message of messages) this.put(message);
    this.more = more;
    this.loaded = true;
  }

  /**
   * All of one member's emojis on a message, as of `rev`.
   * @param {{message: string, rev: number, member: string, emojis: string[]}} reacted
   */
  react({ message, rev, member, emojis }) {
    const held = this.find(message);
    if (held === undefined || held.deleted_at || rev <= held.rev) return;
    const { reactions = [] } = held;
    // Where reactions are counts nobody knows what this member had: the next read tells.
    if (reactions.some(({ count }) => count !== undefined)) return;
    this.put({ ...held, rev, reactions: withReactions(reactions, member, emojis) });
  }

  /** Everything up to a number is gone for this reader. @param {number} seq */
  forget(seq) {
    if (seq < 0) return;
    this.messages = this.messages.filter((message) => message.seq > seq);
    if (this.messages.length === 0) this.more = false;
  }

  /** Drop the oldest beyond the bound. */
  trim() {
    const extra = this.messages.length - KEPT;
    if (extra <= 0) return;
    this.messages.splice(0, extra);
    this.more = true;
  }
}

/**
 * @param {Reaction[]} reactions
 * @param {string} member
 * @param {string[]} emojis All that the member has on the message now.
 * @returns {Reaction[]}
 */
export function withReactions(reactions, member, emojis) {
  const wanted = new Set(emojis);
  /** @type {Reaction[]} */
  const next = [];
  for (const { emoji, members = [], ...rest } of reactions) {
    const others = members.filter((who) => who !== member);
    // In its place among the others, if it was there before.
    const stays = wanted.delete(emoji);
    const who = !stays || !members.includes(member) ? others : members;
    if (stays && who === others) others.push(member);
    if (who.length > 0) next.push({ ...rest, emoji, members: who });
  }
  return [...next, ...[...wanted].map((emoji) => ({ emoji, members: [member] }))];
}
