/**
 * The messenger of one signed-in member: what views ask for, and what comes of it.
 *
 * Joins the link, the state, the reader and the outbox. Everything from outside (sockets, time,
 * chance, credentials) is handed in; views read `state` and listen to `changes`.
 */

import { Link } from "../net/link.js";
import { patiently } from "../net/patience.js";
import { wordsFor } from "../protocol/errors.js";
import { applyEvent, applyMessage } from "./events.js";
import { Outbox } from "./outbox.js";
import { Drafts } from "./own.js";
import { Presence } from "./presence.js";
import { Reader } from "./reader.js";
import { RecentEvents } from "./recent.js";
import { ReadMarker } from "./receipts.js";
import { Relations } from "./relations.js";
import { Rosters } from "./rosters.js";
import { State } from "./state.js";
import { TypingSender } from "./typing.js";
import { Ways } from "./ways.js";

/** @typedef {import("../protocol/types.js").Event} Event */
/** @typedef {import("../protocol/types.js").Fields} Fields */
/** @typedef {import("../protocol/types.js").Message} Message */
/** @typedef {import("../protocol/types.js").Settings} Settings */
/** @typedef {import("../protocol/types.js").Welcome} Welcome */
/** @typedef {import("./changes.js").Changes} Changes */
/** @typedef {import("./outbox.js").Outgoing} Outgoing */
/**
 * @typedef {object} MessengerPorts
 * @property {Changes} changes
 * @property {import("../net/socket.js").OpenSocket} openSocket
 * @property {import("../net/link.js").Credentials} credentials
 * @property {import("../net/clock.js").Clock} clock
 * @property {() => number} random
 * @property {() => string} newId
 * @property {string} device
 * @property {(message: Message) => void} arrived Somebody else's new message, live.
 * @property {(words: string) => void} problem Something asked for did not happen.
 */

const EDIT_WINDOW_MS = 3_600_000; // the rulebook's default; the server decides
const PAGES_SEARCHED = 25;
const DRAFT = "to:";

export class Messenger {
  /** @param {MessengerPorts} ports */
  constructor(ports) {
    const { clock, random, changes, newId } = ports;
    this.ports = ports;
    this.changes = changes;
    this.state = new State(clock, changes);
    this.recent = new RecentEvents();
    this.link = new Link({
      openSocket: ports.openSocket,
      clock,
      random,
      credentials: ports.credentials,
      device: ports.device,
      onState: (state) => {
        this.state.link = state;
        changes.changed("link");
        if (state.phase !== "live") void this.presence.look();
      },
      onReady: (welcome) => void this.readied(welcome),
      onEvent: (event) => this.happened(event),
    });
    const command = this.link.command.bind(this.link);
    this.ask = patiently(command, clock, random);
    this.reader = new Reader({
      state: this.state,
      recent: this.recent,
      ask: this.ask,
      now: clock.now,
      failed: (words) => {
        this.state.ready = false;
        if (this.link.state.phase === "live") this.link.lost(words);
      },
    });
    this.outbox = new Outbox({
      send: ({ target, body, subject, replyTo, mentions, clientId, maxCost }) =>
        command("message.send", {
          ...(target.startsWith(DRAFT)
            ? { to: target.slice(DRAFT.length) }
            : { conversation: target }),
          body,
          client_id: clientId,
          ...(subject && { subject }),
          ...(replyTo && { reply_to: replyTo }),
          ...(mentions.length > 0 && { mentions }),
          ...(maxCost > 0 ? { max_cost: maxCost } : {}),
        }),
      sent: (outgoing, result) => this.sent(outgoing, result),
      changed: () => changes.changed("timeline"),
      newId,
      random,
      clock,
    });
    const attempt = this.attempt.bind(this);
    this.relations = new Relations({ state: this.state, attempt, newId });
    this.rosters = new Rosters({ state: this.state, reader: this.reader, attempt, newId });
    this.ways = new Ways({
      state: this.state,
      reader: this.reader,
      ask: this.ask,
      attempt,
      problem: ports.problem,
    });
    this.presence = new Presence({
      state: this.state,
      quietly: this.quietly.bind(this),
      clock,
      serverNow: () => clock.now() + this.link.serverAhead,
    });
    this.marker = new ReadMarker((conversation, seq) => this.read(conversation, seq));
    this.drafts = new Drafts(
      clock,
      (conversation) => this.state.conversations.get(conversation)?.draft ?? "",
      (conversation, body) => {
        this.state.conversations.change(conversation, { draft: body });
        changes.changed("list");
        void this.quietly("draft.set", { conversation, body });
      },
    );
    this.typing = new TypingSender(clock, (cmd, conversation) => {
      if (this.state.settings.receipts) void this.quietly(cmd, { conversation });
    });
  }

