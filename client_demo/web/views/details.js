/** Who is in a conversation of several, what it is called, and the way out of it. */

import { avatar } from "./avatar.js";
import { confirmDialog, openDialog } from "./dialog.js";
import { fill, h } from "./dom.js";

/** @typedef {import("../model/messenger.js").Messenger} Messenger */

/** @param {Messenger} messenger */
export function openDetails(messenger) {
  const { state, changes } = messenger;
  const { openId } = state;
  const conversation = state.conversations.get(openId);
  if (openId === null || conversation === undefined) return;
  const title = h("input", {
    id: "title",
    type: "text",
    maxlength: 100,
    value: conversation.title ?? "",
    autocomplete: "off",
  });
  const rename = h(
    "form",
    { class: "field-row" },
    title,
    h("button", { type: "submit", class: "plain" }, "Rename"),
  );
  const people = h("ul", { class: "people compact", role: "list" });
  const leave = h("button", { type: "button", class: "danger" }, "Leave");
  const isOpen = conversation.state === "open";
  const dialog = openDialog(
    "People in this conversation",
    isOpen ? h("label", { for: "title" }, "Title") : null,
    isOpen ? rename : null,
    people,
    isOpen ? h("div", { class: "dialog-actions" }, leave) : null,
  );

  rename.addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close();
    void messenger.rename(openId, title.value.trim());
  });
  leave.addEventListener("click", () => {
    dialog.close();
    confirmDialog(
      "Leave this conversation?",
      "You keep what was written until now, and see nothing after it.",
      "Leave",
      () => void messenger.leave(openId),
    );
  });

  function draw() {
    const now = state.conversations.get(openId)?.participants ?? [];
    const rows = now.map(({ member, name }) => {
      const profile = state.people.get(member);
      return h(
        "li",
        { class: "person" },
        avatar(profile),
        h(
          "span",
          { class: "person-text" },
          h("span", { class: "person-name" }, member === state.me ? `${name} (you)` : name),
          h("span", { class: "person-headline" }, profile.headline),
        ),
      );
    });
    fill(people, ...rows);
  }
  const stop = changes.on(["list"], draw);
  dialog.addEventListener("close", stop);
  draw();
}
