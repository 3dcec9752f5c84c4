import { Changes } from "/assets/model/changes.js";
import { mentionAt, mentionedIn, mentionsIn, offered } from "/assets/model/mentions.js";
import { State } from "/assets/model/state.js";
import { marked } from "/assets/views/links.js";
import { StandingClock, equal, message } from "./assert.js";

const NAMES = {
  ada: "Ada Okafor",
  grace: "Grace Lindqvist",
  sol: "Grace",
  li: "李 小龙",
  joan: "Joan Whitfield",
  "erased.member": "",
};
const people = (...members) => members.map((member) => ({ member, name: NAMES[member] }));

/** Ada's state, with a conversation of these open. */
function opened(kind, ...members) {
  const state = new State(new StandingClock(), new Changes(() => {}));
  state.me = "ada";
  state.people.learn(people(...Object.keys(NAMES)));
  const participants = people(...members);
  state.conversations.put({ id: "c", kind, participants, seq: 0, state: "open" }, 0);
  state.open = { conversation: "c", unreadFrom: Infinity };
  return state;
}

export function test_an_at_sign_begins_a_mention_where_it_stands_alone() {
  for (const [text, expected] of [
    ["@", ""],
    ["Hello @gra", "gra"],
    ["(@Grace L", "Grace L"],
    ["a\n@x", "x"],
    ["me@example.org", null],
    ["https://x.org/@ada", null],
    ["@Grace Lindqvist ", null], // it is written
    ["@Grace I think", null],
    ["@a b", "a b"],
    ["@a\nb", null],
    ["", null],
  ])
    equal(mentionAt(text, text.length)?.words ?? null, expected, text);
  equal(mentionAt("@grace and so on", 3), { from: 0, words: "gr" }, "up to the caret");
}

export function test_a_text_names_whole_names_and_the_longest() {
  const found = (text) => {
    const all = mentionsIn(text, people("sol", "grace", "li"));
    return all.map(({ from, to, member }) => `${member}:${text.slice(from, to)}`);
  };
  equal(found("@Grace Lindqvist, @Grace and @李 小龙!"), [
    "grace:@Grace Lindqvist",
    "sol:@Grace",
    "li:@李 小龙",
  ]);
  equal(found("@Graceful x@Grace @grace @@Grace Grace"), []);
  equal(mentionsIn("@", [{ member: "x", name: "" }]), [], "nobody has no name");
}

export function test_participants_are_offered_and_nobody_else() {
  const ids = (state, words) => offered(state, words).map(({ profile }) => profile.member);
  const several = opened("several", "ada", "grace", "sol", "erased.member");
  equal(ids(several, ""), ["grace", "sol"]);
  equal(ids(several, "LIND"), ["grace"], "by any of their names");
  equal(ids(several, "so"), ["sol"], "or by their id");
  equal(ids(several, "joan"), []);
  several.open = { to: "grace" };
  equal(ids(several, ""), []);
}

export function test_in_a_group_others_whom_the_page_knows_are_offered_as_such() {
  const state = opened("group", "ada", "grace");
  const brief = (words) => offered(state, words).map(({ profile, here }) => [profile.member, here]);
  equal(brief(""), [["grace", true]]);
  equal(brief("j"), []);
  equal(brief("jo"), [["joan", false]]);
  equal(brief("gr"), [
    ["grace", true],
    ["sol", false],
  ]);
  state.blocked.set("joan", {});
  equal(brief("jo"), []);
}

export function test_in_a_large_one_those_who_wrote_are_here() {
  const state = opened("group");
  state.timeline("c").putPage([message(1), message(2, { sender: "ada" }), message(3)], false);
  equal(
    offered(state, "").map(({ profile }) => profile.member),
    ["grace"],
  );
}

export function test_whom_a_message_mentions() {
  const state = opened("group", "ada", "grace");
  const text = "@Grace Lindqvist and @Joan Whitfield, @Grace Lindqvist";
  equal(mentionedIn(text, state, []), ["grace"], "who is not here has to be chosen");
  equal(mentionedIn(text, state, people("joan", "li")), ["grace", "joan"]);
  const two = opened("several", "ada", "sol", "grace");
  two.people.learn([{ member: "sol", name: "Grace Lindqvist" }]);
  const chosen = [{ member: "grace", name: "Grace Lindqvist" }];
  equal(mentionedIn("@Grace Lindqvist", two, chosen), ["grace"], "of two namesakes the chosen");
}

export function test_mentions_are_marked_and_stay_text() {
  const parts = marked("<b>@Grace</b> @Ada Okafor https://x.org", people("ada", "sol"), "ada");
  const shown = parts.map((part) => part.className || part.href || part);
  equal(shown, ["<b>@Grace</b> ", "mention oneself", " ", "https://x.org/", ""]);
}
