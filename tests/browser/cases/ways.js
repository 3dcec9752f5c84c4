import { Changes } from "/assets/model/changes.js";
import { titleOf } from "/assets/model/conversations.js";
import { applyEvent } from "/assets/model/events.js";
import { belongs } from "/assets/model/own.js";
import { State } from "/assets/model/state.js";
import { Ways, otherIn, writingIn } from "/assets/model/ways.js";
import { CommandRefused, LinkLost } from "/assets/protocol/errors.js";
import { creditsInWords } from "/assets/views/words.js";
import { StandingClock, equal, message as ofGrace, settled } from "./assert.js";

const message = (seq, more = {}) => ofGrace(seq, { kind: "direct", ...more });
const conversation = (more = {}) => ({
  id: "c",
  kind: "one_to_one",
  seq: 1,
  read: 1,
  unread: 0,
  state: "open",
  last: message(1),
  participants: [
    { member: "ada", name: "Ada", role: "participant" },
    { member: "grace", name: "Grace", role: "participant" },
  ],
  ...more,
});
const ways = (allowed = "", more = {}) =>
  ["direct", "open_profile", "group", "inmail"].map((kind) => ({
    kind,
    allowed: kind === allowed,
    cost: kind === "inmail" ? 1 : 0,
    needs: [],
    ...more,
  }));

/** A state in which a conversation is open; `explained` are the ways to Grace. */
function opened(more = {}, explained = null) {
  const state = new State(new StandingClock(), new Changes(() => {}));
  state.me = "ada";
  state.ready = true;
  state.link = { phase: "live" };
  state.conversations.put(conversation(more), 0);
  state.open = { conversation: "c", unreadFrom: Infinity };
  if (explained) state.explained = { member: "grace", ways: explained, words: "" };
  return state;
}
const brief = (state) => {
  const { may, why, fresh } = writingIn(state);
  return [may, why, fresh?.kind ?? null];
};
const happen = (state, event, data) => applyEvent(state, { event, topic: "member:ada", data });

// What one may write

export function test_between_two_it_is_what_the_ways_say() {
  const mine = { sender: "ada", kind: "group" };
  for (const [more, explained, expected] of [
    [{}, null, [true, "", null]], // not known yet: nothing is taken away
    [{}, ways("inmail"), [true, "", "inmail"]],
    [{}, ways(), [false, "nothing", null]],
    [{ last: message(1, { kind: "group" }) }, ways("group"), [true, "", null]],
    [{ last: message(1, { kind: "inmail" }) }, ways("inmail"), [true, "", "inmail"]],
    [{ last: message(1, { kind: "inmail" }) }, ways("inmail", { cost: 0 }), [true, "", null]],
    [{ state: "closed" }, null, [false, "closed", null]],
    [{ state: "closed" }, ways("open_profile"), [false, "closed", "open_profile"]],
    [{ state: "request", last: message(1, mine) }, ways(), [false, "request", null]],
    [{ state: "request" }, ways("group"), [true, "", null]],
  ])
    equal(brief(opened(more, explained)), expected, JSON.stringify([more, explained]));
}

export function test_of_a_connection_nothing_has_to_be_asked() {
  const state = opened({}, ways());
  state.connections.set("grace", { member: "grace", name: "Grace" });
  equal(brief(state), [true, "", null]);
}

export function test_across_ones_own_block_nothing_is_written_until_it_is_lifted() {
  const state = opened({ state: "request" }, ways("group"));
  happen(state, "block.changed", { member: "grace", blocked: true });
  equal(brief(state), [false, "blocked", null]);
  happen(state, "block.changed", { member: "grace", blocked: false });
  equal(brief(state), [true, "", null]);
}

export function test_the_ways_to_somebody_else_say_nothing() {
  const state = opened({}, ways());
  state.explained = { member: "linus", ways: ways(), words: "" };
  equal(brief(state), [true, "", null]);
  state.explained = { member: "grace", ways: [], words: "There is nothing here." };
  equal(brief(state), [false, "unreachable", null]);
}

export function test_among_several_it_is_ones_role() {
  const people = (mine, count) => ({
    participants: [
      { member: "ada", name: "Ada", role: mine },
      { member: "grace", name: "Grace", role: "manager" },
    ],
    participant_count: count,
  });
  const large = { participants: [], participant_count: 90 };
  for (const [more, roles, expected] of [
    [{ kind: "several", ...people("participant", 2) }, [], ""],
    [{ kind: "several", state: "closed", ...people("participant", 2) }, [], "left"],
    [{ kind: "group", ...people("participant", 2) }, ["member"], ""],
    [{ kind: "group", ...people("viewer", 1) }, ["member"], "viewer"],
    [{ kind: "group", ...large }, ["member"], "managers"],
    [{ kind: "group", ...large }, ["member", "manager"], ""],
    [{ kind: "several", ...large }, [], ""],
  ]) {
    const state = opened(more);
    state.groups = roles.map((role) => ({ group: role, name: role, role, size: 90 }));
    equal(writingIn(state).why, expected, JSON.stringify(more));
    equal(otherIn(state), null);
  }
}

