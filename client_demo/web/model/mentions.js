/**
 * Mentions: whom an "@" may name, whom a text names, and where.
 *
 * In a text a mention is "@" and a name; to the server it is a list of members. Who is in the
 * conversation is mentioned by writing their name, however it came there; anybody else, who would
 * thereby come to read, only by being chosen.
 */

import { others } from "./conversations.js";
import { ERASED } from "./people.js";

/** @typedef {import("../protocol/types.js").Profile} Profile */
/** @typedef {import("./state.js").State} State */
/** @typedef {{from: number, to: number, member: string}} Mention Where in a text, and of whom. */

const MOST = 50; // of a message; the rulebook's default
const FEWEST = 2; // characters, before somebody is offered who is not here
const BEFORE = /[\s([{"'“‘«]/u; // an "@" inside a word or an address is none
const WITHIN = /[\p{L}\p{N}_]/u; // a name that goes on is another's

/** Those in the open conversation that can be mentioned.
 * @param {State} state @returns {Profile[]} */
export function mentionable(state) {
  const held = state.conversations.get(state.openId);
  if (held === undefined) return [];
  const here = others(held, state.me).map(({ member }) => member);
  // Of a large one there is no roster: those who have written are known to be here.
  const wrote = state.timelines.get(held.id)?.messages.map(({ sender }) => sender) ?? [];
  const members = new Set(held.participants.length > 0 ? here : wrote);
  members.delete(state.me);
  members.delete(ERASED);
  return [...members].map((member) => state.people.get(member));
}

/**
 * Whom to offer for what stands behind an "@".
 * @param {State} state
 * @param {string} words
 * @returns {{profile: Profile, here: boolean}[]} Those in the conversation first.
 */
export function offered(state, words) {
  const here = mentionable(state).filter((profile) => begins(profile, words));
  const found = here.map((profile) => ({ profile, here: true }));
  const held = state.conversations.get(state.openId);
  if (held?.kind !== "group" || words.length < FEWEST) return found;
  const known = new Set([state.me, ...held.participants.map(({ member }) => member)]);
  for (const { member } of here) known.add(member);
  const away = state.people.besides((member) => known.has(member) || state.blocked.has(member));
  const more = away.filter((profile) => begins(profile, words));
  return [...found, ...more.map((profile) => ({ profile, here: false }))];
}

/** Whether one of their names, or their id, begins so.
 * @param {Profile} profile @param {string} words */
function begins({ member, name }, words) {
  const wanted = words.toLocaleLowerCase();
  const names = [name, ...name.split(/\s+/), member];
  return names.some((one) => one.toLocaleLowerCase().startsWith(wanted));
}

/**
 * What is being written as a mention: from an "@" up to the caret.
 * @param {string} text @param {number} caret
 * @returns {{from: number, words: string} | null}
 */
export function mentionAt(text, caret) {
  const from = text.lastIndexOf("@", caret - 1);
  if (from < 0 || caret === 0 || !standsAlone(text, from)) return null;
  const words = text.slice(from + 1, caret);
  // A name and a surname; a text goes on over more than that.
  return /^\S*( \S+)?$/u.test(words) ? { from, words } : null;
}

/**
 * Where a text names these.
 * @param {string} text @param {Profile[]} profiles @returns {Mention[]} In their order.
 */
export function mentionsIn(text, profiles) {
  // The longest first: "@Ada Okafor" is not "@Ada".
  const names = profiles
    .map(({ member, name }) => ({ member, name }))
    .sort((a, b) => b.name.length - a.name.length);
  /** @type {Mention[]} */
  const found = [];
  for (let from = text.indexOf("@"); from >= 0; from = text.indexOf("@", from + 1)) {
    if (!standsAlone(text, from)) continue;
    const named = names.find(({ name }) => name !== "" && isNamed(text, from + 1, name));
    if (named !== undefined)
      found.push({ from, to: from + 1 + named.name.length, member: named.member });
  }
  return found;
}

/**
 * Whom a text mentions.
 * @param {string} text
 * @param {State} state
 * @param {Profile[]} chosen Those whom its writer has chosen, perhaps from outside.
 */
export function mentionedIn(text, state, chosen) {
  const ids = new Set(chosen.map(({ member }) => member));
  const rest = mentionable(state).filter(({ member }) => !ids.has(member));
  const members = mentionsIn(text, [...chosen, ...rest]).map(({ member }) => member);
  return [...new Set(members)].slice(0, MOST);
}

/** @param {string} text @param {number} at */
function standsAlone(text, at) {
  return at === 0 || BEFORE.test(text[at - 1]);
}

/** @param {string} text @param {number} from @param {string} name */
function isNamed(text, from, name) {
  return text.startsWith(name, from) && !WITHIN.test(text[from + name.length] ?? "");
}
