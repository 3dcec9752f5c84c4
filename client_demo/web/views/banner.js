/** How the connection stands, in one line above everything; nothing while all is well. */

import { fill, h } from "./dom.js";

/** @typedef {import("../net/link.js").LinkState} LinkState */

const SHOWN_AFTER_MS = 400; // a first connection is quicker than that: no flicker

/**
 * @param {object} ports
 * @param {import("../net/clock.js").Clock} ports.clock
 * @param {() => void} ports.now Try at once.
 * @param {() => void} ports.signIn Go back to the door.
 */
export function banner({ clock, now, signIn }) {
  const words = h("span", { role: "status" });
  const action = h("button", { type: "button", class: "banner-action" });
  const element = h("div", { class: "banner", hidden: true }, words, action);
  /** @type {LinkState} */
  let state = { phase: "idle" };
  /** @type {() => void} */
  let cancel = () => {};

  action.addEventListener("click", () => (state.phase === "stopped" ? signIn() : now()));

  /** @param {LinkState} next */
  function show(next) {
    state = next;
    cancel();
    const { phase } = state;
    if (phase === "live" || phase === "idle") element.hidden = true;
    else if (phase === "connecting" && element.hidden) cancel = clock.after(SHOWN_AFTER_MS, draw);
    else draw();
  }

  function draw() {
    element.hidden = false;
    element.classList.toggle("stopped", state.phase === "stopped");
    action.hidden = state.phase === "connecting";
    fill(action, state.phase === "stopped" ? "Sign in" : "Try now");
    if (state.phase === "waiting") {
      const seconds = Math.max(1, Math.ceil((state.until - clock.now()) / 1_000));
      say(`${state.words} Reconnecting in ${seconds} s.`);
      cancel = clock.after(1_000, draw);
    } else {
      say(state.phase === "stopped" ? state.words : "Connecting…");
    }
  }

  /** @param {string} text */
  function say(text) {
    if (words.textContent !== text) words.textContent = text;
  }

  return { element, show };
}
