/** What one may do with a conversation for oneself alone, reporting it, and closing it. */

import { isArchived } from "../model/own.js";
import { otherIn } from "../model/ways.js";
import { confirmDialog, openDialog } from "./dialog.js";
import { h } from "./dom.js";

/** @typedef {import("../model/messenger.js").Messenger} Messenger */

const REASONS = {
  spam: "It is spam",
  fraud: "It is fraud",
  harassment: "It is harassment",
  threat: "It is a threat",
  impersonation: "They pretend to be somebody else",
  other: "Something else",
};

/** @param {Messenger} messenger @param {() => void} back To the list: it is done with. */
export function openOwn(messenger, back) {
  const { openId: id, conversations } = messenger.state;
  const held = conversations.get(id);
  if (id === null || held === undefined) return;
  const mark = (/** @type {Record<string, boolean>} */ marks) => void messenger.mark(id, marks);
  const archived = isArchived(held);
  const other = otherIn(messenger.state);
  /** @type {[string, () => void][]} */
  const actions = [
    [held.starred ? "Remove star" : "Star", () => mark({ starred: !held.starred })],
    [held.muted ? "Unmute" : "Mute", () => mark({ muted: !held.muted })],
    [
      "Mark as unread",
      () => {
        back();
        mark({ unread: true });
      },
    ],
    [
      archived ? "Move to inbox" : "Archive",
      () => {
        if (!archived) back();
        mark({ archived: !archived });
      },
    ],
    held.reported
      ? ["Take back into inbox", () => mark({ reported: false })]
      : ["Report", () => openReport(messenger, id, back)],
  ];
  if (other !== null) actions.push(blocking(messenger, other));
  const closes = mayClose(messenger);
  const close = h("button", { type: "button", class: "danger" }, "Close this conversation");
  const remove = h("button", { type: "button", class: "danger" }, "Delete for me");
  const buttons = actions.map(([words, run]) =>
    h(
      "button",
      {
        type: "button",
        class: "plain",
        on: {
          click: () => {
            dialog.close();
            run();
          },
        },
      },
      words,
    ),
  );
  const dialog = openDialog(
    "This conversation",
    h("p", { class: "fine" }, "All this is for you alone: nobody else is told."),
    h("div", { class: "own-actions" }, ...buttons, remove),
    closes ? h("p", { class: "fine" }, "This is told to the other:") : null,
    closes ? close : null,
  );
  close.addEventListener("click", () => {
    dialog.close();
    const who = messenger.state.people.firstName(other ?? "");
    confirmDialog(
      `Close this conversation to ${who}?`,
      `${who} can write to you here no more, and is told that it is closed. What was written stays with you both.`,
      "Close it",
      () => void messenger.ways.close(id),
    );
  });
  remove.addEventListener("click", () => {
    dialog.close();
    confirmDialog(
      "Delete this conversation?",
      "Its messages are gone for you, for good. The others keep theirs, and a new message brings it back.",
      "Delete",
      () => {
        back();
        void messenger.clear(id);
      },
    );
  });
}

/** What it says and does to block the other, or to lift that.
 * @param {Messenger} messenger @param {string} other @returns {[string, () => void]} */
function blocking({ state, relations }, other) {
  const who = state.people.firstName(other);
  if (state.blocked.has(other)) return [`Unblock ${who}`, () => void relations.block(other, false)];
  const ask = () =>
    confirmDialog(
      `Block ${who}?`,
      `Nothing new passes between you, and a connection between you ends. ${who} is not told.`,
      "Block",
      () => void relations.block(other, true),
    );
  return [`Block ${who}`, ask];
}

/** Whether an answer or an Open Profile has opened it: connections part instead.
 * @param {Messenger} messenger */
function mayClose({ state }) {
  const held = state.conversations.get(state.openId);
  const other = otherIn(state);
  if (held?.state !== "open" || other === null) return false;
  if (state.connections.has(other) || state.blocked.has(other)) return false;
  return held.last?.kind !== "direct";
}

/** @param {Messenger} messenger @param {string} id @param {() => void} back */
function openReport(messenger, id, back) {
  const reason = h(
    "select",
    { id: "reason" },
    ...Object.entries(REASONS).map(([value, words]) => h("option", { value }, words)),
  );
  const words = h("textarea", { id: "report-text", rows: 3, maxlength: 2000 });
  const send = h("button", { type: "submit", class: "danger" }, "Report");
  const form = h(
    "form",
    { class: "report" },
    h("label", { for: "reason" }, "What is wrong?"),
    reason,
    h("label", { for: "report-text" }, "In your words (optional)"),
    words,
    h(
      "p",
      { class: "fine" },
      "Whoever runs this sees the latest messages and that you reported them. Nobody here is told.",
    ),
    h("div", { class: "dialog-actions" }, send),
  );
  const dialog = openDialog("Report this conversation", form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close();
    back();
    void messenger.report(id, reason.value, words.value.trim());
  });
}
