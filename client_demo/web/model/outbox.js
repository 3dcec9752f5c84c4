/**
 * What was written and is not yet known to be stored.
 *
 * Each message keeps one client_id for all its tries, so that a repeat is never a second
 * message. One is on its way per conversation at a time, which keeps their order through errors.
 * In memory only: a page that is closed forgets it.
 */

import { CommandRefused, LinkLost, isRetryable, priceOf, wordsFor } from "../protocol/errors.js";
import { reconnectDelay } from "../net/schedule.js";

/** @typedef {import("../protocol/types.js").Fields} Fields */
/** @typedef {import("../net/clock.js").Clock} Clock */
/**
 * @typedef {object} Outgoing
 * @property {string} clientId
 * @property {string} target A conversation's id, or "to:" and a member.
 * @property {string} body
 * @property {string} subject Empty for none.
 * @property {string} replyTo The message that it answers; empty for none.
 * @property {string[]} mentions Members.
 * @property {number} writtenAt
 * @property {"pending" | "sending" | "failed"} state
 * @property {number} tries
 * @property {string} words Why it failed.
 * @property {number} cost In credits, where it failed by that alone and they are there; 0 else.
 * @property {number} maxCost What its writer has agreed to.
 *
 * @typedef {object} About What else is said of a message by who writes it.
 * @property {string} [subject]
 * @property {string} [replyTo]
 * @property {string[]} [mentions]
 *
 * @typedef {object} OutboxPorts
 * @property {(outgoing: Outgoing) => Promise<Fields>} send
 * @property {(outgoing: Outgoing, result: Fields) => void} sent
 * @property {() => void} changed
 * @property {() => string} newId
 * @property {() => number} random
 * @property {Clock} clock
 */

const TRIES = 5; // by itself; a person may go on
const KEPT = 200;

export class Outbox {
  /** @param {OutboxPorts} ports */
  constructor(ports) {
    this.ports = ports;
    /** @type {Outgoing[]} In the order written. */
    this.all = [];
  }

  /** @param {string} target @returns {Outgoing[]} */
  of(target) {
    return this.all.filter((outgoing) => outgoing.target === target);
  }

  /**
   * @param {string} target
   * @param {string} body
   * @param {About} [about]
   * @returns {boolean} Whether it was taken: too much may be waiting already.
   */
  add(target, body, { subject = "", replyTo = "", mentions = [] } = {}) {
    if (this.all.length >= KEPT) return false;
    const { newId, clock, changed } = this.ports;
    this.all.push({
      clientId: newId(),
      target,
      body,
      subject,
      replyTo,
      mentions,
      writtenAt: clock.now(),
      state: "pending",
      tries: 0,
      words: "",
      cost: 0,
      maxCost: 0,
    });
    changed();
    this.pump(target);
    return true;
  }

  /** Send again what failed, for at most so many credits.
   * @param {string} clientId @param {number} [maxCost] */
  retry(clientId, maxCost = 0) {
    const outgoing = this.all.find((each) => each.clientId === clientId);
    if (outgoing?.state !== "failed") return;
    Object.assign(outgoing, { state: "pending", tries: 0, words: "", cost: 0, maxCost });
    this.ports.changed();
    this.pump(outgoing.target);
  }

  /** Give up on it, or learn by its event that it is stored. @param {string} clientId */
  remove(clientId) {
    const at = this.all.findIndex((each) => each.clientId === clientId);
    if (at < 0) return;
    const [{ target }] = this.all.splice(at, 1);
    this.ports.changed();
    this.pump(target);
  }

  /** A first message has made its conversation. @param {string} from @param {string} to */
  retarget(from, to) {
    for (const outgoing of this.of(from)) outgoing.target = to;
    this.pump(to);
  }

  /** There is a connection again: go on with everything. */
  resume() {
    for (const target of new Set(this.all.map((outgoing) => outgoing.target))) this.pump(target);
  }

  /** @param {string} target */
  pump(target) {
    const next = this.of(target).find(({ state }) => state !== "failed");
    if (next?.state === "pending") void this.deliver(next);
  }

  /** @param {Outgoing} outgoing */
  async deliver(outgoing) {
    outgoing.state = "sending";
    outgoing.tries += 1;
    try {
      const result = await this.ports.send(outgoing);
      this.ports.sent(outgoing, result);
      this.remove(outgoing.clientId);
    } catch (error) {
      this.undelivered(outgoing, error);
    }
  }

  /** @param {Outgoing} outgoing @param {unknown} error */
  undelivered(outgoing, error) {
    const { clock, random, changed } = this.ports;
    if (error instanceof LinkLost) {
      outgoing.state = "pending"; // `resume` goes on, with the same client_id
      outgoing.tries -= 1;
    } else if (isRetryable(error) && outgoing.tries < TRIES) {
      const after = error instanceof CommandRefused ? error.retryAfterMs : 0;
      clock.after(reconnectDelay(outgoing.tries, random, after), () => {
        if (outgoing.state !== "sending") return;
        outgoing.state = "pending";
        this.pump(outgoing.target);
      });
    } else {
      const cost = priceOf(error);
      Object.assign(outgoing, { state: "failed", words: wordsFor(error), cost });
      changed();
      this.pump(outgoing.target); // those behind it are not held back
    }
  }
}
