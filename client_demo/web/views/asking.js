/** What a message request asks of who has it before them, and says to who sent it. */

import { fill, h } from "./dom.js";

/** @typedef {import("../model/messenger.js").Messenger} Messenger */

/** How a message was allowed, in words; nothing for a direct one. @type {Record<string, string>} */
export const KINDS = { open_profile: "Open Profile", group: "Group", inmail: "InMail" };

/** @param {Messenger} messenger */
export function asking(messenger) {
  const { state, changes } = messenger;
  const words = h("p", {});
  const accept = h("button", { type: "button", class: "primary small" }, "Accept");
  const decline = h("button", { type: "button", class: "plain small" }, "Decline");
  const buttons = h("div", { class: "request-actions" }, accept, decline);
  const element = h("div", { class: "asking", role: "note", hidden: true }, words, buttons);
  const answer = (/** @type {boolean} */ yes) => () => {
    if (state.openId !== null) void messenger.answerRequest(state.openId, yes);
  };
  accept.addEventListener("click", answer(true));
  decline.addEventListener("click", answer(false));

  function draw() {
    const held = state.conversations.get(state.openId);
    element.hidden = held?.state !== "request" || held.last === undefined;
    if (held?.last === undefined || element.hidden) return;
    const mine = held.last.sender === state.me;
    buttons.hidden = mine;
    fill(
      words,
      mine
        ? "Your request waits for an answer."
        : `${state.people.firstName(held.last.sender)} asks to write to you. Writing back accepts it.`,
    );
  }

  changes.on(["open", "list", "timeline"], draw);
  return element;
}
