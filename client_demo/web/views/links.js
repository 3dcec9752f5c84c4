/** Addresses in a text become links, names that it mentions are marked; all else stays text. */

import { mentionsIn } from "../model/mentions.js";
import { h } from "./dom.js";

/** @typedef {import("../protocol/types.js").Profile} Profile */

const ADDRESS = /https?:\/\/[^\s<>"]+[^\s<>".,;:!?')\]]/g;

/** @param {string} text @returns {(Node | string)[]} */
export function linked(text) {
  const parts = [];
  let from = 0;
  for (const { 0: href, index } of text.matchAll(ADDRESS)) {
    parts.push(text.slice(from, index));
    parts.push(h("a", { href, target: "_blank", rel: "noopener noreferrer" }, href));
    from = index + href.length;
  }
  return [...parts, text.slice(from)];
}

/**
 * @param {string} text
 * @param {Profile[]} mentioned
 * @param {string} me
 * @returns {(Node | string)[]}
 */
export function marked(text, mentioned, me) {
  const parts = [];
  let from = 0;
  for (const { from: at, to, member } of mentionsIn(text, mentioned)) {
    parts.push(...linked(text.slice(from, at)));
    const name = member === me ? "mention oneself" : "mention";
    parts.push(h("span", { class: name }, text.slice(at, to)));
    from = to;
  }
  return [...parts, ...linked(text.slice(from))];
}
