/**
 * Which ways lead to whom one is writing to, what one may write where one is, and one's credits.
 *
 * What is known here is for the writer's eyes. The server decides each message anew, and refuses
 * one that would cost something until its writer agrees to that.
 */

import { CommandRefused, LinkLost } from "../protocol/errors.js";
import { others, roleIn } from "./conversations.js";

/** @typedef {import("../protocol/types.js").Conversation} Conversation */
/** @typedef {import("../protocol/types.js").Event} Event */
/** @typedef {import("../protocol/types.js").Fields} Fields */
/** @typedef {import("../protocol/types.js").LedgerEntry} LedgerEntry */
/** @typedef {import("../protocol/types.js").Way} Way */
/** @typedef {import("./reader.js").Reader} Reader */
/** @typedef {import("./state.js").State} State */
/**
 * @typedef {object} Writing What one may write in the open conversation.
 * @property {boolean} may
 * @property {Why} why Why not; empty where one may.
 * @property {Way | null} fresh The way that a message would take, if it were a new approach.
 * @property {Way[]} ways All of them, as far as they are known.
 *
 * @typedef {"" | "left" | "viewer" | "managers" | "blocked" | "request" | "closed" | "unreachable"
 *   | "nothing"} Why
 */

const LEDGER_PAGE = 20;
/** After these another way may be open than before. */
const OPENING = new Set([
  "block.changed",
  "connection.added",
  "connection.removed",
  "conversation.closed",
  "credits.changed",
  "request.answered",
]);

/** Whom the open conversation of two is with. @param {State} state @returns {string | null} */
export function otherIn(state) {
  const { open, openId, me } = state;
  if (open !== null && "to" in open) return open.to;
  const held = state.conversations.get(openId);
  if (held?.kind !== "one_to_one") return null;
  return others(held, me)[0]?.member ?? null;
}

/** Whether one leads a group, and perhaps its conversations. @param {State} state */
export function leadsSome({ groups }) {
  return groups.some(({ role }) => role !== "member");
}

/** @param {State} state @returns {Writing} */
export function writingIn(state) {
  const held = state.conversations.get(state.openId);
  const other = otherIn(state);
  if (other === null) return because(held === undefined ? "" : amongSeveral(held, state));
  if (state.blocked.has(other)) return because("blocked");
  if (state.connections.has(other)) return because("");
  const explained = state.explained?.member === other ? state.explained : null;
  const ways = explained?.ways ?? [];
  const open = ways.find(({ allowed }) => allowed) ?? null;
  // What an answer has opened goes on in the kind that it began in.
  const goesOn = held?.state === "open" && held.last?.kind === open?.kind && open?.cost === 0;
  const fresh = goesOn ? null : open;
  if (held?.state === "request") {
    const mine = held.last?.sender === state.me;
    return { ...because(mine ? "request" : ""), ways };
  }
  if (held?.state === "closed") return { ...because("closed"), fresh, ways };
  if (explained?.words) return because("unreachable");
  if (ways.length > 0 && open === null) return { ...because("nothing"), ways };
  return { ...because(""), fresh, ways };
}

/** @param {Conversation} conversation @param {State} state @returns {Why} */
function amongSeveral(conversation, state) {
  const { participants, participant_count: count = 0 } = conversation;
  if (conversation.state === "closed") return "left";
  if (roleIn(conversation, state.me) === "viewer") return "viewer";
  // Of a large one there is no roster, so that nobody's role in it is known.
  const large = count > participants.filter(({ role }) => role !== "viewer").length;
  return conversation.kind === "group" && large && !leadsSome(state) ? "managers" : "";
}

/** @param {Why} why @returns {Writing} */
function because(why) {
  return { may: why === "", why, fresh: null, ways: [] };
}

export class Ways {
  /**
   * @param {object} ports
   * @param {State} ports.state
   * @param {Reader} ports.reader
   * @param {(cmd: string, params: Fields) => Promise<any>} ports.ask
   * @param {(cmd: string, params: Fields) => Promise<Fields | null>} ports.attempt
   * @param {(words: string) => void} ports.problem
   */
  constructor(ports) {
    this.ports = ports;
    this.looks = 0; // an answer to an earlier question is not shown
  }

  /** Ask which ways lead to whom one writes to, where that is no connection. */
  async look() {
    const { state } = this.ports;
    const member = otherIn(state);
    this.looks += 1;
    const mine = this.looks;
    const known = member === null || state.connections.has(member) || state.blocked.has(member);
    const asks = member !== null && !known;
    if (state.explained !== null && (!asks || state.explained.member !== member)) this.show(null);
    if (!asks || !state.ready || state.link.phase !== "live") return;
    const explained = await this.explained(member);
    if (mine === this.looks && explained !== null) this.show(explained);
  }

  /** @param {string} member @returns {Promise<import("./state.js").Explained | null>} */
  async explained(member) {
    const { state, ask } = this.ports;
    try {
      const { ways = [] } = await ask("explain", { to: member });
      const costs = ways.some((/** @type {Way} */ { cost }) => cost > 0);
      if (costs) state.balance = (await ask("credits.get", { limit: 1 })).balance;
      return { member, ways, words: "" };
    } catch (error) {
      if (error instanceof LinkLost) return null; // asked again once there is a connection
      if (!(error instanceof CommandRefused)) throw error;
      return error.retryable ? null : { member, ways: [], words: error.message };
    }
  }

  /** @param {import("./state.js").Explained | null} explained */
  show(explained) {
    const { state } = this.ports;
    state.explained = explained;
    state.changes.changed("ways");
  }

  /** Look again where another way may be open now. @param {Event} event */
  happened({ event, data }) {
    const { state } = this.ports;
    const wrote =
      event === "message.created" &&
      data.sender !== state.me &&
      data.conversation === state.openId;
    if (OPENING.has(event) || wrote) void this.look();
  }

  /** Answer a message request. @param {string} conversation @param {boolean} accept */
  async answer(conversation, accept) {
    const cmd = accept ? "request.accept" : "request.decline";
    await this.ports.attempt(cmd, { conversation }); // its event has the conversation read again
  }

  /** End what an answer or an Open Profile has opened, which both are told.
   * @param {string} conversation */
  async close(conversation) {
    const { state, reader, attempt, problem } = this.ports;
    if ((await attempt("conversation.close", { conversation })) === null) return;
    await reader.conversation(conversation);
    // Nothing is changed, and nobody told, where there was nothing open any more.
    if (state.conversations.get(conversation)?.state === "open")
      problem("There was nothing open between you that could be closed.");
  }

  /**
   * One's credits and what became of them, the newest first.
   * @param {string} [before] What an earlier page gave as `next`.
   * @returns {Promise<{balance: number, entries: LedgerEntry[], next?: string} | null>}
   */
  async ledger(before) {
    const { state, attempt } = this.ports;
    const params = { limit: LEDGER_PAGE, ...(before && { before }) };
    const page = /** @type {any} */ (await attempt("credits.get", params));
    if (page === null) return null;
    state.balance = page.balance;
    state.changes.changed("credits");
    return page;
  }
}
