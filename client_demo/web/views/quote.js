/** What a message answers: a line of it over the answer, and over where one writes one. */

import { fill, h, hidden } from "./dom.js";

/** @typedef {import("../model/messenger.js").Messenger} Messenger */
/** @typedef {import("../model/state.js").State} State */
/** @typedef {import("../protocol/types.js").Message} Message */

const MOST_CHARACTERS = 200; // more than a line shows

/** Who wrote it, and how it begins. @param {Message} message @param {State} state */
export function quoted({ sender, body = "", deleted_at: deleted }, { me, people }) {
  const text = body.replace(/\s+/g, " ").slice(0, MOST_CHARACTERS);
  return {
    who: sender === me ? "You" : people.name(sender),
    text: deleted === undefined ? text : "Message deleted",
  };
}

/**
 * Over an answer.
 * @param {ReturnType<typeof quoted> | null} quote Null where that message is not on the page.
 * @param {() => void} goTo Show the message that it quotes.
 */
export function quoteLine(quote, goTo) {
  const says = hidden("In reply to ");
  if (quote === null) return h("p", { class: "quote" }, says, "An earlier message");
  const { who, text } = quote;
  const about = { type: "button", class: "quote", title: "Go to this message" };
  return h("button", { ...about, on: { click: goTo } }, says, h("b", {}, `${who}:`), ` ${text}`);
}

/**
 * Over where one writes: the message that is being answered, until it is sent or given up.
 * @param {Messenger} messenger
 * @param {() => void} changed
 */
export function answering({ state }, changed) {
  const words = h("p", { class: "quote", id: "answering" });
  const cancel = h("button", { type: "button", class: "link" }, "Cancel");
  const element = h("div", { class: "answering", hidden: true }, words, cancel);
  /** @type {Message | null} */
  let answered = null;

  /** @param {Message | null} message */
  function to(message) {
    answered = message;
    draw();
  }

  /** The message as it is now; what is deleted or gone is answered no more. */
  function draw() {
    const { openId, timelines } = state;
    const held = answered === null || openId === null ? null : timelines.get(openId);
    answered = held?.find(answered?.message ?? "") ?? null;
    if (answered?.deleted_at !== undefined) answered = null;
    element.hidden = answered === null;
    changed();
    if (answered === null) return;
    const { who, text } = quoted(answered, state);
    fill(words, "Replying to ", h("b", {}, `${who === "You" ? "yourself" : who}:`), ` ${text}`);
  }

  return { element, cancel, to, draw, id: () => answered?.message ?? "" };
}
