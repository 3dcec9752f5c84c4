/**
 * Above where one writes: which way a first message takes, what it costs and what it is about; or
 * why one cannot write here and what would change that.
 */

import { otherIn, writingIn } from "../model/ways.js";
import { fill, h } from "./dom.js";
import { askToWithdraw } from "./invited.js";
import { creditsInWords } from "./words.js";

/** @typedef {import("../model/messenger.js").Messenger} Messenger */
/** @typedef {import("../model/state.js").State} State */
/** @typedef {import("../model/ways.js").Writing} Writing */

/** @type {Record<string, string>} Why one cannot write. */
const WHY = {
  left: "You are out of this conversation. What was written until then stays here.",
  viewer: "You were mentioned here and can read from there on. Only participants write.",
  managers: "Only the group's owner and managers write here.",
  closed: "This conversation is closed.",
};

/**
 * @param {Messenger} messenger
 * @param {() => void} anew Write again where it was closed: a way is open.
 */
export function wayNote(messenger, anew) {
  const { state } = messenger;
  const words = h("div", { class: "way-words", role: "status" });
  const invite = h("button", { type: "button", class: "plain small" }, "Ask to connect");
  const withdraw = h("button", { type: "button", class: "plain small" }, "Withdraw request");
  const again = h("button", { type: "button", class: "plain small" }, "Write anew");
  const buttons = h("div", { class: "request-actions" }, again, invite, withdraw);
  const element = h(
    "div",
    { class: "way", role: "group", "aria-label": "Writing here", tabindex: -1 },
    words,
    buttons,
  );
  const subject = h("input", {
    type: "text",
    class: "composer-subject",
    placeholder: "Subject (optional)",
    "aria-label": "Subject",
    maxlength: 200,
    autocomplete: "off",
    hidden: true,
  });

  invite.addEventListener("click", () => {
    const other = otherIn(state);
    if (other !== null) void messenger.relations.invite(other);
  });
  again.addEventListener("click", anew);
  withdraw.addEventListener("click", () => {
    const other = otherIn(state);
    const invitation = other === null ? undefined : askedOf(other);
    if (other !== null && invitation !== undefined) askToWithdraw(messenger, invitation, other);
  });

  /** The request to connect that waits for a member. @param {string} member */
  function askedOf(member) {
    return [...state.invited].find(([, to]) => to === member)?.[0];
  }

  /** @param {boolean} writes Whether one writes here now. @param {boolean} edits An earlier message. */
  function draw(writes, edits) {
    const writing = writingIn(state);
    const { why, fresh } = writing;
    const focused = [invite, again, withdraw].find((one) => one === document.activeElement);
    const other = otherIn(state) ?? "";
    subject.hidden = edits || !writes || fresh?.kind !== "inmail";
    // A request that waits says so by itself.
    element.hidden = why === "request" || (writes && fresh === null);
    if (element.hidden) return;
    element.classList.toggle("composer-closed", !writes);
    const asked = askedOf(other) !== undefined;
    withdraw.hidden = !asked;
    invite.hidden = asked || !mayInvite(writing);
    again.hidden = writes || fresh === null;
    buttons.hidden = invite.hidden && again.hidden && withdraw.hidden;
    const inWords = writes ? freshInWords : whyInWords;
    const lines = inWords(other, writing, state);
    if (asked) lines.push(`You have asked ${state.people.firstName(other)} to connect.`);
    const said = lines.join("\n");
    // It is read aloud when it says something else, and only then.
    if (words.dataset.said !== said) fill(words, ...lines.map((line) => h("p", {}, line)));
    words.dataset.said = said;
    if (focused?.hidden) element.focus(); // stay where the button was
  }

  /** What a first message is about, which is then said. */
  function takeSubject() {
    const about = subject.hidden ? "" : subject.value.trim();
    subject.value = "";
    return about;
  }

  return { element, subject, draw, takeSubject };
}

/** @param {Writing} writing */
function mayInvite({ ways }) {
  return ways.some(({ kind, allowed }) => kind === "direct" && !allowed);
}

/** @param {string} other @param {Writing} writing @param {State} state @returns {string[]} */
function freshInWords(other, { fresh }, { people, balance }) {
  const who = people.firstName(other);
  if (fresh?.kind === "open_profile")
    return [`${who} has an Open Profile: anybody may write, free.`];
  const request = `${who} accepts, declines or answers it.`;
  if (fresh?.kind === "group")
    return [`You are in a group together. Your first message is a request, and free: ${request}`];
  const cost = fresh?.cost ?? 0;
  if (cost === 0) return [`Your first message is an InMail, and free: ${request}`];
  const price = balance === null ? creditsInWords(cost) : `${cost} of your ${balance} credits`;
  const asked = "You are asked before it is spent, and any answer gives it back.";
  return [`Your first message is an InMail, for ${price}. ${asked}`];
}

/** @param {string} other @param {Writing} writing @param {State} state @returns {string[]} */
function whyInWords(other, { why, ways, fresh }, state) {
  if (why === "unreachable") return [state.explained?.words ?? ""];
  if (why === "blocked")
    return [`You have blocked ${state.people.firstName(other)}: nothing passes between you.`];
  const first = WHY[why] ?? `You cannot write to ${state.people.firstName(other)} at the moment.`;
  return fresh === null ? [first, ...opening(ways, state)] : [first];
}

/** What would open a way besides connecting, for which there is a button.
 * @param {Writing["ways"]} ways @param {State} state */
function opening(ways, { balance }) {
  return ways.flatMap(({ cost, needs }) => {
    if (needs.includes("upgrade")) return "An InMail needs a plan other than basic.";
    if (needs.includes("wait"))
      return "You have made all of this month's requests to members of your groups.";
    if (!needs.includes("buy credits")) return [];
    return `An InMail costs ${creditsInWords(cost)}, and you have ${balance || "none"}.`;
  });
}
