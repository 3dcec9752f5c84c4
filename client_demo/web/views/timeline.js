/**
 * The messages of the open conversation: a list that keeps its place.
 *
 * At the end it stays at the end; anywhere else what is being read does not move, whatever is
 * added above or below. Only one message is in the tab order: the arrow keys move between them.
 */

import { writingIn } from "../model/ways.js";
import { fill, h, keep } from "./dom.js";
import { icon } from "./icons.js";
import { showMessage, showOutgoing } from "./message.js";
import { rowsOf } from "./rows.js";
import { dayName } from "./words.js";

/** @typedef {import("../protocol/types.js").Message} Message */
/** @typedef {import("./message.js").MessagePorts} MessagePorts */
/** @typedef {import("./rows.js").TimelineRow} TimelineRow */

const AT_END_PX = 60;
const OLDER_AT_PX = 240;

/** @param {MessagePorts & {now: () => number}} ports */
export function timelineView(ports) {
  const { messenger, now } = ports;
  const { state, changes, outbox } = messenger;
  const older = h("button", { type: "button", class: "plain more" }, "Show earlier messages");
  const list = h("ol", { class: "messages", role: "list" });
  const empty = h("p", { class: "empty" });
  const scroller = h(
    "div",
    { class: "scroller", role: "log", "aria-live": "off", "aria-label": "Messages" },
    older,
    empty,
    list,
  );
  const jump = h(
    "button",
    { type: "button", class: "jump", hidden: true, "aria-label": "Go to the newest message" },
    icon("down"),
  );
  const element = h("div", { class: "timeline" }, scroller, jump);
  let atEnd = true;
  /** What is shown, to tell another conversation from another state of this one. */
  let shown = "";

  older.addEventListener("click", () => void messenger.loadOlder());
  jump.addEventListener("click", () => toEnd());
  scroller.addEventListener("scroll", () => scrolled(), { passive: true });
  list.addEventListener("keydown", (event) => moveFocus(list, event));
  list.addEventListener("focusin", ({ target }) =>
    takeTabStop(list, /** @type {Element} */ (target)),
  );
  new ResizeObserver(() => atEnd && toEnd()).observe(scroller);

  function draw() {
    const { target } = messenger;
    if (target === null) {
      shown = "";
      return;
    }
    const key = `${target} ${state.openId === null || state.timelines.get(state.openId)?.loaded}`;
    const opened = key !== shown;
    shown = key;
    const rows = rowsOf(state, outbox.of(target));
    const wroteNow =
      rows.at(-1)?.kind === "outgoing" && !list.querySelector(`:scope > :last-child.outgoing`);
    const anchor = opened || atEnd || wroteNow ? null : findAnchor();
    keep(list, rows, makeRow, showRow);
    describe(rows);
    // While nobody moves about in it, it is entered at the newest message.
    if (!list.contains(document.activeElement))
      takeTabStop(list, [...list.querySelectorAll(".message")].at(-1));
    if (opened) toStart();
    else if (anchor === null) toEnd();
    else scroller.scrollTop += anchor.element.offsetTop - anchor.top;
    scrolled();
  }

  /** @param {TimelineRow[]} rows */
  function describe(rows) {
    const timeline = state.openId === null ? undefined : state.timelines.get(state.openId);
    older.hidden = !timeline?.loaded || !timeline.more;
    empty.hidden = rows.length > 0;
    const loading = state.openId !== null && !timeline?.loaded;
    const none = writingIn(state).may ? "No messages yet. Say hello." : "No messages yet.";
    fill(empty, loading ? "Loading…" : none);
  }

  /** @param {TimelineRow} row */
  function makeRow(row) {
    return row.kind === "message" || row.kind === "outgoing"
      ? h("li", { tabindex: -1 })
      : h("li", { class: `line ${row.kind}` });
  }

  /** @param {HTMLElement} item @param {TimelineRow} row */
  function showRow(item, row) {
    if (row.kind === "message") showMessage(item, row, ports, goTo);
    else if (row.kind === "outgoing") showOutgoing(item, row, messenger, goTo);
    else fill(item, h("span", {}, row.kind === "day" ? dayName(row.at, now()) : row.text));
  }

  /** Show a message that is here, marked for as long as it has the focus. @param {string} id */
  function goTo(id) {
    const found = list.querySelector(`.message[data-message="${CSS.escape(id)}"]`);
    const item = /** @type {HTMLElement | null} */ (found);
    if (item === null) return;
    item.scrollIntoView({ block: "center" });
    item.focus({ preventScroll: true });
    item.classList.add("gone-to");
    item.addEventListener("blur", () => item.classList.remove("gone-to"), { once: true });
  }

  /** The first message in sight, and where it is; lines between them may move. */
  function findAnchor() {
    for (const child of list.querySelectorAll(":scope > .message")) {
      const element = /** @type {HTMLElement} */ (child);
      if (element.offsetTop + element.offsetHeight > scroller.scrollTop)
        return { element, top: element.offsetTop };
    }
    return null;
  }

  function toEnd() {
    scroller.scrollTop = scroller.scrollHeight;
  }

  /** Where reading begins: at the first unread message, or at the end. */
  function toStart() {
    const unread = /** @type {HTMLElement | null} */ (list.querySelector(".line.unread"));
    if (unread === null) toEnd();
    else scroller.scrollTop = unread.offsetTop - 48;
  }

  function scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = scroller;
    atEnd = scrollHeight - scrollTop - clientHeight < AT_END_PX;
    jump.hidden = atEnd;
    messenger.attend({ atEnd });
    if (scrollTop < OLDER_AT_PX && !older.hidden) void messenger.loadOlder();
  }

  changes.on(["timeline", "open", "ways", "blocks", "connections", "groups"], draw);
  return { element, draw };
}

/** Up, down, Home and End move between messages. @param {HTMLElement} list @param {KeyboardEvent} event */
function moveFocus(list, event) {
  const here = /** @type {Element} */ (event.target);
  if (!here.classList.contains("message")) return;
  const all = /** @type {HTMLElement[]} */ ([...list.querySelectorAll(".message")]);
  const at = all.indexOf(/** @type {HTMLElement} */ (here));
  const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: all.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  all[Math.min(Math.max(to, 0), all.length - 1)].focus();
}

/** @param {HTMLElement} list @param {Element | undefined} target In a message. */
function takeTabStop(list, target) {
  const message = target?.closest(".message");
  if (!message) return;
  for (const one of list.querySelectorAll(".message[tabindex='0']"))
    one.setAttribute("tabindex", "-1");
  message.setAttribute("tabindex", "0");
}
