/**
 * Which conversation is open, as the address says it: so that a phone's back button goes back
 * to the list, and a reload comes back to the same place.
 */

const CONVERSATION = "#c/";
const TO = "#to/";

/** @typedef {{conversation: string} | {to: string} | null} Route */

/** @param {string} hash @returns {Route} */
export function readRoute(hash) {
  if (hash.startsWith(CONVERSATION)) return { conversation: hash.slice(CONVERSATION.length) };
  if (hash.startsWith(TO)) return { to: hash.slice(TO.length) };
  return null;
}

/** @param {Route} route @returns {string} */
export function writeRoute(route) {
  if (route === null) return "#";
  return "conversation" in route ? CONVERSATION + route.conversation : TO + route.to;
}