  start() {
    void this.link.start();
  }

  stop() {
    this.link.stop();
    this.presence.stop();
    this.state.typing.clear();
  }

  // What views show

  /** Where a message written now would go. @returns {string | null} */
  get target() {
    const { open, openId } = this.state;
    return openId ?? (open !== null && "to" in open ? DRAFT + open.to : null);
  }

  /** Whether a message may still be edited or deleted, as far as this page can tell.
   * @param {Message} message */
  mayChange({ sender, sent_at: sentAt, deleted_at: deleted }) {
    const age = this.ports.clock.now() + this.link.serverAhead - sentAt;
    return sender === this.state.me && !deleted && age < EDIT_WINDOW_MS;
  }

  /** @param {string} conversation */
  isMuted(conversation) {
    return Boolean(this.state.conversations.get(conversation)?.muted);
  }

  // What views ask for

  /** @param {string} id */
  async openConversation(id) {
    this.typing.stop();
    const held = this.state.conversations.get(id);
    const unreadFrom = held !== undefined && held.unread > 0 ? held.read : Infinity;
    this.state.open = { conversation: id, unreadFrom };
    this.marker.atEnd = false; // the view says when it is
    this.changes.changed("open", "list", "timeline");
    if (this.state.link.phase === "live") await this.reader.opened(id);
    if (this.state.openId === id) this.look();
    const mark = this.state.conversations.get(id);
    if (mark?.unread_mark && this.state.openId === id) this.read(id, mark.read);
  }

  /** Open the one-to-one with a member, or an empty page for the first message to them.
   * @param {string} member */
  async openTo(member) {
    const { conversations } = this.state;
    for (let page = 0; page < PAGES_SEARCHED && conversations.next !== null; page += 1) {
      if (conversations.withMember(member) !== undefined) break;
      if (!(await this.reader.moreConversations())) break;
    }
    const held = conversations.withMember(member);
    if (held !== undefined) return this.openConversation(held.id);
    this.typing.stop();
    this.state.open = { to: member };
    this.changes.changed("open", "list", "timeline");
    this.look();
  }

  /** Ask about whom the open conversation is with. */
  look() {
    void this.ways.look();
    void this.presence.look();
  }

  closeConversation() {
    this.typing.stop();
    this.state.open = null;
    this.changes.changed("open", "list", "timeline");
    void this.presence.look();
  }

  async loadOlder() {
    if (this.state.openId !== null) await this.reader.history(this.state.openId);
  }

  /** @param {string} body @param {import("./outbox.js").About} [about] */
  send(body, about) {
    if (this.target === null) return;
    this.typing.sent();
    if (this.state.openId !== null) this.drafts.sent(this.state.openId);
    if (!this.outbox.add(this.target, body, about))
      this.ports.problem("Too many messages are waiting.");
  }

  /** @param {string} message @param {string} body */
  async edit(message, body) {
    this.typing.stop();
    const edited = await this.attempt("message.edit", { message, body });
    if (edited === null) return;
    applyMessage(this.state, /** @type {Message} */ (edited));
    this.changes.changed("list", "timeline");
  }

  /** @param {string} message */
  async delete(message) {
    await this.attempt("message.delete", { message }); // its event brings the tombstone
  }

  /** Add one's own reaction, or take it back. @param {Message} message @param {string} emoji */
  async react({ message, reactions = [] }, emoji) {
    const mine = reactions.find((one) => one.emoji === emoji)?.members?.includes(this.state.me);
    await this.attempt(mine ? "message.unreact" : "message.react", { message, emoji });
  }

  /** Change marks of one's own: muted, starred, archived, unread, reported.
   * @param {string} conversation @param {Record<string, boolean>} marks */
  async mark(conversation, marks) {
    await this.attempt("conversation.set", { conversation, ...marks }); // its event shows it
  }

  /** Delete a conversation for oneself. @param {string} conversation */
  async clear(conversation) {
    await this.attempt("conversation.clear", { conversation });
  }

  /** @param {string} conversation @param {string} reason @param {string} text */
  async report(conversation, reason, text) {
    const client_id = this.ports.newId();
    return this.attempt("report.send", { conversation, reason, text, client_id });
  }

