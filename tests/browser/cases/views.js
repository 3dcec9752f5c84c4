import { State } from "/assets/model/state.js";
import { Changes } from "/assets/model/changes.js";
import { initials } from "/assets/views/avatar.js";
import { keep } from "/assets/views/dom.js";
import { linked } from "/assets/views/links.js";
import { readRoute, writeRoute } from "/assets/views/route.js";
import { rowsOf } from "/assets/views/rows.js";
import { dayName, shortTime, typingInWords } from "/assets/views/words.js";
import { StandingClock, equal } from "./assert.js";

const MINUTE = 60_000;
const NOON = Date.UTC(2026, 2, 12, 12);
const message = (seq, sender, at, more = {}) => ({
  conversation: "c",
  message: `m${seq}`,
  seq,
  sender,
  body: "",
  sent_at: at,
  rev: 0,
  reactions: [],
  ...more,
});

function shownState(messages, open = {}) {
  const state = new State(new StandingClock(), new Changes(() => {}));
  state.me = "ada";
  const participants = [
    { member: "ada", name: "Ada" },
    { member: "grace", name: "Grace" },
  ];
  state.conversations.put(
    {
      id: "c",
      kind: "one_to_one",
      participants,
      seq: messages.length,
      read: 0,
      unread: 0,
      state: "open",
    },
    0,
  );
  state.timeline("c").putPage(messages, false);
  state.open = { conversation: "c", unreadFrom: Infinity, ...open };
  return state;
}

export function test_messages_group_by_sender_time_and_day() {
  const times = [
    ["grace", NOON],
    ["grace", NOON + MINUTE],
    ["ada", NOON + 2 * MINUTE],
    ["ada", NOON + 9 * MINUTE],
    ["ada", NOON + 86_400_000],
  ];
  const rows = rowsOf(shownState(times.map(([who, at], seq) => message(seq + 1, who, at))), []);
  equal(
    rows.map(({ kind }) => kind),
    ["day", "message", "message", "message", "message", "day", "message"],
  );
  const ends = rows
    .filter(({ kind }) => kind === "message")
    .map(({ first, last }) => `${+first}${+last}`);
  equal(ends, ["10", "01", "11", "11", "11"]);
}

export function test_the_unread_line_stands_before_the_first_of_others() {
  const messages = [
    message(1, "grace", NOON),
    message(2, "ada", NOON),
    message(3, "grace", NOON),
    message(4, "grace", NOON),
  ];
  const rows = rowsOf(shownState(messages, { unreadFrom: 1 }), []);
  equal(
    rows.map(({ key }) => key),
    [
      `day:${new Date(NOON).toDateString()}`,
      "message:m1",
      "message:m2",
      "unread",
      "message:m3",
      "message:m4",
    ],
  );
}

export function test_the_unread_line_waits_until_its_place_is_known() {
  const messages = [message(5, "grace", NOON), message(6, "grace", NOON)];
  const lines = (unreadFrom, more) => {
    const state = shownState(messages, { unreadFrom });
    state.timeline("c").more = more;
    return rowsOf(state, []).filter(({ kind }) => kind === "unread").length;
  };
  equal([lines(5, true), lines(2, true), lines(2, false), lines(Infinity, false)], [1, 0, 1, 0]);
}

export function test_ones_own_message_keeps_its_row() {
  const outgoing = { clientId: "id1", target: "c", body: "x", state: "sending", words: "" };
  const before = rowsOf(shownState([]), [outgoing]);
  const after = rowsOf(shownState([message(1, "ada", NOON, { client_id: "id1" })]), []);
  equal([before.at(-1).key, after.at(-1).key], ["client:id1", "client:id1"]);
  const others = rowsOf(shownState([message(1, "grace", NOON, { client_id: "id1" })]), []);
  equal(others.at(-1).key, "message:m1");
}

export function test_notices_stand_where_they_happened() {
  const state = shownState([message(1, "grace", NOON), message(2, "grace", NOON)]);
  state.notices.set("c", [
    { afterSeq: 1, text: "Alan was added." },
    { afterSeq: 2, text: "Alan left." },
  ]);
  equal(
    rowsOf(state, []).map(({ kind }) => kind),
    ["day", "message", "notice", "message", "notice"],
  );
}

