/**
 * Reads state from the server and lays later events over it.
 *
 * Whatever is read is as of its `at`; events that came meanwhile are applied again on top, so
 * that a slow answer never takes back what is already known.
 */

import { CommandRefused, LinkLost } from "../protocol/errors.js";
import { applyEvent, takeSettings } from "./events.js";

/** @typedef {import("../protocol/types.js").At} At */
/** @typedef {import("../protocol/types.js").Conversation} Conversation */
/** @typedef {import("../protocol/types.js").Fields} Fields */
/** @typedef {import("./recent.js").RecentEvents} RecentEvents */
/** @typedef {import("./state.js").State} State */
/** @typedef {(cmd: string, params: Fields) => Promise<any>} Ask */

const LIST_PAGE = 40;
const HISTORY_PAGE = 40;
const WHOLE_PAGE = 200; // the most that the server gives
const MOST_PAGES = 10; // of people to choose from; who knows more than 2,000 is not shown the rest

export class Reader {
  /**
   * @param {object} ports
   * @param {State} ports.state
   * @param {RecentEvents} ports.recent
   * @param {Ask} ports.ask
   * @param {() => number} ports.now
   * @param {(words: string) => void} ports.failed What is shown can no longer be trusted.
   */
  constructor({ state, recent, ask, now, failed }) {
    this.state = state;
    this.recent = recent;
    this.ask = ask;
    this.now = now;
    this.failed = failed;
    /** @type {Map<string, Promise<boolean>>} What is being read: nothing is read twice at once. */
    this.running = new Map();
  }

  /** Everything a first start needs, in place of all that was known before. */
  everything() {
    return this.once("everything", () => this.readEverything());
  }

  async readEverything() {
    const { state } = this;
    const [list, connections, invitations, blocks, { groups = [] }, settings] = await Promise.all([
      this.ask("conversation.list", { limit: LIST_PAGE }),
      this.pages("connection.list", "members"),
      this.pages("invitation.list", "invitations"),
      this.pages("block.list", "members"),
      this.ask("group.list", {}),
      this.ask("settings.get", {}),
    ]);
    state.reset();
    state.people.learn([...connections.items, ...blocks.items]);
    for (const profile of connections.items) state.connections.set(profile.member, profile);
    this.takeInvitations(invitations.items);
    for (const profile of blocks.items) state.blocked.set(profile.member, profile);
    state.groups = groups;
    takeSettings(state, settings);
    this.takeList(list);
    state.ready = true;
    state.changes.changed("list", "connections", "invitations", "blocks", "settings");
    state.changes.changed("groups", "timeline");
    // Each was read at its own moment: from the earliest on, applying twice is harmless.
    this.replay(earliest([list.at, connections.at, invitations.at, blocks.at]));
    if (state.openId !== null) await this.opened(state.openId);
    await this.wanted();
  }

  /**
   * A whole list, page by page, as of its first page.
   * @param {string} cmd
   * @param {string} field What its result calls the list.
   * @returns {Promise<{items: any[], at: At}>}
   */
  async pages(cmd, field) {
    const first = await this.ask(cmd, { limit: WHOLE_PAGE });
    const items = [...(first[field] ?? [])];
    let { next } = first;
    for (let page = 1; next && page < MOST_PAGES; page += 1) {
      const more = await this.ask(cmd, { limit: WHOLE_PAGE, before: next });
      items.push(...more[field]);
      next = more.next;
    }
    return { items, at: first.at };
  }

  /** What an open conversation needs and is not here yet. @param {string} id */
  async opened(id) {
    if (this.state.conversations.get(id) === undefined) await this.conversation(id);
    if (this.state.conversations.get(id) === undefined) return;
    if (!this.state.timeline(id).loaded) await this.history(id);
  }

  /** An older page of the list. */
  moreConversations() {
    const before = this.state.conversations.next;
    if (before === null) return Promise.resolve(true);
    return this.once("list", async () => {
      this.takeList(await this.ask("conversation.list", { limit: LIST_PAGE, before }));
    });
  }

  /** What a list other than the inbox shows, as far as one page goes. @param {string} filter */
  list(filter) {
    return this.once(`list:${filter}`, async () => {
      const { conversations } = await this.ask("conversation.list", { limit: WHOLE_PAGE, filter });
      this.learn(conversations);
      for (const one of conversations) this.state.conversations.put(one, 0);
      this.state.changes.changed("list");
      for (const { at } of conversations) this.replay(at);
    });
  }

