/** Times, lists and counts in a reader's words. Pure: the present is handed in. */

const DAY = 86_400_000;
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long" });
const shortDate = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const longDate = new Intl.DateTimeFormat(undefined, {
  weekday: "long",
  day: "numeric",
  month: "long",
});
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "long", timeStyle: "short" });
const date = new Intl.DateTimeFormat(undefined, { dateStyle: "long" });
const list = new Intl.ListFormat("en", { style: "long", type: "conjunction" });

/** @param {number} at @returns {string} "14:02" */
export function timeOfDay(at) {
  return clock.format(at);
}

/** @param {number} at */
export function fullTime(at) {
  return full.format(at);
}

/** @param {number} at @returns {string} "12 March 2026" */
export function fullDate(at) {
  return date.format(at);
}

/** @param {number} at @param {number} now @returns {string} As short as it can be understood. */
export function shortTime(at, now) {
  const days = daysBetween(at, now);
  if (days <= 0) return clock.format(at);
  if (days === 1) return "Yesterday";
  return days < 7 ? weekday.format(at) : shortDate.format(at);
}

/** @param {number} at @param {number} now */
export function dayName(at, now) {
  const days = daysBetween(at, now);
  if (days <= 0) return "Today";
  return days === 1 ? "Yesterday" : longDate.format(at);
}

/** @param {number} at @returns {string} The same for all moments of one local day. */
export function dayKey(at) {
  return new Date(at).toDateString();
}

/** @param {string[]} names @returns {string} "Ada, Grace and Alan" */
export function namesInWords(names) {
  return list.format(names);
}

/** @param {string[]} names First names. @returns {string} */
export function typingInWords(names) {
  if (names.length === 1) return `${names[0]} is typing`;
  return names.length < 4 ? `${namesInWords(names)} are typing` : "Several people are typing";
}

/** @param {boolean} active @param {number} agoMs @returns {string} "Active 5 min ago" */
export function activeInWords(active, agoMs) {
  const minutes = Math.floor(agoMs / 60_000);
  const days = Math.floor(agoMs / DAY);
  if (active) return "Active now";
  if (minutes < 1) return "Active just now";
  if (minutes < 60) return `Active ${minutes} min ago`;
  if (days < 1) return `Active ${Math.floor(minutes / 60)} h ago`;
  if (days > 30) return "Active over a month ago";
  return days === 1 ? "Active a day ago" : `Active ${days} days ago`;
}

/** @param {number} count @returns {string} "a credit", "3 credits" */
export function creditsInWords(count) {
  return count === 1 ? "a credit" : `${count} credits`;
}

/** @param {number} at @param {number} now */
function daysBetween(at, now) {
  return Math.round((midnight(now) - midnight(at)) / DAY);
}

/** @param {number} at */
function midnight(at) {
  return new Date(at).setHours(0, 0, 0, 0);
}
