/**
 * What one has marked for oneself in a conversation, which list it belongs to, and one's drafts.
 *
 * Archived and cleared are kept as the number of the last message of that time: a later one brings
 * the conversation back, whichever of the two is heard of first.
 */

/** @typedef {import("../net/clock.js").Clock} Clock */
/** @typedef {import("../protocol/types.js").Conversation} Conversation */
/** @typedef {import("../protocol/types.js").Fields} Fields */
/** @typedef {import("./state.js").State} State */
/** @typedef {keyof typeof LISTS} List */

/** The lists that there are, by what each is called. */
export const LISTS = {
  all: "Inbox",
  unread: "Unread",
  requests: "Requests",
  starred: "Starred",
  archived: "Archived",
  reported: "Reported",
};
const PAUSE_MS = 1_500; // a draft is kept once its writer pauses

/** @param {Conversation} conversation */
export function isArchived({ archived_seq: archived = -1, seq }) {
  return archived >= seq;
}

/** Whether a message request waits here for oneself.
 * @param {Conversation} conversation @param {string} me */
export function asksMe({ state, last }, me) {
  return state === "request" && Boolean(last) && last?.sender !== me;
}

/** @param {Conversation} conversation @param {List} list @param {string} [me] */
export function belongs(conversation, list, me = "") {
  const { cleared_seq: cleared = -1, seq, reported, starred, unread, unread_mark } = conversation;
  if (cleared >= seq || Boolean(reported) !== (list === "reported")) return false;
  if (list === "reported") return true;
  if (list === "starred") return Boolean(starred);
  if (isArchived(conversation) !== (list === "archived")) return false;
  if (list === "requests") return asksMe(conversation, me);
  return list !== "unread" || unread > 0 || Boolean(unread_mark);
}

/** `conversation.changed`: all marks as they are now. @param {State} state @param {Fields} data */
export function takeMarks(state, data) {
  const { conversation: id, muted, starred, unread_mark, reported } = data;
  const { archived_seq, cleared_seq = -1 } = data;
  const held = state.conversations.get(id);
  if (held === undefined) {
    state.wanted.add(id);
    return ["list"];
  }
  const marks = { muted, starred, unread_mark, reported, archived_seq, cleared_seq };
  const gone = held.last && held.last.seq <= cleared_seq;
  state.conversations.change(id, { ...marks, ...(gone && { last: null }) });
  state.timelines.get(id)?.forget(cleared_seq);
  return ["list", "timeline"];
}

/** `draft.changed`, on this device or another. @param {State} state @param {Fields} data */
export function takeDraft(state, { conversation, body }) {
  state.conversations.change(conversation, { draft: body });
  return ["list", "drafts"];
}

/** Keeps what is being written, on the server, once its writer pauses or goes elsewhere. */
export class Drafts {
  /**
   * @param {Clock} clock
   * @param {(conversation: string) => string} known What the server has.
   * @param {(conversation: string, body: string) => void} save
   */
  constructor(clock, known, save) {
    this.clock = clock;
    this.known = known;
    this.save = save;
    /** @type {{conversation: string, body: string, cancel: () => void} | null} */
    this.waiting = null;
  }

  /** @param {string} conversation @param {string} body All that stands there now. */
  typed(conversation, body) {
    if (this.waiting !== null && this.waiting.conversation !== conversation) this.flush();
    this.waiting?.cancel();
    const cancel = this.clock.after(PAUSE_MS, () => this.flush());
    this.waiting = { conversation, body, cancel };
  }

  /** The field was left: keep what waits at once. */
  flush() {
    const { waiting } = this;
    this.waiting = null;
    waiting?.cancel();
    if (waiting !== null) this.put(waiting.conversation, waiting.body);
  }

  /** What stood there was sent. @param {string} conversation */
  sent(conversation) {
    this.waiting?.cancel();
    this.waiting = null;
    this.put(conversation, "");
  }

  /** @param {string} conversation @param {string} text */
  put(conversation, text) {
    const body = text.trim() === "" ? "" : text;
    if (body !== this.known(conversation)) this.save(conversation, body);
  }
}