  /** Who has asked whom, read anew: of one's own no event tells one's other devices. */
  invitations() {
    return this.once("invitations", async () => {
      const { items, at = {} } = await this.pages("invitation.list", "invitations");
      this.takeInvitations(items);
      this.state.changes.changed("invitations", "ways");
      this.replay(at);
    });
  }

  /** @param {import("../protocol/types.js").Invitation[]} all */
  takeInvitations(all) {
    const { invitations, invited, me } = this.state;
    invitations.clear();
    invited.clear();
    for (const one of all) {
      if (one.to === me) invitations.set(one.invitation, one);
      else invited.set(one.invitation, one.to);
    }
  }

  /** The groups one is in, which no event tells of. */
  groups() {
    return this.once("groups", async () => {
      const { groups = [] } = await this.ask("group.list", {});
      this.state.groups = groups;
      this.state.changes.changed("groups");
    });
  }

  /** Conversations that events named. */
  async wanted() {
    const { wanted } = this.state;
    /** @type {string[]} */
    const interrupted = [];
    // Reading lays events over what it read, which may name further ones.
    while (wanted.size > 0) {
      const ids = [...wanted];
      wanted.clear();
      const done = await Promise.all(ids.map((id) => this.conversation(id)));
      interrupted.push(...ids.filter((_, at) => !done[at]));
    }
    for (const id of interrupted) wanted.add(id);
  }

  /** @param {string} id */
  conversation(id) {
    return this.once(`get:${id}`, async () => {
      const conversation = await this.ask("conversation.get", { conversation: id });
      this.learn([conversation]);
      this.state.conversations.put(conversation, this.now());
      this.state.changes.changed("list", "timeline");
      this.replay(conversation.at);
    });
  }

  /** The newest page of a conversation's messages, or the one before those that are here.
   * @param {string} id */
  history(id) {
    return this.once(`history:${id}`, async () => {
      const timeline = this.state.timeline(id);
      const before = timeline.loaded ? timeline.first?.seq : undefined;
      const page = { conversation: id, limit: HISTORY_PAGE, ...(before && { before }) };
      const { messages, more, at } = await this.ask("conversation.history", page);
      timeline.putPage(messages, more);
      this.state.changes.changed("timeline");
      this.replay(at);
    });
  }

  /** @param {Fields} list */
  takeList({ conversations, next }) {
    this.learn(conversations);
    this.state.conversations.putPage(conversations, next ?? null);
    this.state.changes.changed("list");
    for (const { at } of conversations) this.replay(at);
  }

  /** @param {Conversation[]} conversations */
  learn(conversations) {
    for (const { id, participants, cleared_seq: cleared = -1 } of conversations) {
      this.state.people.learn(participants);
      this.state.timelines.get(id)?.forget(cleared);
    }
  }

  /** @param {At} at */
  replay(at) {
    const events = this.recent.after(at);
    if (events === null) this.failed("Too much happened at once: reading it again.");
    else for (const event of events) applyEvent(this.state, event, true);
  }

  /**
   * Run it, or wait for it where it is running already.
   * @param {string} name
   * @param {() => Promise<void>} run
   * @returns {Promise<boolean>} False if the connection's end interrupted it: ask again after
   *   the next one begins.
   */
  once(name, run) {
    const running =
      this.running.get(name) ?? this.run(run).finally(() => this.running.delete(name));
    this.running.set(name, running);
    return running;
  }

  /** @param {() => Promise<void>} run */
  async run(run) {
    try {
      await run();
    } catch (error) {
      if (error instanceof LinkLost) return false;
      if (!(error instanceof CommandRefused)) throw error;
      // Out of reach is an answer; anything else leaves a hole in what is shown.
      if (error.code !== "unreachable") this.failed(error.message);
    }
    return true;
  }
}

/** @param {(At | undefined)[]} ats @returns {At} For each topic, the earliest position. */
function earliest(ats) {
  /** @type {At} */
  const all = {};
  for (const at of ats) {
    for (const [topic, pos] of Object.entries(at ?? {}))
      all[topic] = Math.min(pos, all[topic] ?? pos);
  }
  return all;
}
