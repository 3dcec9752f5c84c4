import { Changes } from "/assets/model/changes.js";
import { Rosters, addsPeople, changesRoster, newcomersTo } from "/assets/model/rosters.js";
import { State } from "/assets/model/state.js";
import { StandingClock, equal } from "./assert.js";

const profile = (member) => ({ member, name: member });

/** Ada's state, with Grace and Linus connected, and one conversation open. */
function opened(kind, roles, more = {}) {
  const state = new State(new StandingClock(), new Changes(() => {}));
  state.me = "ada";
  for (const member of ["grace", "linus"]) state.connections.set(member, profile(member));
  state.people.learn(["ada", "grace", "linus", "joan", "erased.member"].map(profile));
  const participants = Object.entries(roles).map(([member, role]) => ({ member, role }));
  const conversation = { id: "c", kind, participants, seq: 0, state: "open", ...more };
  state.conversations.put(conversation, 0);
  state.open = { conversation: "c", unreadFrom: Infinity };
  return { state, conversation };
}
const [P, M, V] = ["participant", "manager", "viewer"];

export function test_who_may_change_a_roster() {
  for (const [kind, roles, more, expected] of [
    ["several", { ada: P, grace: P }, {}, [true, true]],
    ["several", { ada: P, grace: P }, { state: "closed" }, [false, false]],
    ["group", { ada: P, grace: M }, {}, [false, false]],
    ["group", { ada: M, grace: P }, {}, [true, true]],
    ["group", { ada: V, grace: M }, {}, [false, false]],
    ["group", {}, {}, [false, false]], // a large one
    ["one_to_one", { ada: P, grace: P }, {}, [false, true]],
    ["one_to_one", { ada: P, joan: P }, {}, [false, false]], // no connection
    ["one_to_one", { ada: P, grace: P }, { state: "closed" }, [false, false]],
  ]) {
    const { state, conversation } = opened(kind, roles, more);
    const may = [changesRoster(conversation, state), addsPeople(conversation, state)];
    equal(may, expected, JSON.stringify([kind, roles, more]));
  }
  const { state, conversation } = opened("group", {});
  state.groups = [{ group: "g", name: "G", role: "owner", size: 90 }];
  equal(changesRoster(conversation, state), true, "who leads a group may try in a large one");
}

export function test_whom_one_may_bring_in() {
  const names = (kind, roles) => {
    const { state, conversation } = opened(kind, roles);
    state.blocked.set("linus", profile("linus"));
    return newcomersTo(conversation, state).map(({ member }) => member);
  };
  equal(names("one_to_one", { ada: P, grace: P }), ["linus"], "connections alone");
  equal(names("group", { ada: M, grace: P }), ["joan"], "whoever is known and not blocked");
  equal(names("group", { ada: M, grace: V }), ["grace", "joan"], "who only reads");
}

/** Rosters whose commands are answered by `answer`. */
function played(answer) {
  const asked = [];
  const said = [];
  let id = 0;
  const rosters = new Rosters({
    state: null,
    reader: { conversation: async (read) => asked.push(`read ${read}`) },
    newId: () => `id${++id}`,
    attempt: async (cmd, { conversation, member, client_id }, problem) => {
      asked.push(`${cmd} ${conversation} ${member} ${client_id}`);
      const result = answer(member);
      if (result === null) (problem ?? ((words) => said.push(`aside: ${words}`)))(`not ${member}`);
      return result;
    },
  });
  return { rosters, asked, said };
}

export async function test_a_new_conversation_takes_the_others_in() {
  const { rosters, asked } = played(() => ({ conversation: "new" }));
  equal(await rosters.add("pair", new Set(["linus", "mary"]), () => {}), "new");
  equal(asked, [
    "conversation.add pair linus id1",
    "conversation.add new mary id2",
    "read new",
  ]);
}

export async function test_who_did_not_come_in_stays_chosen() {
  const { rosters, said } = played((member) => (member === "mary" ? null : { conversation: "c" }));
  const chosen = new Set(["linus", "mary", "alan"]);
  equal(await rosters.add("c", chosen, (words) => said.push(words)), null);
  equal([[...chosen], said], [["mary", "alan"], ["not mary"]]);
}

export async function test_a_new_conversation_is_gone_to_even_with_fewer_in_it() {
  const { rosters, said } = played((member) => (member === "mary" ? null : { conversation: "d" }));
  const into = await rosters.add("pair", new Set(["linus", "mary"]), (words) => said.push(words));
  equal([into, said], ["d", ["aside: not mary"]]);
}
