/** Who is in a conversation and what it is called: beginning one, and changing it. */

import { others, roleIn } from "./conversations.js";
import { leadsSome } from "./ways.js";

/** @typedef {import("../protocol/types.js").Conversation} Conversation */
/** @typedef {import("../protocol/types.js").Fields} Fields */
/** @typedef {import("../protocol/types.js").Profile} Profile */
/** @typedef {import("./reader.js").Reader} Reader */
/** @typedef {import("./state.js").State} State */
/** @typedef {(words: string) => void} Say Where to say that something did not happen. */

/**
 * Whether one may change who is in an open conversation of several, and its title: anybody in it,
 * of a group's those who lead the group.
 * @param {Conversation | undefined} conversation
 * @param {State} state
 */
export function changesRoster(conversation, state) {
  if (conversation === undefined || conversation.kind === "one_to_one") return false;
  const role = roleIn(conversation, state.me);
  if (conversation.state !== "open" || role === "viewer") return false;
  // In a large one roles are not told.
  const large = conversation.participants.length === 0;
  return conversation.kind !== "group" || role === "manager" || (large && leadsSome(state));
}

/** Whether one may bring others in; between two connections that begins a conversation of all.
 * @param {Conversation | undefined} conversation @param {State} state */
export function addsPeople(conversation, state) {
  if (conversation?.kind !== "one_to_one") return changesRoster(conversation, state);
  const [other] = others(conversation, state.me);
  return conversation.state === "open" && state.connections.has(other?.member);
}

/**
 * Whom one may try to bring in: one's connections, in a group's conversation whoever is known;
 * which of them are in the group is not.
 * @param {Conversation} conversation @param {State} state @returns {Profile[]}
 */
export function newcomersTo({ kind, participants }, { connections, people, blocked, me }) {
  // Who was mentioned and only reads can still be made a participant.
  const talking = participants.filter(({ role }) => role !== "viewer");
  const here = new Set(talking.map(({ member }) => member));
  if (kind !== "group") return [...connections.values()].filter((one) => !here.has(one.member));
  return people.besides((member) => member === me || here.has(member) || blocked.has(member));
}

export class Rosters {
  /**
   * @param {object} ports
   * @param {State} ports.state
   * @param {Reader} ports.reader
   * @param {(cmd: string, params: Fields, problem?: Say) => Promise<Fields | null>} ports.attempt
   * @param {() => string} ports.newId
   */
  constructor(ports) {
    this.ports = ports;
  }

  /**
   * With connections; a group's with members of it, with none an announcement to all of it.
   * @param {string[]} members @param {string} title @param {string} [group] @param {Say} [problem]
   * @returns {Promise<string | null>} Its id.
   */
  async start(members, title, group, problem) {
    const { reader, attempt, newId } = this.ports;
    const params = { members, title, client_id: newId(), ...(group && { group }) };
    const result = await attempt("conversation.start", params, problem);
    if (result === null) return null;
    await reader.conversation(result.conversation);
    return result.conversation;
  }

  /**
   * Bring members in, one after the other; the first into a conversation of two makes a new one,
   * which the others come into.
   * @param {string} conversation
   * @param {Set<string>} members Who is in is taken out of it.
   * @param {Say} problem
   * @returns {Promise<string | null>} Where they are; null where it is this one and somebody did
   *   not come in.
   */
  async add(conversation, members, problem) {
    const { reader, attempt, newId } = this.ports;
    let into = conversation;
    for (const member of members) {
      const params = { conversation: into, member, client_id: newId() };
      // Once there is a new one, that is where one looks.
      const say = into === conversation ? problem : undefined;
      const result = await attempt("conversation.add", params, say);
      if (result === null) break;
      into = result.conversation;
      members.delete(member);
    }
    if (into === conversation) return members.size === 0 ? into : null;
    await reader.conversation(into); // a new one is there, even if not all of them are in it
    return into;
  }

  /** @param {string} conversation @param {string} member */
  async remove(conversation, member) {
    // Its event changes what is shown.
    await this.ports.attempt("conversation.remove", { conversation, member });
  }

  /** @param {string} conversation @param {string} title */
  async rename(conversation, title) {
    await this.ports.attempt("conversation.rename", { conversation, title });
  }

  /** @param {string} conversation */
  async leave(conversation) {
    await this.ports.attempt("conversation.leave", { conversation });
  }
}
