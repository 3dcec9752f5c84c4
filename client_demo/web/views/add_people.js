/** Bringing people into the open conversation; into one of two, which begins another. */

import { addsPeople, newcomersTo } from "../model/rosters.js";
import { chooser } from "./choose.js";
import { openDialog, problemLine } from "./dialog.js";
import { fill, h } from "./dom.js";

/** @typedef {import("../model/messenger.js").Messenger} Messenger */

/** @type {Record<string, string>} What becomes of what was written, by the conversation's kind. */
const ABOUT = {
  one_to_one: "This begins a new conversation of all of you. What you two have written stays here.",
  several: "They may see what was written before. Everybody here is told.",
  group: "Only members of the group can come in. They may see what was written before.",
};

/** @param {Messenger} messenger @param {(conversation: string) => void} open */
export function openAddPeople(messenger, open) {
  const { state, changes, rosters } = messenger;
  const { openId } = state;
  const held = state.conversations.get(openId);
  if (openId === null || held === undefined) return;
  const { kind } = held;
  const add = h("button", { type: "submit", class: "primary" });
  const wrong = problemLine();
  const people = chooser({
    label: "Search people by name or id",
    from: () => newcomersTo(state.conversations.get(openId) ?? held, state),
    byId: kind === "group",
    none: (words) => (words === "" ? "There is nobody else you could add." : "Nobody matches."),
    changed: describe,
  });
  const form = h(
    "form",
    { class: "new-conversation" },
    people.element,
    h("p", { class: "fine" }, ABOUT[kind]),
    wrong.element,
    h("div", { class: "dialog-actions" }, add),
  );
  const dialog = openDialog("Add people", form);
  let asking = false;

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (people.chosen.size > 0 && !asking) void bringIn(openId);
  });

  /** @param {string} id */
  async function bringIn(id) {
    wrong.say("");
    asking = true;
    describe();
    const into = await rosters.add(id, people.chosen, wrong.say);
    asking = false;
    people.draw();
    if (into === null) return;
    dialog.close();
    if (into !== id) open(into);
  }

  function describe() {
    const { size } = people.chosen;
    add.disabled = size === 0 || asking;
    fill(add, size === 0 ? "Add" : `Add ${size === 1 ? "1 person" : `${size} people`}`);
  }

  /** Who has come in meanwhile is not to be chosen; who may not add any more chooses nobody. */
  function draw() {
    const now = state.conversations.get(openId);
    if (now === undefined || !addsPeople(now, state)) return dialog.close();
    const left = new Set(newcomersTo(now, state).map(({ member }) => member));
    for (const { member } of now.participants) if (!left.has(member)) people.chosen.delete(member);
    people.draw();
  }

  const stop = changes.on(["list", "connections", "groups"], draw);
  dialog.addEventListener("close", stop);
  people.draw();
  people.focus();
}
