/**
 * Notices a connection that is up and says nothing.
 *
 * A browser cannot send WebSocket pings, so after a silence it sends the command `ping`; if
 * nothing at all comes back in time the connection counts as lost.
 */

/** @typedef {import("./clock.js").Clock} Clock */

const ANSWER_WITHIN_MS = 10_000;

export class Heartbeat {
  /**
   * @param {object} ports
   * @param {Clock} ports.clock
   * @param {() => number} ports.random
   * @param {() => void} ports.ping
   * @param {() => void} ports.lost
   */
  constructor({ clock, random, ping, lost }) {
    this.clock = clock;
    this.random = random;
    this.ping = ping;
    this.lost = lost;
    this.everyMs = 0;
    this.heardAt = 0;
    /** @type {(() => void) | null} */
    this.cancel = null;
  }

  /** @param {number} everyMs Ping after a silence of about this long. */
  start(everyMs) {
    this.stop();
    this.everyMs = everyMs;
    this.heard();
    this.watch();
  }

  stop() {
    this.cancel?.();
    this.cancel = null;
  }

  /** Some frame came in. */
  heard() {
    this.heardAt = this.clock.now();
  }

  /** Ask now, whatever the silence: the machine may have slept, or changed networks. */
  probe() {
    if (this.cancel === null) return;
    this.cancel();
    const askedAt = this.clock.now();
    this.ping();
    this.cancel = this.clock.after(ANSWER_WITHIN_MS, () => {
      if (this.heardAt >= askedAt) return this.watch();
      this.cancel = null;
      this.lost();
    });
  }

  watch() {
    // Up to a fifth early, so that a crowd that connected together does not ping together.
    const silence = this.everyMs * (1 - 0.2 * this.random());
    const due = Math.max(0, this.heardAt + silence - this.clock.now());
    this.cancel = this.clock.after(due, () => {
      if (this.clock.now() - this.heardAt < this.everyMs * 0.8) this.watch();
      else this.probe();
    });
  }
}
