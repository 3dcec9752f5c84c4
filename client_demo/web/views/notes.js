/** Words in passing: a toast for what did not work, and announcements for screen readers. */

import { h } from "./dom.js";

const TOAST_MS = 6_000;
const SETTLE_MS = 300; // a burst is announced once, by its last message

/** @param {import("../net/clock.js").Clock} clock */
export function notes(clock) {
  const toast = h("div", { class: "toast", role: "alert", hidden: true });
  const live = h("div", { class: "sr-only", "aria-live": "polite" });
  /** @type {() => void} */
  let cancelToast = () => {};
  /** @type {() => void} */
  let cancelLive = () => {};

  return {
    elements: [toast, live],
    /** @param {string} words */
    problem(words) {
      cancelToast();
      toast.textContent = words;
      toast.hidden = false;
      cancelToast = clock.after(TOAST_MS, () => (toast.hidden = true));
    },
    /** @param {string} words */
    announce(words) {
      cancelLive();
      cancelLive = clock.after(SETTLE_MS, () => (live.textContent = words));
    },
  };
}
