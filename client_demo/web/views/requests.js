/** Requests to connect, above the conversations while there are any. */

import { avatar } from "./avatar.js";
import { confirmDialog } from "./dialog.js";
import { fill, h, keep } from "./dom.js";

/** @typedef {import("../model/messenger.js").Messenger} Messenger */
/** @typedef {import("../protocol/types.js").Invitation} Invitation */

/** @param {Messenger} messenger */
export function requests(messenger) {
  const { state, changes } = messenger;
  const list = h("ul", { class: "requests-list", role: "list" });
  const heading = h("summary", { class: "section-title" });
  const element = h("details", { class: "requests", open: true, hidden: true }, heading, list);

  function draw() {
    const rows = [...state.invitations.values()].map((invitation) => {
      const { name, headline } = state.people.get(invitation.from);
      return { key: invitation.invitation, signature: `${name}\n${headline}`, invitation };
    });
    element.hidden = rows.length === 0;
    fill(heading, `Requests to connect (${rows.length})`);
    keep(
      list,
      rows,
      () => h("li", { class: "request" }),
      (item, row) => show(item, row.invitation),
    );
  }

  /** @param {HTMLElement} item @param {Invitation} invitation */
  function show(item, { invitation, from, note }) {
    const profile = state.people.get(from);
    const { name } = profile;
    const answer = (/** @type {"accept" | "ignore" | "refuse"} */ how) =>
      void messenger.relations.answer(invitation, how);
    const refuse = () =>
      confirmDialog(
        `You don't know ${name}?`,
        "Their request goes away, and they cannot send you another. They are not told.",
        "I don't know them",
        () => answer("refuse"),
      );
    /** @param {string} look @param {string} words @param {string} label @param {() => void} click */
    const button = (look, words, label, click) =>
      h("button", { type: "button", class: look, "aria-label": label, on: { click } }, words);
    const unknown = "I don't know this person";
    fill(
      item,
      avatar(profile),
      h(
        "div",
        { class: "person-text" },
        h("span", { class: "person-name" }, name),
        h("span", { class: "person-headline" }, profile.headline),
        note ? h("p", { class: "request-note" }, note) : null,
        h(
          "div",
          { class: "request-actions" },
          button("primary small", "Accept", `Accept ${name}`, () => answer("accept")),
          button("plain small", "Ignore", `Ignore ${name}`, () => answer("ignore")),
          button("link small", unknown, `${unknown}: ${name}`, refuse),
        ),
      ),
    );
  }

  changes.on(["invitations", "connections"], draw);
  return element;
}
