/** A few emojis to react with, beside the message they are for. */

import { h } from "./dom.js";

const EMOJIS = [
  ["👍", "Thumbs up"],
  ["❤️", "Heart"],
  ["😂", "Laughing"],
  ["🎉", "Celebrate"],
  ["👏", "Applause"],
  ["🤔", "Thinking"],
  ["🌹", "Rose"],
];

/**
 * Closes by a choice, by Escape, or when the focus goes elsewhere.
 * @param {HTMLElement} button What opened it; gets the focus back.
 * @param {(emoji: string) => void} choose
 */
export function openPicker(button, choose) {
  const line = button.parentElement;
  if (line === null || line.querySelector(".picker") !== null) return;
  const picker = h(
    "div",
    { class: "picker", role: "group", "aria-label": "React with" },
    ...EMOJIS.map(([emoji, label]) =>
      h(
        "button",
        { type: "button", class: "emoji", "aria-label": label, on: { click: () => chosen(emoji) } },
        emoji,
      ),
    ),
  );

  function close() {
    picker.remove();
    button.removeAttribute("aria-expanded");
  }

  /** @param {string} emoji */
  function chosen(emoji) {
    button.focus();
    close();
    choose(emoji);
  }

  picker.addEventListener("keydown", (event) => {
    const emojis = [...picker.querySelectorAll("button")];
    const at = emojis.indexOf(/** @type {HTMLButtonElement} */ (event.target));
    if (event.key === "Escape") {
      button.focus();
      close();
    } else if (event.key === "ArrowRight") emojis[(at + 1) % emojis.length].focus();
    else if (event.key === "ArrowLeft") emojis.at(at - 1)?.focus();
    else return;
    event.stopPropagation();
    event.preventDefault();
  });
  picker.addEventListener("focusout", ({ relatedTarget }) => {
    if (!(relatedTarget instanceof Node && picker.contains(relatedTarget))) close();
  });
  button.setAttribute("aria-expanded", "true");
  line.append(picker);
  picker.querySelector("button")?.focus();
}
