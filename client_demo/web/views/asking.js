/** What a message request asks of who has it before them, and says to who sent it. */

import { asksMe } from "../model/own.js";
import { writingIn } from "../model/ways.js";
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
    if (state.openId !== null) void messenger.ways.answer(state.openId, yes);
  };
  accept.addEventListener("click", answer(true));
  decline.addEventListener("click", answer(false));

  function draw() {
    const held = state.conversations.get(state.openId);
    const sender = held?.last?.sender;
    element.hidden = held?.state !== "request" || sender === undefined;
    if (held === undefined || sender === undefined) return;
    // Across one's own block there is nothing to answer.
    if (writingIn(state).why === "blocked") element.hidden = true;
    const asks = asksMe(held, state.me);
    buttons.hidden = !asks;
    const who = state.people.firstName(sender);
    fill(
      words,
      asks
        ? `${who} asks to write to you. Writing back accepts it.`
        : "Your request waits for an answer.",
    );
  }

  changes.on(["open", "list", "timeline", "blocks"], draw);
  return element;
}
