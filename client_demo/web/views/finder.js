/** Above the list: which conversations it shows, and searching for words in all of them. */

import { LISTS } from "../model/own.js";
import { titleOf } from "../model/conversations.js";
import { fill, h } from "./dom.js";
import { shortTime } from "./words.js";

/** @typedef {import("../model/messenger.js").Messenger} Messenger */
/** @typedef {import("../model/own.js").List} List */
/** @typedef {import("../protocol/types.js").Message} Message */

/**
 * @param {Messenger} messenger
 * @param {object} ports
 * @param {() => number} ports.now
 * @param {(id: string) => void} ports.open
 * @param {(list: List) => void} ports.choose
 * @param {(searching: boolean) => void} ports.searching Whether what is found is shown instead.
 */
export function finder(messenger, { now, open, choose, searching }) {
  const { state } = messenger;
  const field = h("input", {
    type: "search",
    class: "find",
    placeholder: "Search messages",
    "aria-label": "Search messages",
    maxlength: 200,
    enterkeyhint: "search",
  });
  const list = h(
    "select",
    { class: "which", "aria-label": "Conversations shown" },
    ...Object.entries(LISTS).map(([value, words]) => h("option", { value }, words)),
  );
  const form = h("form", { class: "finder", role: "search" }, field, list);
  const found = h("ul", { class: "conversations", role: "list" });
  const words = h("p", { class: "empty", role: "status" });
  const more = h("button", { type: "button", class: "plain more", hidden: true }, "Search further");
  const results = h("div", { class: "list", hidden: true }, found, words, more);

  /** @type {string | undefined} */
  let next;
  let asked = 0; // an answer to an earlier question is not shown

  /** @param {boolean} onwards */
  async function search(onwards) {
    const query = field.value.trim();
    asked += 1;
    const mine = asked;
    if (query === "") return show(false);
    if (!onwards) fill(found);
    fill(words, "Searching…");
    more.hidden = true;
    show(true);
    let page = await messenger.search(query, onwards ? next : undefined);
    // Looking through very many messages takes several answers.
    while (page !== null && mine === asked && page.messages.length === 0 && page.next)
      page = await messenger.search(query, page.next);
    if (mine !== asked) return;
    next = page?.next;
    found.append(...(page?.messages ?? []).map(rowOf));
    more.hidden = next === undefined;
    fill(words, found.children.length === 0 && page !== null ? "Nothing found." : "");
  }

  /** @param {Message} message */
  function rowOf({ conversation, sender, body = "", sent_at: at }) {
    const held = state.conversations.get(conversation);
    const title = held === undefined ? "" : titleOf(held, state.me, state.people);
    const who = sender === state.me ? "You" : state.people.firstName(sender);
    return h(
      "li",
      {},
      h(
        "button",
        { type: "button", class: "conversation-row found", on: { click: () => open(conversation) } },
        h("span", { class: "row-title" }, title),
        h("span", { class: "row-time" }, shortTime(at, now())),
        h("span", { class: "row-preview" }, `${who}: ${body}`),
      ),
    );
  }

  /** @param {boolean} on */
  function show(on) {
    results.hidden = !on;
    searching(on);
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void search(false);
  });
  field.addEventListener("input", () => {
    if (field.value === "") void search(false);
  });
  more.addEventListener("click", () => void search(true));
  list.addEventListener("change", () => {
    field.value = "";
    void search(false);
    choose(/** @type {List} */ (list.value));
  });
  return { form, results };
}
