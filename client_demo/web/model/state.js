/**
 * Everything this page knows, as one value that views read and events change.
 *
 * It asks nothing of the server and decides nothing: reading is the reader's, writing the
 * messenger's.
 */

import { Conversations } from "./conversations.js";
import { People } from "./people.js";
import { Timeline } from "./timeline.js";
import { TypingBoard } from "./typing.js";

/** @typedef {import("../protocol/types.js").Group} Group */
/** @typedef {import("../protocol/types.js").Invitation} Invitation */
/** @typedef {import("../protocol/types.js").Profile} Profile */
/** @typedef {import("../protocol/types.js").Settings} Settings */
/** @typedef {import("../protocol/types.js").Way} Way */
/** @typedef {import("../net/clock.js").Clock} Clock */
/** @typedef {import("../net/link.js").LinkState} LinkState */
/**
 * What is open: a conversation, or one with a member that has no message yet.
 * @typedef {{conversation: string, unreadFrom: number} | {to: string}} Open
 *
 * @typedef {object} Explained What the server says of writing to a member.
 * @property {string} member
 * @property {Way[]} ways None where it says why there is none.
 * @property {string} words Why nothing can be said of the ways; empty otherwise.
 *
 * @typedef {object} Notice What happened between messages; seen live only.
 * @property {number} afterSeq
 * @property {string} text
 */

const TIMELINES_KEPT = 12;
const NOTICES_KEPT = 50;

export class State {
  /**
   * @param {Clock} clock
   * @param {import("./changes.js").Changes} changes
   */
  constructor(clock, changes) {
    /** Whose token it is: known once the server has said so. */
    this.me = "";
    this.changes = changes;
    this.people = new People();
    this.conversations = new Conversations();
    this.typing = new TypingBoard(clock, () => changes.changed("typing"));
    /** @type {Map<string, Timeline>} The least recently opened first. */
    this.timelines = new Map();
    /** @type {Map<string, Notice[]>} */
    this.notices = new Map();
    /** @type {Map<string, Profile>} */
    this.connections = new Map();
    /** @type {Map<string, Invitation>} Those received and not answered. */
    this.invitations = new Map();
    /** @type {Map<string, string>} Those sent and not answered: invitation → whom it asks. */
    this.invited = new Map();
    /** @type {Map<string, Profile>} Whom oneself blocks. */
    this.blocked = new Map();
    /** @type {Group[]} Those one is in, as last read: no event tells of them. */
    this.groups = [];
    /** @type {Explained | null} Of whom the open conversation is with. */
    this.explained = null;
    /** @type {import("./presence.js").Seen | null} Of whom the open conversation is with. */
    this.presence = null;
    /** @type {number | null} One's credits, once something has told of them. */
    this.balance = null;
    /** @type {Settings} */
    this.settings = { receipts: true };
    /** @type {import("../protocol/types.js").Fields} What the server says it allows. */
    this.limits = {};
    /** @type {Open | null} */
    this.open = null;
    /** @type {LinkState} */
    this.link = { phase: "idle" };
    /** Whether the first reading is done. */
    this.ready = false;
    /** @type {Set<string>} Conversations that an event named and that are to be read. */
    this.wanted = new Set();
  }

  /** The id of the open conversation. @returns {string | null} */
  get openId() {
    return this.open !== null && "conversation" in this.open ? this.open.conversation : null;
  }

  /** The timeline of a conversation, made if need be. @param {string} id */
  timeline(id) {
    const timeline = this.timelines.get(id) ?? new Timeline();
    this.timelines.delete(id);
    this.timelines.set(id, timeline);
    for (const old of this.timelines.keys()) {
      if (this.timelines.size <= TIMELINES_KEPT) break;
      this.timelines.delete(old);
    }
    return timeline;
  }

  /** @param {string} id @param {string} text */
  notice(id, text) {
    const afterSeq = this.conversations.get(id)?.seq ?? 0;
    const kept = [...(this.notices.get(id) ?? []), { afterSeq, text }];
    this.notices.set(id, kept.slice(-NOTICES_KEPT));
  }

  /** The server could not say what was missed: forget what only events kept true. */
  reset() {
    this.conversations = new Conversations();
    this.timelines.clear();
    this.notices.clear();
    this.typing.clear();
    this.connections.clear();
    this.invitations.clear();
    this.invited.clear();
    this.blocked.clear();
    this.balance = null;
    this.ready = false;
  }
}
