/** Where one writes: a field that grows, sends by Enter, and can take up an earlier message. */

import { mentionedIn } from "../model/mentions.js";
import { writingIn } from "../model/ways.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { mentionList } from "./mention_list.js";
import { answering } from "./quote.js";
import { wayNote } from "./way.js";

/** @typedef {import("../model/messenger.js").Messenger} Messenger */
/** @typedef {import("../protocol/types.js").Message} Message */

const MOST_CHARACTERS = 8_000; // the rulebook's default, until the server has said its own
const INMAIL_CHARACTERS = 2_000; // likewise; of a first one
const DRAFTS_KEPT = 50;
const NEW = "to:";

/** @param {Messenger} messenger */
export function composer(messenger) {
  const { changes } = messenger;
  const field = h("textarea", {
    id: "composer",
    rows: 1,
    maxlength: MOST_CHARACTERS,
    placeholder: "Write a message",
    "aria-label": "Message",
    enterkeyhint: "send",
    dir: "auto",
  });
  const send = h("button", { type: "submit", class: "send", "aria-label": "Send" }, icon("send"));
  const stopEditing = h("button", { type: "button", class: "link" }, "Cancel");
  const editing = h(
    "div",
    { class: "editing", hidden: true },
    h("span", {}, "Editing your message"),
    stopEditing,
  );
  const answer = answering(messenger, () => {
    // Who is in the field hears what it answers.
    if (answer.id() === "") field.removeAttribute("aria-describedby");
    else field.setAttribute("aria-describedby", "answering");
  });
  const mentions = mentionList(messenger.state, field, typed);
  const way = wayNote(messenger, () => {
    anewIn = target;
    drawWay();
    field.focus();
  });
  const form = h(
    "form",
    { class: "composer", on: { submit } },
    mentions.element,
    editing,
    answer.element,
    way.subject,
    h("div", { class: "composer-field" }, field, send),
  );
  const element = h("div", { class: "composer-place" }, way.element, form);

  /** @type {Message | null} */
  let edited = null;
  /** @type {string | null} */
  let target = null;
  /** @type {string | null} Where one writes on although it was closed. */
  let anewIn = null;
  /** @type {Map<string, string>} What was begun where there is no conversation yet. */
  const drafts = new Map();

  field.addEventListener("input", () => {
    mention();
    typed();
  });
  field.addEventListener("click", mention);
  field.addEventListener("keyup", ({ key }) => {
    if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(key)) mention();
  });
  field.addEventListener("blur", () => {
    mentions.close();
    messenger.typing.stop();
    messenger.drafts.flush();
  });
  field.addEventListener("keydown", keyed);
  stopEditing.addEventListener("click", () => cancelEditing());
  answer.cancel.addEventListener("click", () => {
    answer.to(null);
    field.focus();
  });

  function typed() {
    grow();
    if (edited !== null) return;
    const { openId } = messenger.state;
    if (openId !== null) messenger.drafts.typed(openId, field.value);
    if (field.value.trim() === "") messenger.typing.stop();
    else messenger.typed();
  }

  /** Offer whom an "@" at the caret may be; a message that is sent mentions nobody else. */
  function mention() {
    mentions.draw(edited === null);
  }

  /** @param {Event} event */
  function submit(event) {
    event.preventDefault();
    const body = field.value.trim();
    if (body === "") return;
    const message = edited;
    const named = mentionedIn(body, messenger.state, mentions.chosen());
    const about = { subject: way.takeSubject(), replyTo: answer.id(), mentions: named };
    setText("");
    if (message === null) {
      answer.to(null);
      return messenger.send(body, about);
    }
    cancelEditing();
    if (body !== message.body) void messenger.edit(message.message, body);
  }

  /** @param {KeyboardEvent} event */
  function keyed(event) {
    // While an input method is composing, Enter is part of the word.
    if (event.isComposing || mentions.keyed(event)) return;
    const touch = matchMedia("(pointer: coarse)").matches;
    if (event.key === "Enter" && !event.shiftKey && !touch) {
      event.preventDefault();
      form.requestSubmit();
    } else if (event.key === "Escape" && edited !== null) {
      event.stopPropagation();
      cancelEditing();
    } else if (event.key === "Escape" && answer.id() !== "") {
      event.stopPropagation();
      answer.to(null);
    } else if (event.key === "ArrowUp" && field.value === "") {
      const last = lastOwn();
      if (last === undefined) return;
      event.preventDefault();
      edit(last);
    }
  }

  function lastOwn() {
    const { openId, timelines } = messenger.state;
    const messages = openId === null ? [] : (timelines.get(openId)?.messages ?? []);
    return messages.findLast((message) => messenger.mayChange(message));
  }

  /** @param {Message} message */
  function reply(message) {
    if (edited !== null) cancelEditing();
    answer.to(message);
    field.focus();
  }

  /** @param {Message} message */
  function edit(message) {
    answer.to(null);
    edited = message;
    editing.hidden = false;
    drawWay();
    setText(message.body ?? "");
    field.focus();
  }

  function cancelEditing() {
    edited = null;
    editing.hidden = true;
    setText("");
    drawWay();
  }

  /** @param {string} text */
  function setText(text) {
    field.value = text;
    mentions.forget();
    grow();
  }

  function grow() {
    field.style.height = "auto";
    // While it is not displayed it has no height, and one line is right.
    if (field.scrollHeight > 0) field.style.height = `${field.scrollHeight}px`;
  }

  /** Another conversation is open, or this one has changed. */
  function draw() {
    const { state } = messenger;
    if (messenger.target === target) return drawWay();
    if (target !== null) keepDraft(target);
    target = messenger.target;
    anewIn = null;
    edited = null;
    editing.hidden = true;
    answer.to(null);
    way.takeSubject();
    drawWay();
    const held = state.conversations.get(state.openId)?.draft;
    setText(drafts.get(target ?? "") ?? held ?? "");
  }

  /** Whether one may write here, and what a first message would be. */
  function drawWay() {
    const { state } = messenger;
    const { may, fresh } = writingIn(state);
    const writes = may || (fresh !== null && anewIn === target);
    if (may || !writes) anewIn = null;
    const most = state.limits.body_characters ?? MOST_CHARACTERS;
    field.maxLength = fresh?.kind === "inmail" ? Math.min(INMAIL_CHARACTERS, most) : most;
    way.draw(writes, edited !== null);
    const hadFocus = form.contains(document.activeElement);
    form.hidden = !writes;
    if (!writes) answer.to(null);
    if (hadFocus && !writes && !way.element.hidden) way.element.focus(); // it says why
  }

  /** A draft has changed, perhaps on another device: nothing that is being written is lost. */
  function drawDraft() {
    const { openId, conversations } = messenger.state;
    if (openId === null || openId !== target || edited !== null || focused()) return;
    setText(conversations.get(openId)?.draft ?? "");
  }

  function focused() {
    return document.activeElement === field && field.value !== "";
  }

  /** @param {string} of */
  function keepDraft(of) {
    messenger.drafts.flush();
    if (!of.startsWith(NEW)) return;
    drafts.delete(of);
    if (edited === null && field.value !== "") drafts.set(of, field.value);
    for (const old of drafts.keys()) if (drafts.size > DRAFTS_KEPT) drafts.delete(old);
  }

  const standing = ["connections", "invitations", "blocks", "ways", "credits", "groups"];
  changes.on(["open", "list", ...standing], draw);
  changes.on(["drafts"], drawDraft);
  changes.on(["timeline", "list"], answer.draw);
  /** Where one writes, or what says why one cannot. */
  function focus() {
    draw();
    if (form.hidden) way.element.focus();
    else field.focus();
  }

  return { element, reply, edit, draw, focus };
}
