/** Addresses in a text become links; everything else stays text. */

import { h } from "./dom.js";

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
