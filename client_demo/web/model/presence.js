/**
 * Whether the one that the open conversation is with is there, as far as both let it be seen.
 *
 * Asked when it is opened and now and then while it is in sight. Only of connections, and only
 * while one's own active status is on: of anybody else the server says nothing.
 */

import { otherIn } from "./ways.js";

/** @typedef {import("../protocol/types.js").Event} Event */
/** @typedef {import("../protocol/types.js").Fields} Fields */
/** @typedef {import("./state.js").State} State */
/**
 * @typedef {object} Seen
 * @property {string} member
 * @property {boolean} active
 * @property {number} agoMs Since they last were, when it was asked.
 */

const EVERY_MS = 60_000;
/** After these something else may be seen than before. */
const CHANGING = new Set([
  "block.changed",
  "connection.added",
  "connection.removed",
  "settings.changed",
]);

export class Presence {
  /**
   * @param {object} ports
   * @param {State} ports.state
   * @param {(cmd: string, params: Fields) => Promise<Fields | null>} ports.quietly
   * @param {import("../net/clock.js").Clock} ports.clock
   * @param {() => number} ports.serverNow
   */
  constructor(ports) {
    this.ports = ports;
    this.visible = true;
    this.looks = 0; // an answer to an earlier question is not shown
    this.cancel = () => {};
  }

  /** Ask, and go on asking. What cannot be seen any more is shown no longer. */
  async look() {
    const { state, quietly, clock } = this.ports;
    this.stop();
    const mine = this.looks;
    const member = otherIn(state);
    const asks = member !== null && this.may(member);
    if (!asks || state.presence?.member !== member) this.show(null);
    if (!asks || !this.visible || !state.ready) return;
    const answer = await quietly("presence.get", { members: [member] });
    if (mine !== this.looks) return;
    this.show(answer === null ? null : this.seen(member, answer.members?.[member]));
    this.cancel = clock.after(EVERY_MS, () => void this.look());
  }

  /** @param {string} member */
  may(member) {
    const { connections, blocked, settings, link } = this.ports.state;
    const shared = connections.has(member) && !blocked.has(member);
    return shared && settings.active_status !== false && link.phase === "live";
  }

  /** @param {string} member @param {Fields} [said] @returns {Seen | null} */
  seen(member, { active = false, last_active: last } = {}) {
    if (!active && last === undefined) return null;
    return { member, active, agoMs: active ? 0 : this.ports.serverNow() - last };
  }

  /** @param {Seen | null} seen */
  show(seen) {
    const { state } = this.ports;
    if (state.presence === seen) return;
    state.presence = seen;
    state.changes.changed("presence");
  }

  /** Whether the page can be seen. @param {boolean} visible */
  attend(visible) {
    this.visible = visible;
    if (visible) void this.look();
    else this.stop();
  }

  /** @param {Event} event */
  happened({ event }) {
    if (CHANGING.has(event)) void this.look();
  }

  stop() {
    this.looks += 1;
    this.cancel();
    this.cancel = () => {};
  }
}