export function test_viewers_give_a_conversation_no_name() {
  const state = opened({ kind: "group", title: "" });
  const roster = [
    ...conversation().participants,
    { member: "linus", name: "Linus", role: "viewer" },
  ];
  state.people.learn(roster);
  const shown = conversation({ kind: "group", participants: roster });
  equal(titleOf(shown, "ada", state.people), "Grace");
}

export function test_a_request_for_oneself_is_among_the_requests() {
  const asks = conversation({ state: "request" });
  equal(belongs(asks, "requests", "grace"), false);
  equal(belongs(asks, "requests", "ada"), true);
  equal(belongs(conversation(), "requests", "ada"), false);
  equal(belongs({ ...asks, archived_seq: 1 }, "requests", "ada"), false);
}

// What events change

export function test_a_closed_conversation_is_closed_at_once_and_read_again() {
  const state = opened();
  happen(state, "conversation.closed", { conversation: "c" });
  equal(state.conversations.get("c").state, "closed");
  equal([...state.wanted], ["c"]);
  equal(state.notices.get("c").map(({ text }) => text), ["This conversation was closed."]);
}

export function test_what_opens_it_again_has_it_read_again() {
  for (const [more, kind, wanted] of [
    [{ state: "closed" }, "open_profile", ["c"]],
    [{}, "inmail", ["c"]], // of who were connected once: it may be a request
    [{ last: message(1, { kind: "inmail" }) }, "inmail", []],
    [{}, "direct", []],
  ]) {
    const state = opened(more);
    happen(state, "message.created", message(2, { kind }));
    equal([...state.wanted], wanted, JSON.stringify([more, kind]));
  }
}

export function test_answers_are_told_and_the_balance_kept() {
  const state = opened({ state: "request" });
  happen(state, "request.answered", { conversation: "c", accepted: false });
  happen(state, "request.answered", { conversation: "c", accepted: true });
  const told = state.notices.get("c").map(({ text }) => text);
  equal(told, ["The request was declined.", "The request was accepted."]);
  happen(state, "credits.changed", { balance: 4 });
  equal(state.balance, 4);
  state.invited.set("i", "grace");
  happen(state, "invitation.answered", { invitation: "i", member: "grace", accepted: true });
  equal([...state.invited], []);
}

// Looking

const refused = (code, retryable) =>
  new CommandRefused({ code, message: `Words for ${code}.`, retryable });

/** Ways whose questions are answered by hand. */
function asking(state) {
  const asked = [];
  const ask = (cmd, params) =>
    new Promise((resolve, reject) => void asked.push({ cmd, params, resolve, reject }));
  return { asked, ways: new Ways({ state, ask }) };
}

export async function test_the_ways_are_asked_for_with_the_balance_they_need() {
  const state = opened();
  const { asked, ways: looking } = asking(state);
  const done = looking.look();
  equal([asked[0].cmd, asked[0].params], ["explain", { to: "grace" }]);
  asked[0].resolve({ ways: ways("inmail") });
  await settled();
  equal([asked[1].cmd, state.explained], ["credits.get", null]);
  asked[1].resolve({ balance: 7 });
  await done;
  equal([state.explained.member, state.balance], ["grace", 7]);
}

export async function test_an_answer_to_an_earlier_question_is_not_shown() {
  const state = opened();
  const { asked, ways: looking } = asking(state);
  const first = looking.look();
  const second = looking.look();
  asked[1].resolve({ ways: ways("group", { cost: 0 }) });
  await second;
  asked[0].resolve({ ways: ways("open_profile", { cost: 0 }) });
  await first;
  equal(writingIn(state).fresh.kind, "group");
}

export async function test_nobody_is_asked_about_where_it_is_known_or_cannot_be() {
  for (const unlike of [
    (state) => state.connections.set("grace", { member: "grace", name: "Grace" }),
    (state) => (state.open = null),
    (state) => (state.link = { phase: "connecting" }),
    (state) => (state.ready = false),
  ]) {
    const state = opened();
    unlike(state);
    const { asked, ways: looking } = asking(state);
    await looking.look();
    equal(asked, []);
  }
}

export async function test_a_refusal_is_said_and_a_lost_connection_is_not() {
  for (const [error, words] of [
    [refused("unreachable", false), "Words for unreachable."],
    [refused("busy", true), undefined],
    [new LinkLost(), undefined],
  ]) {
    const state = opened();
    const { asked, ways: looking } = asking(state);
    const done = looking.look();
    asked[0].reject(error);
    await done;
    equal(state.explained?.words, words);
  }
}

export function test_it_looks_again_after_what_may_open_a_way() {
  for (const [event, data, times] of [
    ["connection.added", { member: "grace" }, 1],
    ["conversation.closed", { conversation: "c" }, 1],
    ["message.created", message(2), 1],
    ["message.created", message(2, { sender: "ada" }), 0],
    ["message.created", message(2, { conversation: "d" }), 0],
    ["read.moved", { conversation: "c", read: 1 }, 0],
  ]) {
    const { asked, ways: looking } = asking(opened());
    looking.happened({ event, topic: "member:ada", data });
    equal(asked.length, times, event);
  }
}

export function test_credits_in_words() {
  equal([creditsInWords(1), creditsInWords(2)], ["a credit", "2 credits"]);
}
