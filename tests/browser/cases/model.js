import { Changes } from "/assets/model/changes.js";
import { Conversations, titleOf } from "/assets/model/conversations.js";
import { applyEvent } from "/assets/model/events.js";
import { Messenger } from "/assets/model/messenger.js";
import { People } from "/assets/model/people.js";
import { Reader } from "/assets/model/reader.js";
import { RecentEvents } from "/assets/model/recent.js";
import { State } from "/assets/model/state.js";
import { Timeline, withReactions } from "/assets/model/timeline.js";
import { LinkLost } from "/assets/protocol/errors.js";
import { StandingClock, equal, message, truly } from "./assert.js";

const conversation = (more = {}) => ({
  id: "c",
  kind: "one_to_one",
  title: "",
  seq: 0,
  read: 0,
  unread: 0,
  state: "open",
  last: null,
  at: {},
  participants: [
    { member: "ada", name: "Ada Lovelace" },
    { member: "grace", name: "Grace Hopper" },
  ],
  ...more,
});

function freshState() {
  const clock = new StandingClock();
  const state = new State(clock, new Changes(() => {}));
  state.me = "ada";
  state.conversations.put(conversation(), 0);
  const timeline = state.timeline("c");
  timeline.loaded = true;
  return { clock, state, timeline };
}
const happen = (state, event, data) => applyEvent(state, { event, topic: "member:ada", data });

// Timeline

export function test_messages_are_kept_in_order_and_once() {
  const timeline = new Timeline();
  for (const seq of [3, 1, 2, 3, 1]) timeline.put(message(seq));
  equal(
    timeline.messages.map(({ seq }) => seq),
    [1, 2, 3],
  );
}

export function test_the_newer_version_of_a_message_stays() {
  const timeline = new Timeline();
  timeline.put(message(1, { rev: 2, body: "newest" }));
  timeline.put(message(1, { rev: 1, body: "older" }));
  equal(timeline.find("m1").body, "newest");
  timeline.put(message(1, { rev: 3, deleted_at: 5, body: undefined }));
  timeline.react({ message: "m1", rev: 4, member: "alan", emojis: ["👍"] });
  equal(
    [timeline.find("m1").rev, timeline.find("m1").reactions.length],
    [3, 0],
    "a tombstone stays one",
  );
}

export function test_reactions_carry_results_and_may_come_twice() {
  const timeline = new Timeline();
  timeline.put(message(1, { rev: 1, reactions: [{ emoji: "👍", members: ["ada", "alan"] }] }));
  const reacted = { message: "m1", rev: 2, member: "ada", emojis: ["❤️"] };
  timeline.react(reacted);
  timeline.react(reacted);
  timeline.react({ message: "m1", rev: 1, member: "alan", emojis: [] });
  equal(timeline.find("m1").reactions, [
    { emoji: "👍", members: ["alan"] },
    { emoji: "❤️", members: ["ada"] },
  ]);
}

export function test_a_members_reactions_are_replaced_as_a_whole() {
  const before = [
    { emoji: "👍", members: ["ada"] },
    { emoji: "🎉", members: ["alan", "ada"] },
  ];
  equal(withReactions(before, "ada", ["🎉", "🌹"]), [
    { emoji: "🎉", members: ["alan", "ada"] },
    { emoji: "🌹", members: ["ada"] },
  ]);
  equal(withReactions(before, "grace", ["👍"])[0].members, ["ada", "grace"]);
  equal(withReactions([{ emoji: "👍", members: ["ada"] }], "ada", []), []);
}

export function test_counted_reactions_wait_for_the_next_read() {
  const timeline = new Timeline();
  timeline.put(message(1, { reactions: [{ emoji: "👍", count: 61 }] }));
  timeline.react({ message: "m1", rev: 1, member: "ada", emojis: ["👍"] });
  equal(timeline.find("m1").reactions, [{ emoji: "👍", count: 61 }]);
}

export function test_a_timeline_is_bounded() {
  const timeline = new Timeline();
  for (let seq = 1; seq <= 700; seq += 1) timeline.put(message(seq));
  timeline.more = false;
  timeline.trim();
  equal([timeline.messages.length, timeline.first.seq, timeline.more], [600, 101, true]);
}

// Conversations

export function test_new_messages_count_once_and_only_others() {
  const { state } = freshState();
  for (const one of [message(1), message(1), message(2, { sender: "ada" }), message(3)])
    happen(state, "message.created", one);
  const { seq, unread, last } = state.conversations.get("c");
  equal([seq, unread, last.message], [3, 2, "m3"]);
}

export function test_reading_lowers_what_is_unread_and_never_goes_back() {
  const { state } = freshState();
  for (const seq of [1, 2, 3]) happen(state, "message.created", message(seq));
  happen(state, "read.moved", { conversation: "c", read: 2 });
  happen(state, "read.moved", { conversation: "c", read: 1 });
  equal([state.conversations.get("c").read, state.conversations.get("c").unread], [2, 1]);
}

