/** Requests to connect, above the conversations while there are any. */

import { avatar } from "./avatar.js";
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
    const answer = (/** @type {boolean} */ accept) => ({
      click: () => void messenger.relations.answer(invitation, accept),
    });
    fill(
      item,
      avatar(profile),
      h(
        "div",
        { class: "person-text" },
        h("span", { class: "person-name" }, profile.name),
        h("span", { class: "person-headline" }, profile.headline),
        note ? h("p", { class: "request-note" }, note) : null,
        h(
          "div",
          { class: "request-actions" },
          h(
            "button",
            {
              type: "button",
              class: "primary small",
              "aria-label": `Accept ${profile.name}`,
              on: answer(true),
            },
            "Accept",
          ),
          h(
            "button",
            {
              type: "button",
              class: "plain small",
              "aria-label": `Ignore ${profile.name}`,
              on: answer(false),
            },
            "Ignore",
          ),
        ),
      ),
    );
  }

  changes.on(["invitations", "connections"], draw);
  return element;
}
