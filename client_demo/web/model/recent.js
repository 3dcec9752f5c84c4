/**
 * The last events, to be applied again onto state that was read before they happened.
 *
 * A read answers as of the positions in `at`; by the time it arrives, later events may have been
 * applied to what it replaces.
 */

/** @typedef {import("../protocol/types.js").At} At */
/** @typedef {import("../protocol/types.js").Event} Event */

const KEPT = 500; // events; a read takes seconds at most

export class RecentEvents {
  constructor() {
    /** @type {Event[]} */
    this.events = [];
    /** @type {Map<string, number>} By topic, the last position that is no longer kept. */
    this.gone = new Map();
  }

  /** @param {Event} event */
  add(event) {
    if (event.pos === undefined) return;
    this.events.push(event);
    if (this.events.length <= KEPT) return;
    const oldest = this.events.shift();
    if (oldest?.pos !== undefined) this.gone.set(oldest.topic, oldest.pos);
  }

  /**
   * @param {At} at
   * @returns {Event[] | null} What came after, in order; null if some of it is gone.
   */
  after(at) {
    for (const [topic, pos] of Object.entries(at)) {
      if ((this.gone.get(topic) ?? 0) > pos) return null;
    }
    return this.events.filter(({ topic, pos = 0 }) => pos > (at[topic] ?? Infinity));
  }
}
