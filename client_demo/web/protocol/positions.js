/**
 * Where this page is in each of its topics: what makes resuming exact.
 *
 * Positions are dense, so the next event of a topic is known by its number. What was seen is
 * dropped; a gap means that something was missed, and the topic is forgotten so that the next
 * `connect` gets it as reset.
 */

/** @typedef {import("./types.js").At} At */
/** @typedef {import("./types.js").Event} Event */

export class Positions {
  constructor() {
    /** @type {Map<string, number>} */
    this.topics = new Map();
    /** @type {string | null} */
    this.epoch = null;
  }

  /** Whether there is anything to resume from. */
  get known() {
    return this.topics.size > 0;
  }

  /**
   * What to send with `connect`: topics in parts of at most `size`, the first one for `connect`
   * itself, the others for `resume`.
   * @param {number} size
   * @returns {At[]}
   */
  parts(size) {
    const entries = [...this.topics];
    const parts = [];
    for (let from = 0; from < entries.length; from += size) {
      parts.push(Object.fromEntries(entries.slice(from, from + size)));
    }
    return parts;
  }

  /**
   * Take over what the server answered: topics no longer ours are dropped, new and reset ones
   * are live from their heads, resumed ones stay where they are until their events come.
   * @param {string} epoch
   * @param {At} heads
   * @param {string[]} reset
   */
  begin(epoch, heads, reset) {
    this.epoch = epoch;
    const again = new Set(reset);
    /** @type {Map<string, number>} */
    const next = new Map();
    for (const [topic, head] of Object.entries(heads)) {
      const here = this.topics.get(topic);
      next.set(topic, here === undefined || again.has(topic) ? head : here);
    }
    this.topics = next;
  }

  /**
   * Move past an event.
   * @param {Event} event
   * @returns {"next" | "seen" | "gap"}
   */
  take({ event, topic, pos, data }) {
    if (pos === undefined) return "next";
    const here = this.topics.get(topic);
    // A topic not yet known is one being joined: its first event may overtake the joining.
    if (here !== undefined && pos <= here) return "seen";
    if (here !== undefined && pos > here + 1) {
      this.topics.delete(topic);
      return "gap";
    }
    this.topics.set(topic, pos);
    if (event === "conversation.joined") this.join(data);
    if (event === "conversation.left") this.topics.delete(`conversation:${data.conversation}`);
    return "next";
  }

  /** @param {import("./types.js").Fields} data */
  join({ topic, pos }) {
    if (typeof topic !== "string" || typeof pos !== "number") return;
    this.topics.set(topic, Math.max(pos, this.topics.get(topic) ?? 0));
  }
}
