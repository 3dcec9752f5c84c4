import { Outbox } from "/assets/model/outbox.js";
import { ReadMarker, seenBy } from "/assets/model/receipts.js";
import { TypingBoard, TypingSender } from "/assets/model/typing.js";
import { CommandRefused, LinkLost } from "/assets/protocol/errors.js";
import { StandingClock, equal, settled } from "./assert.js";

const message = (seq, more = {}) => ({ message: `m${seq}`, seq, sender: "grace", ...more });

// Typing and receipts

export async function test_typing_ends_by_itself() {
  const clock = new StandingClock();
  const board = new TypingBoard(clock, () => {});
  board.started("c", "grace", 6_000);
  board.started("c", "alan", 6_000);
  await clock.pass(4_000);
  board.started("c", "grace", 6_000);
  await clock.pass(2_000);
  equal(board.who("c"), ["grace"]);
  board.stopped("c", "grace");
  equal([board.who("c"), clock.timers.length], [[], 0]);
}

export async function test_typing_is_told_at_most_every_three_seconds() {
  const clock = new StandingClock();
  const told = [];
  const typing = new TypingSender(clock, (cmd, where) => told.push(`${cmd} ${where}`));
  for (let key = 0; key < 40; key += 1) {
    typing.typed("c");
    await clock.pass(100);
  }
  equal(told, ["typing.start c", "typing.start c"]);
  typing.stop();
  typing.stop();
  equal(told.slice(2), ["typing.stop c"]);
}

export async function test_a_sent_message_needs_no_stop_and_another_place_does() {
  const clock = new StandingClock();
  const told = [];
  const typing = new TypingSender(clock, (cmd, where) => told.push(`${cmd} ${where}`));
  typing.typed("c");
  typing.sent();
  typing.stop();
  typing.typed("c");
  typing.typed("d");
  await clock.pass(6_000);
  typing.stop();
  equal(told, ["typing.start c", "typing.start c", "typing.stop c", "typing.start d"]);
}

export function test_seen_marks_stand_at_the_last_of_ones_own_seen() {
  const mine = (seq) => message(seq, { sender: "ada" });
  const messages = [mine(1), message(2), mine(3), mine(4)];
  const participants = [
    { member: "ada", shown: 4 },
    { member: "grace", shown: 3 },
    { member: "alan", shown: 4 },
    { member: "hedy" },
  ];
  equal(
    seenBy(messages, participants, "ada"),
    new Map([
      ["m3", ["grace"]],
      ["m4", ["alan"]],
    ]),
  );
  equal(
    seenBy([mine(1), message(2)], [{ member: "grace", shown: 2 }], "ada"),
    new Map(),
    "an answer says it",
  );
}

export function test_read_is_told_once_and_only_in_sight() {
  const told = [];
  const marker = new ReadMarker((where, seq) => told.push(seq));
  marker.consider("c", 3, 0);
  marker.atEnd = true;
  marker.visible = false;
  marker.consider("c", 3, 0);
  marker.visible = true;
  for (const seq of [3, 3, 2, 4]) marker.consider("c", seq, 0);
  marker.consider("c", 5, 5);
  equal(told, [3, 4]);
  marker.forget();
  marker.consider("c", 4, 0);
  equal(told, [3, 4, 4]);
}

// Outbox

function playedOutbox() {
  const clock = new StandingClock();
  const played = { clock, tries: [], stored: [] };
  let id = 0;
  played.outbox = new Outbox({
    clock,
    random: () => 0,
    newId: () => `id${++id}`,
    changed: () => {},
    sent: ({ body }, result) => played.stored.push([body, result.seq]),
    send: ({ body, clientId }) =>
      new Promise((resolve, reject) => played.tries.push({ body, clientId, resolve, reject })),
  });
  return played;
}
const refused = (code, retryable, after = 0) =>
  new CommandRefused({ code, message: `Words for ${code}.`, retryable, retry_after_ms: after });

export async function test_messages_of_a_conversation_go_one_after_the_other() {
  const { outbox, tries, stored } = playedOutbox();
  for (const body of ["one", "two"]) outbox.add("c", body);
  outbox.add("d", "elsewhere");
  equal(
    tries.map(({ body }) => body),
    ["one", "elsewhere"],
  );
  tries[0].resolve({ seq: 1 });
  await settled();
  equal([tries[2].body, stored, outbox.of("c").length], ["two", [["one", 1]], 1]);
}

export async function test_a_lost_connection_keeps_the_message_and_its_id() {
  const { outbox, tries, stored } = playedOutbox();
  outbox.add("c", "one");
  outbox.add("c", "two");
  tries[0].reject(new LinkLost());
  await settled();
  equal([tries.length, outbox.of("c")[0].state], [1, "pending"]);
  outbox.resume();
  equal([tries[1].clientId, tries[1].body], ["id1", "one"]);
  tries[1].resolve({ seq: 4, duplicate: true });
  await settled();
  equal([stored, tries[2].body], [[["one", 4]], "two"]);
}

export async function test_what_may_pass_is_tried_again_by_itself() {
  const { outbox, tries, clock } = playedOutbox();
  outbox.add("c", "one");
  tries[0].reject(refused("rate_limited", true, 2_000));
  await settled();
  await clock.pass(1_999);
  equal(tries.length, 1);
  await clock.pass(1);
  equal(
    tries.map(({ clientId }) => clientId),
    ["id1", "id1"],
  );
}

export async function test_it_gives_up_in_the_end_and_can_be_told_to_go_on() {
  const { outbox, tries, clock } = playedOutbox();
  outbox.add("c", "one");
  for (let round = 0; round < 5; round += 1) {
    tries.at(-1).reject(refused("unknown_outcome", true));
    await settled();
    await clock.pass(60_000);
  }
  equal([tries.length, outbox.of("c")[0].state], [5, "failed"]);
  outbox.retry("id1");
  equal([tries.length, tries[5].clientId], [6, "id1"]);
}

export async function test_a_refusal_is_shown_and_does_not_hold_back_the_next() {
  const { outbox, tries } = playedOutbox();
  outbox.add("c", "one");
  outbox.add("c", "two");
  tries[0].reject(refused("unreachable", false));
  await settled();
  const [failed] = outbox.of("c");
  equal([failed.state, failed.words, tries[1].body], ["failed", "Words for unreachable.", "two"]);
  outbox.remove("id1");
  equal(outbox.of("c").length, 1);
}

export async function test_its_event_may_come_before_the_result() {
  const { outbox, tries } = playedOutbox();
  outbox.add("c", "one");
  outbox.remove("id1");
  tries[0].resolve({ seq: 1 });
  await settled();
  equal([outbox.all, tries.length], [[], 1]);
}

export async function test_a_first_message_takes_the_others_to_its_conversation() {
  const { outbox, tries } = playedOutbox();
  outbox.add("to:grace", "one");
  outbox.add("to:grace", "two");
  tries[0].resolve({ seq: 1 });
  outbox.retarget("to:grace", "c");
  await settled();
  equal(
    outbox.of("c").map(({ body }) => body),
    ["two"],
  );
}

export function test_the_outbox_is_bounded() {
  const { outbox } = playedOutbox();
  const taken = Array.from({ length: 201 }, () => outbox.add("c", "x"));
  equal([taken.filter(Boolean).length, taken[200]], [200, false]);
}
