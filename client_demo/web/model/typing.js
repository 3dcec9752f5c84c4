/** Typing, both ways: who is, as far as is known, and telling others at a bearable rate. */

/** @typedef {import("../net/clock.js").Clock} Clock */

const RENEW_MS = 3_000; // the rulebook: renewed at most this often
const LASTS_MS = 6_000;

/** Who is typing where; everybody stops by themselves when their time is over. */
export class TypingBoard {
  /** @param {Clock} clock @param {() => void} changed */
  constructor(clock, changed) {
    this.clock = clock;
    this.changed = changed;
    /** @type {Map<string, Map<string, () => void>>} Conversation → member → cancel. */
    this.typing = new Map();
  }

  /** @param {string} conversation @param {string} member @param {number} lastsMs */
  started(conversation, member, lastsMs) {
    const here = this.typing.get(conversation) ?? new Map();
    this.typing.set(conversation, here);
    here.get(member)?.();
    here.set(
      member,
      this.clock.after(lastsMs, () => this.stopped(conversation, member)),
    );
    this.changed();
  }

  /** @param {string} conversation @param {string} member */
  stopped(conversation, member) {
    const here = this.typing.get(conversation);
    const cancel = here?.get(member);
    if (here === undefined || cancel === undefined) return;
    cancel();
    here.delete(member);
    if (here.size === 0) this.typing.delete(conversation);
    this.changed();
  }

  clear() {
    for (const here of this.typing.values()) for (const cancel of here.values()) cancel();
    this.typing.clear();
    this.changed();
  }

  /** @param {string} conversation @returns {string[]} Members, first come first. */
  who(conversation) {
    return [...(this.typing.get(conversation)?.keys() ?? [])];
  }
}

/** Tells of one's own typing: a start at most every 3 s, a stop only after a start. */
export class TypingSender {
  /** @param {Clock} clock @param {(cmd: string, conversation: string) => void} send */
  constructor(clock, send) {
    this.clock = clock;
    this.send = send;
    /** @type {string | null} */
    this.conversation = null;
    this.startedAt = 0;
  }

  /** @param {string} conversation Something was typed here. */
  typed(conversation) {
    if (this.conversation !== conversation) this.stop();
    const now = this.clock.now();
    if (this.conversation === conversation && now - this.startedAt < RENEW_MS) return;
    this.conversation = conversation;
    this.startedAt = now;
    this.send("typing.start", conversation);
  }

  /** The field was left or emptied. */
  stop() {
    const { conversation } = this;
    this.conversation = null;
    if (conversation === null || this.clock.now() - this.startedAt >= LASTS_MS) return;
    this.send("typing.stop", conversation);
  }

  /** A message went out, which ends typing by itself. */
  sent() {
    this.conversation = null;
  }
}
