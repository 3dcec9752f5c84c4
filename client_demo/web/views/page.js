/** The document as a whole: what it shows now, and what it says aloud. */

/** @typedef {import("../model/state.js").State} State */
/** @typedef {import("../protocol/types.js").Message} Message */

/** @returns {(view: HTMLElement) => void} Shows one view in place of the last. */
export function page() {
  const place = /** @type {HTMLElement} */ (document.getElementById("app"));
  return (view) => {
    document.title = "Subrosa";
    place.replaceChildren(view);
  };
}

/** What a screen reader says of a new message: all of it only where it is being read. @param {State} state @param {Message} message */
export function announceMessage({ people, openId }, { sender, conversation, body = "" }) {
  const name = people.name(sender);
  return conversation === openId ? `${name}: ${body}` : `New message from ${name}`;
}