export function test_an_answer_quotes_what_the_page_has() {
  const messages = [
    message(1, "grace", NOON, { body: "One\n two" }),
    message(2, "ada", NOON, { reply_to: "m1" }),
    message(3, "grace", NOON, { reply_to: "m0" }),
    message(4, "grace", NOON, { reply_to: "m2" }),
  ];
  const outgoing = { clientId: "id1", body: "x", state: "sending", words: "", replyTo: "m1" };
  const state = shownState(messages);
  state.people.learn([{ member: "grace", name: "Grace Hopper" }]);
  const rows = () => rowsOf(state, [outgoing]).filter(({ kind }) => kind !== "day");
  const one = { who: "Grace Hopper", text: "One two" };
  const quotes = rows().map(({ quote }) => quote);
  equal(quotes, [null, one, null, { who: "You", text: "" }, one]);
  const before = rows().map(({ signature }) => signature);
  state.timeline("c").put({ ...messages[0], rev: 1, body: undefined, deleted_at: NOON });
  const changed = rows().map(({ signature }, at) => signature !== before[at]);
  equal(changed, [true, true, false, false, true], "what quotes it says what became of it");
  state.timeline("c").forget(1);
  equal(rows().map(({ quote }) => quote), [null, null, { who: "You", text: "" }, null]);
}

export function test_only_who_writes_answers() {
  const writes = (more) => {
    const state = shownState([message(1, "grace", NOON)]);
    state.conversations.change("c", more);
    return rowsOf(state, []).at(-1).writes;
  };
  const viewer = [{ member: "ada", name: "Ada", role: "viewer" }];
  const reads = { kind: "group", participants: viewer };
  const each = [{}, { state: "closed" }, { kind: "several" }, reads];
  equal(each.map(writes), [true, false, true, false]);
}

export function test_addresses_become_links_and_nothing_else_does() {
  const text =
    'See (https://example.org/a?b=1&c=%20). <b onclick="x">javascript:alert(1)</b> http://x.org, end';
  const parts = linked(text);
  const links = parts.filter((part) => part instanceof HTMLAnchorElement);
  equal(
    links.map(({ href }) => href),
    ["https://example.org/a?b=1&c=%20", "http://x.org/"],
  );
  equal(
    links.map(({ rel }) => rel),
    ["noopener noreferrer", "noopener noreferrer"],
  );
  equal(parts.map((part) => part.textContent ?? part).join(""), text);
}

export function test_rows_keep_their_elements() {
  const list = document.createElement("ul");
  const shown = [];
  const draw = (keys) =>
    keep(
      list,
      keys.map(([key, signature]) => ({ key, signature })),
      () => document.createElement("li"),
      (item, row) => {
        shown.push(row.key);
        item.textContent = row.key + row.signature;
      },
    );
  draw([
    ["a", 1],
    ["b", 1],
    ["c", 1],
  ]);
  const [a, , c] = list.children;
  shown.length = 0;
  draw([
    ["c", 1],
    ["x", 1],
    ["a", 2],
  ]);
  equal(
    [[...list.children].map(({ textContent }) => textContent), shown],
    [
      ["c1", "x1", "a2"],
      ["x", "a"],
    ],
  );
  equal([list.children[0] === c, list.children[2] === a], [true, true]);
  draw([]);
  equal(list.children.length, 0);
}

export function test_times_are_as_short_as_can_be_understood() {
  const now = new Date(2026, 2, 12, 15).getTime();
  const day = 86_400_000;
  equal(
    [shortTime(now - day, now), dayName(now, now), dayName(now - day, now)],
    ["Yesterday", "Today", "Yesterday"],
  );
  equal(
    shortTime(now - 3 * day, now),
    new Intl.DateTimeFormat(undefined, { weekday: "long" }).format(now - 3 * day),
  );
  equal(/\d/.test(shortTime(now - 30 * day, now)), true);
}

export function test_typing_in_words() {
  equal(typingInWords(["Ada"]), "Ada is typing");
  equal(typingInWords(["Ada", "Grace"]), "Ada and Grace are typing");
  equal(typingInWords(["a", "b", "c", "d"]), "Several people are typing");
}

export function test_initials() {
  equal(["Ada Lovelace", "edsger w. dijkstra", "Plato", "李 小龙", "😀 X", " "].map(initials), [
    "AL",
    "ED",
    "P",
    "李小",
    "😀X",
    "",
  ]);
}

export function test_routes_go_there_and_back() {
  for (const route of [{ conversation: "a-b_c" }, { to: "ada.l" }, null])
    equal(readRoute(writeRoute(route)), route);
  equal([readRoute(""), readRoute("#other")], [null, null]);
}