export function test_an_edit_changes_the_preview_only_of_the_last() {
  const { state } = freshState();
  happen(state, "message.created", message(1));
  happen(state, "message.created", message(2));
  happen(state, "message.edited", message(1, { rev: 1, body: "changed" }));
  equal(state.conversations.get("c").last.body, "text 2");
  happen(state, "message.edited", message(2, { rev: 1, body: "changed" }));
  equal(
    [state.conversations.get("c").last.body, state.conversations.get("c").unread],
    ["changed", 2],
  );
}

export function test_the_latest_active_comes_first() {
  const all = new Conversations();
  all.putPage(
    [
      conversation({ id: "a", last: message(9) }),
      conversation({ id: "b" }),
      conversation({ id: "d", last: message(2) }),
    ],
    "more",
  );
  equal(
    all.ordered().map(({ id }) => id),
    ["a", "b", "d"],
  );
  all.hold(message(99, { conversation: "d" }), true);
  equal([all.ordered()[0].id, all.unread, all.next], ["d", 1, "more"]);
}

export function test_a_conversation_is_called_by_its_title_or_its_people() {
  const people = new People();
  people.learn([
    { member: "grace", name: "Grace Hopper" },
    { member: "alan", name: "Alan Turing" },
  ]);
  const of = (more) => titleOf(conversation(more), "ada", people);
  const several = [
    { member: "ada", name: "" },
    { member: "grace", name: "" },
    { member: "alan", name: "" },
  ];
  equal(
    [of({}), of({ participants: several }), of({ title: "Tea" })],
    ["Grace Hopper", "Grace, Alan", "Tea"],
  );
  equal(
    [of({ participants: [], participant_count: 60 }), of({ participants: [] })],
    ["60 people", "Only you"],
  );
}

export function test_what_is_known_of_people_is_not_forgotten() {
  const people = new People();
  people.learn([
    { member: "grace", name: "Grace Hopper", headline: "Compilers", avatar: "/a.png" },
  ]);
  people.learn([{ member: "grace", name: "Grace B. Hopper" }]);
  equal(people.get("grace"), {
    member: "grace",
    name: "Grace B. Hopper",
    headline: "Compilers",
    avatar: "/a.png",
  });
  equal([people.name("nobody"), people.firstName("grace")], ["nobody", "Grace"]);
}

// Events

export function test_a_message_to_an_unknown_conversation_makes_it_wanted() {
  const { state } = freshState();
  happen(state, "message.created", message(1, { conversation: "new" }));
  equal(state.wanted, new Set(["new"]));
}

export function test_joining_renaming_and_the_roster() {
  const { state } = freshState();
  state.conversations.change("c", { kind: "several" });
  happen(state, "conversation.joined", { conversation: "j", topic: "conversation:j", pos: 3 });
  happen(state, "conversation.renamed", { conversation: "c", title: "Tea", rev: 1 });
  const changes = [
    { member: "alan", name: "Alan", change: "added", role: "participant" },
    { member: "grace", name: "Grace", change: "left", role: "participant" },
  ];
  happen(state, "roster.changed", { conversation: "c", rev: 2, changes, participant_count: 2 });
  const { title, participants, participant_count: count } = state.conversations.get("c");
  equal([title, participants.map(({ member }) => member), count], ["Tea", ["ada", "alan"], 2]);
  equal([state.wanted, state.notices.get("c").length], [new Set(["j"]), 3]);
}

export function test_what_is_applied_again_is_not_told_again() {
  const { state } = freshState();
  const data = {
    conversation: "c",
    rev: 2,
    changes: [{ member: "alan", name: "Alan", change: "added" }],
    participant_count: 3,
  };
  applyEvent(state, { event: "roster.changed", topic: "t", data }, true);
  equal([state.notices.size, state.conversations.get("c").participants.length], [0, 3]);
}

export function test_leaving_closes_the_conversation() {
  const { state } = freshState();
  happen(state, "conversation.left", { conversation: "c", pos: 4 });
  equal(state.conversations.get("c").state, "closed");
}

export function test_invitations_and_connections_come_and_go() {
  const { state } = freshState();
  happen(state, "invitation.received", {
    invitation: "i",
    from: "linus",
    to: "ada",
    note: "",
    sent_at: 1,
  });
  equal(state.invitations.size, 1);
  happen(state, "invitation.answered", { invitation: "i", member: "ada", accepted: true });
  happen(state, "connection.added", { member: "linus", name: "Linus", headline: "", avatar: "" });
  equal([state.invitations.size, state.people.name("linus")], [0, "Linus"]);
  happen(state, "connection.removed", { member: "linus" });
  equal(state.connections.size, 0);
  happen(state, "something.newer", { unheard: "of" });
}

