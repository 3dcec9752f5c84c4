/** Choosing whom to write to: one connection, several and a title, or somebody who is none. */

import { chooser, matching, personParts, whoeverHas } from "./choose.js";
import { openDialog } from "./dialog.js";
import { fill, h } from "./dom.js";

/** @typedef {import("../model/messenger.js").Messenger} Messenger */
/** @typedef {import("../protocol/types.js").Profile} Profile */

const MOST_OTHERS = 8; // shown of those who are no connections; more words find the rest

/**
 * @param {Messenger} messenger
 * @param {object} ports
 * @param {(member: string) => void} ports.openTo
 * @param {(conversation: string) => void} ports.open
 */
export function openNewConversation(messenger, { openTo, open }) {
  const { state } = messenger;
  const title = h("input", { id: "new-title", type: "text", maxlength: 100, autocomplete: "off" });
  const titled = h(
    "div",
    { class: "field" },
    h("label", { for: "new-title" }, "Title (optional)"),
    title,
  );
  const start = h("button", { type: "submit", class: "primary" });
  const others = h("ul", { class: "people compact", role: "list" });
  const elsewhere = h(
    "div",
    { class: "others" },
    h("h3", { class: "section-title" }, "Not connected to you"),
    others,
  );
  const people = chooser({
    label: "Search by name or id",
    from: () => [...state.connections.values()],
    none: (words) => {
      if (strangers(words).length > 0) return "";
      return state.connections.size === 0 ? "You have no connections yet." : "Nobody matches.";
    },
    changed: describe,
  });
  const form = h(
    "form",
    { class: "new-conversation" },
    people.element,
    elsewhere,
    titled,
    h("div", { class: "dialog-actions" }, start),
  );
  const dialog = openDialog("New conversation", form);

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void begin();
  });

  async function begin() {
    const members = [...people.chosen];
    if (members.length === 0) return;
    dialog.close();
    if (members.length === 1) return openTo(members[0]);
    const id = await messenger.rosters.start(members, title.value.trim());
    if (id !== null) open(id);
  }

  function describe() {
    const { size } = people.chosen;
    titled.hidden = size < 2;
    start.disabled = size === 0;
    fill(start, size > 1 ? `Start with ${size} people` : "Start");
    const found = strangers(people.wanted());
    elsewhere.hidden = found.length === 0 || size > 0;
    fill(others, ...found.map(strangerRow));
  }

  /** Members who are no connections: those the page has heard of, or whoever has this very id.
   * @param {string} words @returns {Profile[]} */
  function strangers(words) {
    if (words === "") return [];
    const { me, people: heard, connections } = state;
    const unknown = heard.besides((member) => member === me || connections.has(member));
    const found = matching(unknown, words).slice(0, MOST_OTHERS);
    const nobody = found.length === 0 && matching([...connections.values()], words).length === 0;
    return nobody && words !== me ? whoeverHas(words) : found;
  }

  /** @param {Profile} profile */
  function strangerRow(profile) {
    const click = () => {
      dialog.close();
      openTo(profile.member);
    };
    return h(
      "li",
      {},
      h(
        "button",
        { type: "button", class: "person", title: `Write to ${profile.name}`, on: { click } },
        ...personParts(profile),
      ),
    );
  }

  people.draw();
  people.focus();
}
