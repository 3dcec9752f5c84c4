/** Choosing whom to write to: one connection, or several and a title. */

import { avatar } from "./avatar.js";
import { openDialog } from "./dialog.js";
import { fill, h, keep } from "./dom.js";

/** @typedef {import("../model/messenger.js").Messenger} Messenger */
/** @typedef {import("../protocol/types.js").Profile} Profile */

/**
 * @param {Messenger} messenger
 * @param {object} ports
 * @param {(member: string) => void} ports.openTo
 * @param {(conversation: string) => void} ports.open
 */
export function openNewConversation(messenger, { openTo, open }) {
  const { state } = messenger;
  /** @type {Set<string>} */
  const chosen = new Set();
  const filter = h("input", {
    id: "filter",
    type: "search",
    placeholder: "Search your connections",
    "aria-label": "Search your connections",
    autocomplete: "off",
  });
  const list = h("ul", { class: "people compact choose", role: "list" });
  const empty = h("p", { class: "empty" });
  const title = h("input", { id: "new-title", type: "text", maxlength: 100, autocomplete: "off" });
  const titled = h(
    "div",
    { class: "field" },
    h("label", { for: "new-title" }, "Title (optional)"),
    title,
  );
  const start = h("button", { type: "submit", class: "primary" });
  const form = h(
    "form",
    { class: "new-conversation" },
    filter,
    list,
    empty,
    titled,
    h("div", { class: "dialog-actions" }, start),
  );
  const dialog = openDialog("New conversation", form);

  filter.addEventListener("input", draw);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void begin();
  });

  async function begin() {
    const members = [...chosen];
    if (members.length === 0) return;
    dialog.close();
    if (members.length === 1) return openTo(members[0]);
    const id = await messenger.startConversation(members, title.value.trim());
    if (id !== null) open(id);
  }

  function draw() {
    const wanted = filter.value.trim().toLocaleLowerCase();
    const matches = (/** @type {Profile} */ { name, headline }) =>
      `${name} ${headline ?? ""}`.toLocaleLowerCase().includes(wanted);
    const people = [...state.connections.values()].filter(matches);
    people.sort((a, b) => a.name.localeCompare(b.name));
    keep(
      list,
      people.map((profile) => ({ key: profile.member, signature: "", profile })),
      () => h("li"),
      show,
    );
    empty.hidden = people.length > 0;
    fill(
      empty,
      state.connections.size === 0
        ? "You have no connections yet."
        : "None of your connections matches.",
    );
    describe();
  }

  function describe() {
    titled.hidden = chosen.size < 2;
    start.disabled = chosen.size === 0;
    fill(start, chosen.size > 1 ? `Start with ${chosen.size} people` : "Start");
  }

  /** @param {HTMLElement} item @param {{profile: Profile}} row */
  function show(item, { profile }) {
    const { member, name, headline } = profile;
    const box = h("input", { type: "checkbox", checked: chosen.has(member) });
    box.addEventListener("change", () => {
      if (box.checked) chosen.add(member);
      else chosen.delete(member);
      describe();
    });
    fill(
      item,
      h(
        "label",
        { class: "person" },
        avatar(profile),
        h(
          "span",
          { class: "person-text" },
          h("span", { class: "person-name" }, name),
          h("span", { class: "person-headline" }, headline ?? ""),
        ),
        box,
      ),
    );
  }

  draw();
  filter.focus();
}
