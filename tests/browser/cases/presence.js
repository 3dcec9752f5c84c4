import { Changes } from "/assets/model/changes.js";
import { Presence } from "/assets/model/presence.js";
import { State } from "/assets/model/state.js";
import { activeInWords } from "/assets/views/words.js";
import { StandingClock, equal, settled } from "./assert.js";

const MINUTE = 60_000;

/** Ada with a conversation with Grace open; `played.answer` is what is said of Grace. */
function opened(more = {}) {
  const clock = new StandingClock();
  const state = new State(clock, new Changes(() => {}));
  Object.assign(state, { me: "ada", ready: true, link: { phase: "live" } });
  state.connections.set("grace", { member: "grace", name: "Grace" });
  const participants = ["ada", "grace"].map((member) => ({ member, name: member }));
  const held = { id: "c", kind: "one_to_one", participants, seq: 0, state: "open", ...more };
  state.conversations.put(held, 0);
  state.open = { conversation: "c", unreadFrom: Infinity };
  const played = { clock, state, asked: [], answer: { active: true, last_active: clock.now() } };
  played.presence = new Presence({
    state,
    clock,
    serverNow: () => clock.now() + 5_000,
    quietly: async (cmd, { members }) => {
      played.asked.push(`${cmd} ${members}`);
      return played.answer === null ? null : { members: { grace: played.answer } };
    },
  });
  return played;
}

export async function test_it_is_asked_for_every_minute_in_sight() {
  const played = opened();
  const { clock, state, presence } = played;
  await presence.look();
  equal(state.presence, { member: "grace", active: true, agoMs: 0 });
  played.answer = { active: false, last_active: clock.now() };
  await clock.pass(3 * MINUTE);
  equal([played.asked.length, state.presence.active, state.presence.agoMs], [4, false, 185_000]);
  presence.attend(false);
  await clock.pass(5 * MINUTE);
  equal(played.asked.length, 4, "out of sight nothing is asked");
  presence.attend(true);
  await settled();
  equal(played.asked.length, 5);
  presence.stop();
  equal(clock.timers.length, 0);
}

export async function test_nothing_is_shown_where_nothing_is_said() {
  for (const answer of [{ active: false }, undefined, null]) {
    const played = opened();
    await played.presence.look();
    played.answer = answer;
    await played.presence.look();
    equal(played.state.presence, null);
  }
}

export async function test_only_what_both_let_be_seen_is_asked_for() {
  const changes = {
    "no connection": ({ state }) => state.connections.clear(),
    blocked: ({ state }) => state.blocked.set("grace", {}),
    "switched off": ({ state }) => (state.settings = { receipts: true, active_status: false }),
    "no connection to the server": ({ state }) => (state.link = { phase: "waiting" }),
    "nothing open": ({ state }) => (state.open = null),
  };
  for (const [what, change] of Object.entries(changes)) {
    const played = opened();
    await played.presence.look();
    change(played);
    await played.presence.look();
    await played.clock.pass(5 * MINUTE);
    equal([played.state.presence, played.asked.length], [null, 1], what);
  }
  const several = opened({ kind: "several" });
  await several.presence.look();
  equal(several.asked, []);
}

export async function test_an_answer_for_another_conversation_is_dropped() {
  const played = opened();
  const late = played.presence.look();
  played.state.open = null;
  await played.presence.look();
  await late;
  equal([played.state.presence, played.clock.timers.length], [null, 0]);
}

export function test_how_long_ago_in_words() {
  const words = [0, 59_999, 5 * MINUTE, 90 * MINUTE, 1500 * MINUTE, 9000 * MINUTE, 50_000 * MINUTE];
  equal(
    words.map((ago) => activeInWords(false, ago)),
    [
      "Active just now",
      "Active just now",
      "Active 5 min ago",
      "Active 1 h ago",
      "Active a day ago",
      "Active 6 days ago",
      "Active over a month ago",
    ],
  );
  equal(activeInWords(true, 0), "Active now");
}
