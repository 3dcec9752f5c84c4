/** Reading: telling that one has, and seeing that others have. */

/** @typedef {import("../protocol/types.js").Message} Message */
/** @typedef {import("../protocol/types.js").Participant} Participant */

/**
 * Under which of one's own messages others have got to: each at the last one they have seen.
 * @param {Message[]} messages Ascending.
 * @param {Participant[]} participants
 * @param {string} me
 * @returns {Map<string, string[]>} Message → members.
 */
export function seenBy(messages, participants, me) {
  /** @type {Map<string, string[]>} */
  const marks = new Map();
  for (const { member, shown = 0 } of participants) {
    if (member === me || shown === 0) continue;
    const mark = messages.findLast(({ seq, sender }) => sender === me && seq <= shown);
    // Whoever wrote after it has plainly read it: saying so would be noise.
    const wrote = messages.findLast(({ sender }) => sender === member);
    if (mark === undefined || (wrote !== undefined && wrote.seq > mark.seq)) continue;
    marks.set(mark.message, [...(marks.get(mark.message) ?? []), member]);
  }
  return marks;
}

/**
 * Decides when something counts as read: the page is visible, the conversation is open, and its
 * end is in sight. Tells once for each seq.
 */
export class ReadMarker {
  /** @param {(conversation: string, seq: number) => void} tell */
  constructor(tell) {
    this.tell = tell;
    this.visible = true;
    this.atEnd = false;
    /** @type {Map<string, number>} Conversation → the last seq told. */
    this.told = new Map();
  }

  /**
   * @param {string} conversation The open one.
   * @param {number} seq Of its newest message that is on the page.
   * @param {number} read Up to where it counts as read already.
   */
  consider(conversation, seq, read) {
    if (!this.visible || !this.atEnd) return;
    if (seq <= Math.max(read, this.told.get(conversation) ?? 0)) return;
    this.told.set(conversation, seq);
    this.tell(conversation, seq);
  }

  /** What was told may not have arrived. */
  forget() {
    this.told.clear();
  }
}