  /**
   * Messages with these words, the newest first; a page may have few and still not be the last.
   * @param {string} query
   * @param {string} [before] What an earlier page gave as `next`.
   * @returns {Promise<{messages: Message[], next?: string} | null>}
   */
  async search(query, before) {
    const params = { query, limit: 40, ...(before && { before }) };
    const page = /** @type {any} */ (await this.attempt("message.search", params));
    if (page === null) return null;
    const unknown = new Set(page.messages.map((/** @type {Message} */ one) => one.conversation));
    for (const id of this.state.conversations.known.keys()) unknown.delete(id);
    await Promise.all([...unknown].map((id) => this.reader.conversation(id)));
    return page;
  }

  /** Change some of one's settings. @param {Partial<Settings>} settings */
  async set(settings) {
    await this.attempt("settings.set", settings); // its event changes what is shown
    this.changes.changed("settings");
  }

  /** Something was typed in the open conversation. */
  typed() {
    if (this.state.openId !== null) this.typing.typed(this.state.openId);
  }

  /** Whether the member can see the page, and the end of the open conversation.
   * @param {{visible?: boolean, atEnd?: boolean}} attention */
  attend(attention) {
    Object.assign(this.marker, attention);
    if (attention.visible !== undefined) this.presence.attend(attention.visible);
    if (attention.atEnd && this.state.openId !== null)
      this.state.timeline(this.state.openId).trim();
    this.considerRead();
  }

  // What happens

  /** @param {Welcome} welcome */
  async readied({ member, reset, limits = {} }) {
    this.marker.forget();
    const { state, reader } = this;
    const { open } = state;
    state.me = member;
    state.limits = limits;
    if (!state.ready || reset.length > 0) {
      await reader.everything();
    } else {
      if (state.openId !== null) await reader.opened(state.openId);
      await reader.wanted();
    }
    // It may have been opened before it was known whether there is a conversation already.
    if (open !== null && "to" in open && open === state.open) await this.openTo(open.to);
    else this.look();
    this.outbox.resume();
    this.considerRead();
  }

  /** @param {Event} event */
  happened(event) {
    this.recent.add(event);
    if (event.event === "message.created") {
      const { sender, client_id: clientId } = event.data;
      if (sender === this.state.me && clientId) this.outbox.remove(clientId);
      else if (sender !== this.state.me && !this.isMuted(event.data.conversation))
        this.ports.arrived(/** @type {Message} */ (event.data));
    }
    applyEvent(this.state, event);
    if (this.state.wanted.size > 0) void this.reader.wanted();
    this.ways.happened(event);
    this.presence.happened(event);
    this.considerRead();
  }

  /** @param {Outgoing} outgoing @param {Fields} result */
  sent({ target, body, subject, replyTo, mentions, clientId }, { duplicate, ...made }) {
    const { state } = this;
    const { conversation, message, seq, kind, sent_at } = made;
    // What a repeat answers with may have changed since; its events came or will come.
    if (!duplicate) {
      const fields = { conversation, message, seq, kind, sent_at, body, subject, mentions };
      const answers = replyTo && { reply_to: replyTo };
      const mine = { sender: state.me, client_id: clientId, rev: 0, reactions: [] };
      applyMessage(state, { ...fields, ...answers, ...mine });
    }
    if (target.startsWith(DRAFT)) {
      this.outbox.retarget(target, conversation);
      if (this.target === target) void this.openConversation(conversation);
    }
    if (state.wanted.size > 0) void this.reader.wanted();
    this.changes.changed("list", "timeline");
  }

  considerRead() {
    const { openId, conversations, timelines } = this.state;
    const held = conversations.get(openId);
    const last = openId === null ? undefined : timelines.get(openId)?.last;
    if (held === undefined || last === undefined || held.unread === 0) return;
    this.marker.consider(held.id, last.seq, held.read);
  }

  /** @param {string} conversation @param {number} seq */
  read(conversation, seq) {
    void this.quietly("receipt.read", { conversation, seq }).then((result) => {
      if (result === null) return this.marker.forget(); // told again with the next occasion
      this.state.conversations.readTo(conversation, result.read);
      this.changes.changed("list");
    });
  }

  /**
   * A command that a person asked for: its failure is shown.
   * @param {string} cmd
   * @param {Fields} params
   * @param {(words: string) => void} [problem] Where its failure is shown.
   * @returns {Promise<Fields | null>}
   */
  async attempt(cmd, params, problem = this.ports.problem) {
    try {
      return await this.ask(cmd, params);
    } catch (error) {
      problem(wordsFor(error));
      return null;
    }
  }

  /**
   * A command of the page's own, whose failure heals by itself and is nobody's concern.
   * @param {string} cmd
   * @param {Fields} params
   * @returns {Promise<Fields | null>}
   */
  async quietly(cmd, params) {
    try {
      return await this.link.command(cmd, params);
    } catch {
      return null;
    }
  }
}
