/** A member's picture: their own, or their initials on a coloured disc. */

import { h } from "./dom.js";

/** @typedef {import("../protocol/types.js").Profile} Profile */

const HUES = 8;

/**
 * Decorative: the name stands beside it.
 * @param {Profile} profile
 * @param {"small" | "medium" | "large"} [size]
 */
export function avatar({ member, name, avatar: url }, size = "medium") {
  const disc = h("span", { class: `avatar ${size} hue-${hueOf(member)}`, "aria-hidden": "true" });
  if (!isPicture(url)) {
    disc.append(initials(name));
    return disc;
  }
  const error = () => disc.replaceChildren(initials(name));
  disc.append(h("img", { src: url, alt: "", loading: "lazy", on: { error } }));
  return disc;
}

/**
 * Two overlapping discs for a conversation of several.
 * @param {Profile[]} profiles
 */
export function avatars(profiles) {
  if (profiles.length === 1) return avatar(profiles[0]);
  const [first, second] = profiles;
  if (second === undefined) return avatar({ member: "", name: "·" });
  return h(
    "span",
    { class: "avatar-pair", "aria-hidden": "true" },
    avatar(second, "small"),
    avatar(first, "small"),
  );
}

/** @param {string | undefined} url @returns {url is string} */
function isPicture(url) {
  return /^(https:\/\/|\/|data:image\/)/.test(url ?? "");
}

/** @param {string} name */
export function initials(name) {
  const words = name.trim().split(/\s+/);
  const ends = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  return ends
    .map((word) => [...word][0] ?? "")
    .join("")
    .toLocaleUpperCase();
}

/** @param {string} member */
function hueOf(member) {
  let sum = 0;
  for (const character of member) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 65_521;
  return sum % HUES;
}