export function test_turning_receipts_off_hides_others_at_once() {
  const { state } = freshState();
  state.open = { conversation: "c", unreadFrom: Infinity };
  happen(state, "receipt.read", { conversation: "c", member: "grace", seq: 5, seen_at: 1 });
  happen(state, "receipt.read", { conversation: "c", member: "grace", seq: 3, seen_at: 1 });
  happen(state, "typing.started", { conversation: "c", member: "grace", expires_in_ms: 6_000 });
  equal(state.conversations.get("c").participants[1].shown, 5, "only forward");
  happen(state, "settings.changed", { receipts: false });
  equal(
    [state.conversations.get("c").participants[1].shown, state.typing.who("c")],
    [undefined, []],
  );
  equal(state.wanted.size, 0);
  happen(state, "settings.changed", { receipts: true });
  equal(state.wanted, new Set(["c"]));
}

export function test_recent_events_follow_what_was_read() {
  const recent = new RecentEvents();
  for (let pos = 1; pos <= 600; pos += 1) recent.add({ event: "e", topic: "a", pos, data: {} });
  recent.add({ event: "e", topic: "b", pos: 1, data: {} });
  recent.add({ event: "signal", topic: "a", data: {} });
  equal(
    recent.after({ a: 598, b: 0 }).map(({ topic, pos }) => topic + pos),
    ["a599", "a600", "b1"],
  );
  equal([recent.after({ a: 101 }).length, recent.after({ a: 99 })], [499, null]);
}

export async function test_a_slow_read_does_not_take_back_what_came_meanwhile() {
  const { state } = freshState();
  const recent = new RecentEvents();
  const answers = [];
  const ask = () => new Promise((resolve) => answers.push(resolve));
  const reader = new Reader({ state, recent, ask, now: () => 0, failed: () => {} });
  const reading = reader.conversation("c");
  const event = { event: "message.created", topic: "member:ada", pos: 12, data: message(2) };
  recent.add(event);
  applyEvent(state, event);
  answers[0](conversation({ seq: 1, unread: 1, last: message(1), at: { "member:ada": 11 } }));
  await reading;
  const { seq, unread, last } = state.conversations.get("c");
  equal([seq, unread, last.seq], [2, 2, 2]);
}

export async function test_history_is_older_than_what_came_meanwhile() {
  const { state } = freshState();
  state.timelines.clear();
  const recent = new RecentEvents();
  const gone = {
    event: "message.deleted",
    topic: "member:ada",
    pos: 12,
    data: message(1, { rev: 1, deleted_at: 9 }),
  };
  const ask = async () => {
    recent.add(gone);
    applyEvent(state, gone);
    return { messages: [message(1)], more: false, at: { "member:ada": 11 } };
  };
  await new Reader({ state, recent, ask, now: () => 0, failed: () => {} }).history("c");
  equal(state.timeline("c").find("m1").deleted_at, 9);
}

export async function test_an_interrupted_read_is_wanted_again() {
  const { state } = freshState();
  const ask = () => Promise.reject(new LinkLost());
  state.wanted.add("c");
  await new Reader({
    state,
    recent: new RecentEvents(),
    ask,
    now: () => 0,
    failed: () => {},
  }).wanted();
  equal(state.wanted, new Set(["c"]));
}

export function test_a_message_ends_its_senders_typing() {
  const { state } = freshState();
  happen(state, "typing.started", { conversation: "c", member: "grace", expires_in_ms: 6_000 });
  happen(state, "message.created", message(1));
  equal(state.typing.who("c"), []);
}

export async function test_what_opens_is_not_read_before_its_end_is_seen() {
  const messenger = new Messenger({
    changes: new Changes(() => {}),
    clock: new StandingClock(),
    random: () => 0,
    newId: () => "id",
    arrived: () => {},
  });
  const sent = [];
  messenger.link.command = (cmd) => {
    sent.push(cmd);
    return Promise.resolve({ read: 0 });
  };
  const { state } = messenger;
  state.conversations.put(conversation({ seq: 2, unread: 2, last: message(2) }), 0);
  state.timeline("c").putPage([message(1), message(2)], false);
  messenger.attend({ atEnd: true }); // of what was open before
  await messenger.openConversation("c");
  const data = message(3);
  messenger.happened({ event: "message.created", topic: "member:ada", pos: 1, data });
  equal([sent, state.conversations.get("c").unread], [[], 3]);
  messenger.attend({ atEnd: true });
  equal(sent, ["receipt.read"]);
}

export function test_changes_are_told_once_for_many() {
  const runs = [];
  const changes = new Changes((run) => runs.push(run));
  const heard = [];
  const stop = changes.on(["list", "timeline"], () => heard.push("both"));
  changes.on(["link"], () => heard.push("link"));
  changes.changed("list");
  changes.changed("timeline", "list");
  runs.shift()();
  equal([heard, runs.length], [["both"], 0]);
  stop();
  changes.changed("list", "link");
  runs.shift()();
  equal(heard, ["both", "link"]);
  truly(runs.length === 0, "nothing is left to tell");
}
