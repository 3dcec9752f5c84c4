/** While "@" and a name are written: those whom it may be, to choose one from. */

import { mentionAt, offered } from "../model/mentions.js";
import { personParts } from "./choose.js";
import { fill, h } from "./dom.js";

/** @typedef {import("../model/state.js").State} State */
/** @typedef {import("../protocol/types.js").Profile} Profile */

const MOST_OFFERED = 8; // more words find the rest
const AWAY = "Not in this conversation. In the group, they can read from this message on.";

/**
 * The focus stays in the field; the keys move within the list.
 * @param {State} state
 * @param {HTMLTextAreaElement} field
 * @param {() => void} written A name was put into the field.
 */
export function mentionList(state, field, written) {
  const list = h("ul", {
    id: "mention-list",
    class: "mention-list",
    role: "listbox",
    "aria-label": "People to mention",
  });
  const said = h("p", { class: "sr-only", role: "status" });
  const element = h("div", { class: "mention-place" }, list, said);
  list.hidden = true;
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-haspopup", "listbox");

  /** @type {ReturnType<typeof offered>} */
  let found = [];
  let at = 0;
  /** Where the "@" stands that was told to be none. @type {number | null} */
  let dismissed = null;
  /** @type {Map<string, Profile>} Since the last message. */
  const chosen = new Map();

  /** @param {boolean} may Whether there is anything to mention somebody in. */
  function draw(may) {
    const begun = may ? mentionAt(field.value, field.selectionStart) : null;
    if (begun?.from !== dismissed) dismissed = null;
    const shows = begun !== null && dismissed === null;
    const before = found[at]?.profile.member;
    found = shows ? offered(state, begun.words).slice(0, MOST_OFFERED) : [];
    at = Math.max(0, found.findIndex(({ profile }) => profile.member === before));
    show();
  }

  function show() {
    const open = found.length > 0;
    if (open === list.hidden) fill(said, open ? manyInWords(found.length) : "");
    list.hidden = !open;
    fill(list, ...found.map(rowOf));
    if (!open) {
      for (const name of ["aria-controls", "aria-activedescendant"]) field.removeAttribute(name);
      return;
    }
    field.setAttribute("aria-controls", list.id);
    field.setAttribute("aria-activedescendant", idOf(at));
    list.children[at].scrollIntoView({ block: "nearest" });
  }

  /** @param {{profile: Profile, here: boolean}} one @param {number} index */
  function rowOf({ profile, here }, index) {
    const mousedown = (/** @type {Event} */ event) => event.preventDefault(); // keeps the focus
    const about = { id: idOf(index), role: "option", "aria-selected": String(index === at) };
    const on = { mousedown, click: () => choose(index) };
    const parts = personParts(profile, profile.name, here ? "" : AWAY);
    return h("li", { ...about, class: "person", on }, ...parts);
  }

  /** @param {number} index */
  function choose(index) {
    const begun = mentionAt(field.value, field.selectionStart);
    const { profile } = found[index];
    if (begun === null) return close();
    chosen.set(profile.member, profile);
    const goesOn = /^\s/.test(field.value.slice(field.selectionStart));
    const name = `@${profile.name}${goesOn ? "" : " "}`;
    field.setRangeText(name, begun.from, field.selectionStart, "end");
    close();
    written();
  }

  function close() {
    found = [];
    show();
  }

  /** Whether a key was for the list. @param {KeyboardEvent} event */
  function keyed(event) {
    if (list.hidden) return false;
    const { key } = event;
    const step = { ArrowDown: 1, ArrowUp: -1 }[key];
    if (step !== undefined) {
      at = (at + step + found.length) % found.length;
      show();
    } else if ((key === "Enter" || key === "Tab") && !event.shiftKey) {
      choose(at);
    } else if (key === "Escape") {
      dismissed = mentionAt(field.value, field.selectionStart)?.from ?? null;
      close();
      event.stopPropagation();
    } else {
      return false;
    }
    event.preventDefault();
    return true;
  }

  return {
    element,
    draw,
    close,
    keyed,
    chosen: () => [...chosen.values()],
    /** Another text stands in the field. */
    forget() {
      chosen.clear();
      dismissed = null;
      close();
    },
  };
}

/** @param {number} index */
function idOf(index) {
  return `mention-${index}`;
}

/** @param {number} count */
function manyInWords(count) {
  const people = count === 1 ? "1 person" : `${count} people`;
  return `${people} to mention: up and down to go through them, Enter to choose.`;
}
