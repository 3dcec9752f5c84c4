/** Choosing people from a list that is searched by name. */

import { avatar } from "./avatar.js";
import { fill, h, keep } from "./dom.js";

/** @typedef {import("../protocol/types.js").Profile} Profile */

const ID = /^[A-Za-z0-9_.-]{1,64}$/;

/**
 * @param {object} ports
 * @param {string} ports.label Of the field that searches.
 * @param {() => Profile[]} ports.from Those who may be chosen.
 * @param {boolean} [ports.byId] Whether somebody unknown may be chosen by their id.
 * @param {(words: string) => string} ports.none What to say, if anything, where nobody matches.
 * @param {() => void} ports.changed Others are chosen, or searched for.
 */
export function chooser({ label, from, byId = false, none, changed }) {
  /** @type {Set<string>} */
  const chosen = new Set();
  const filter = h("input", {
    type: "search",
    placeholder: label,
    "aria-label": label,
    autocomplete: "off",
  });
  const list = h("ul", { class: "people compact choose", role: "list" });
  const empty = h("p", { class: "empty" });
  const element = h("div", { class: "chooser" }, filter, list, empty);
  filter.addEventListener("input", draw);

  function draw() {
    const words = wanted();
    const people = matching(all(), words);
    if (byId && people.length === 0) people.push(...whoeverHas(words));
    keep(
      list,
      people.map((profile) => ({ key: profile.member, signature: "", profile })),
      () => h("li"),
      show,
    );
    const say = people.length > 0 ? "" : none(words);
    empty.hidden = say === "";
    fill(empty, say);
    changed();
  }

  /** Those chosen by an id stay in sight. */
  function all() {
    const known = from();
    const ids = new Set(known.map(({ member }) => member));
    return [...known, ...[...chosen].filter((id) => !ids.has(id)).flatMap(whoeverHas)];
  }

  function wanted() {
    return filter.value.trim();
  }

  /** @param {HTMLElement} item @param {{profile: Profile}} row */
  function show(item, { profile }) {
    const { member } = profile;
    const box = h("input", { type: "checkbox", checked: chosen.has(member) });
    box.addEventListener("change", () => {
      if (box.checked) chosen.add(member);
      else chosen.delete(member);
      changed();
    });
    fill(item, h("label", { class: "person" }, ...personParts(profile), box));
  }

  return { element, chosen, draw, wanted, focus: () => filter.focus() };
}

/** Those whose name, id or headline has these words, by name.
 * @param {Profile[]} people @param {string} words */
export function matching(people, words) {
  const wanted = words.toLocaleLowerCase();
  return people
    .filter(({ member, name, headline = "" }) =>
      `${name} ${member} ${headline}`.toLocaleLowerCase().includes(wanted),
    )
    .sort((a, b) => a.name.localeCompare(b.name));
}

/** Whoever has these words as their id, if they are one: nobody says who that is, or whether.
 * @param {string} words @returns {Profile[]} */
export function whoeverHas(words) {
  return ID.test(words) ? [{ member: words, name: words, headline: "Whoever has this id" }] : [];
}

/** A member's picture, name and headline, and what they are here.
 * @param {Profile} profile @param {string} [name] @param {string} [role] */
export function personParts(profile, name = profile.name, role = "") {
  return [
    avatar(profile),
    h(
      "span",
      { class: "person-text" },
      h("span", { class: "person-name" }, name),
      role !== "" && h("span", { class: "person-role" }, role),
      h("span", { class: "person-headline" }, profile.headline ?? ""),
    ),
  ];
}
