import { Changes } from "/assets/model/changes.js";
import { applyEvent } from "/assets/model/events.js";
import { Drafts, belongs, isArchived } from "/assets/model/own.js";
import { State } from "/assets/model/state.js";
import { StandingClock, equal, message, truly } from "./assert.js";

const conversation = (more = {}) => ({
  id: "c",
  kind: "one_to_one",
  seq: 3,
  read: 3,
  unread: 0,
  state: "open",
  last: message(3),
  participants: [],
  ...more,
});
const marks = (more = {}) => ({
  conversation: "c",
  muted: false,
  starred: false,
  archived: false,
  unread_mark: false,
  reported: false,
  ...more,
});

function freshState() {
  const state = new State(new StandingClock(), new Changes(() => {}));
  state.me = "ada";
  state.conversations.put(conversation(), 0);
  state.timeline("c").putPage([1, 2, 3].map((seq) => message(seq)), false);
  return state;
}
const happen = (state, event, data) => applyEvent(state, { event, topic: "member:ada", data });
const lists = (one) =>
  ["all", "unread", "starred", "archived", "reported"].filter((list) => belongs(one, list));

export function test_each_conversation_is_in_the_lists_that_its_marks_say() {
  for (const [more, expected] of [
    [{}, ["all"]],
    [{ unread: 1 }, ["all", "unread"]],
    [{ unread_mark: true }, ["all", "unread"]],
    [{ starred: true }, ["all", "starred"]],
    [{ archived_seq: 3, unread: 1 }, ["archived"]],
    [{ archived_seq: 3, starred: true }, ["starred", "archived"]],
    [{ archived_seq: 2 }, ["all"]],
    [{ reported: true, starred: true, archived_seq: 3 }, ["reported"]],
    [{ cleared_seq: 3, starred: true, reported: true }, []],
    [{ cleared_seq: 2 }, ["all"]],
  ])
    equal(lists(conversation(more)), expected, JSON.stringify(more));
}

export function test_a_message_brings_back_what_was_archived_in_either_order() {
  for (const order of [
    [0, 1],
    [1, 0],
  ]) {
    const state = freshState();
    const happenings = [
      () => happen(state, "conversation.changed", marks({ archived: true, archived_seq: 3 })),
      () => happen(state, "message.created", message(4)),
    ];
    for (const at of order) happenings[at]();
    truly(!isArchived(state.conversations.get("c")), "it is back");
    equal(state.conversations.get("c").unread, 1);
  }
}

export function test_what_is_cleared_is_gone_and_stays_gone() {
  const state = freshState();
  happen(state, "conversation.changed", marks({ cleared_seq: 3 }));
  equal(state.timeline("c").messages, []);
  equal(state.conversations.get("c").last, null);
  equal(state.conversations.ordered(), []);
  happen(state, "message.edited", message(2, { rev: 1, body: "changed" }));
  equal([state.timeline("c").messages, state.conversations.get("c").last], [[], null]);
  happen(state, "message.created", message(4));
  equal(
    state.timeline("c").messages.map(({ seq }) => seq),
    [4],
  );
  equal(state.conversations.ordered().length, 1);
}

export function test_muted_conversations_are_not_counted() {
  const state = freshState();
  happen(state, "message.created", message(4));
  equal(state.conversations.unread, 1);
  happen(state, "conversation.changed", marks({ muted: true }));
  equal(state.conversations.unread, 0);
  happen(state, "conversation.changed", marks({ unread_mark: true }));
  equal(state.conversations.unread, 1);
}

export function test_marks_of_an_unknown_conversation_have_it_read() {
  const state = freshState();
  happen(state, "conversation.changed", { ...marks(), conversation: "d" });
  equal([...state.wanted], ["d"]);
}

export async function test_a_draft_is_kept_at_a_pause_at_leaving_and_not_twice() {
  const clock = new StandingClock();
  const kept = new Map();
  const saved = [];
  const drafts = new Drafts(
    clock,
    (id) => kept.get(id) ?? "",
    (id, body) => {
      kept.set(id, body);
      saved.push([id, body]);
    },
  );
  drafts.typed("c", "a");
  drafts.typed("c", "ab");
  await clock.pass(1_400);
  equal(saved, []);
  await clock.pass(200);
  equal(saved, [["c", "ab"]]);
  drafts.typed("c", "ab");
  drafts.flush();
  equal(saved.length, 1, "nothing has changed");
  drafts.typed("c", "abc");
  drafts.typed("d", "x");
  equal(saved.at(-1), ["c", "abc"]);
  drafts.sent("d");
  await clock.pass(5_000);
  equal(saved.length, 2, "what was sent was never a draft");
  drafts.sent("c");
  equal(saved.at(-1), ["c", ""]);
  drafts.typed("d", "  ");
  drafts.flush();
  equal(saved.length, 3, "nothing but spaces is none");
}
