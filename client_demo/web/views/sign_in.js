/** The door: a sample member to be, or a token to paste. */

import { avatar } from "./avatar.js";
import { h } from "./dom.js";

/** @typedef {import("../protocol/types.js").Profile} Profile */

/**
 * @param {Profile[]} members
 * @param {(member: string) => void} choose
 */
export function memberDoor(members, choose) {
  const people = members.map((profile) =>
    h(
      "li",
      {},
      h(
        "button",
        { class: "person", type: "button", on: { click: () => choose(profile.member) } },
        avatar(profile),
        h(
          "span",
          { class: "person-text" },
          h("span", { class: "person-name" }, profile.name),
          h("span", { class: "person-headline" }, profile.headline),
        ),
      ),
    ),
  );
  return door(
    h(
      "p",
      { class: "door-lead" },
      "Sign in as one of the sample members. Open a second window to be another.",
    ),
    h("ul", { class: "people", role: "list" }, ...people),
  );
}

/** @param {(token: string) => void} enter The token stays in memory. */
export function tokenDoor(enter) {
  const field = h("input", {
    id: "token",
    type: "password",
    autocomplete: "off",
    spellcheck: "false",
    required: true,
  });
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const token = field.value.trim();
    field.value = "";
    if (token) enter(token);
  };
  return door(
    h(
      "p",
      { class: "door-lead" },
      "Your network signs you in with a token. To try this page, paste one.",
    ),
    h(
      "form",
      { class: "token-form", on: { submit } },
      h("label", { for: "token" }, "Token"),
      field,
      h("button", { class: "primary", type: "submit" }, "Sign in"),
    ),
    h("p", { class: "fine" }, "It is kept in memory until this page is closed, and nowhere else."),
  );
}

/** @param {string} words @param {() => void} again */
export function closedDoor(words, again) {
  return door(
    h("p", { class: "door-lead", role: "alert" }, words),
    h("button", { class: "primary", type: "button", on: { click: again } }, "Try again"),
  );
}

/** @param {...HTMLElement} content */
function door(...content) {
  return h(
    "main",
    { class: "door" },
    h(
      "div",
      { class: "door-card" },
      h("img", { class: "door-rose", src: "/assets/rose.svg", alt: "", width: 64, height: 64 }),
      h("h1", { class: "wordmark" }, "Subrosa"),
      ...content,
    ),
  );
}
