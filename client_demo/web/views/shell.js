/** The whole page of a signed-in member: list and conversation, side by side or one at a time. */

import { titleOf } from "../model/conversations.js";
import { avatar } from "./avatar.js";
import { banner } from "./banner.js";
import { conversationView } from "./conversation.js";
import { fill, h } from "./dom.js";
import { finder } from "./finder.js";
import { openGroups } from "./groups.js";
import { icon } from "./icons.js";
import { conversationList } from "./list.js";
import { openNewConversation } from "./new_conversation.js";
import { requests } from "./requests.js";
import { readRoute, writeRoute } from "./route.js";
import { openSettings } from "./settings.js";

/** @typedef {import("../model/messenger.js").Messenger} Messenger */
/** @typedef {import("../net/clock.js").Clock} Clock */

/**
 * @param {Messenger} messenger
 * @param {object} ports
 * @param {Clock} ports.clock
 * @param {HTMLElement[]} ports.notes
 * @param {() => void} ports.signOut
 * @param {AbortSignal} ports.ended Aborted when this page is left for another.
 */
export function shell(messenger, { clock, notes, signOut, ended }) {
  const { state, changes } = messenger;
  const top = banner({ clock, now: () => messenger.link.nudge(), signIn: signOut });
  const list = conversationList(messenger, {
    now: clock.now,
    open: (id) => go({ conversation: id }),
  });
  const find = finder(messenger, {
    now: clock.now,
    open: (id) => go({ conversation: id }),
    choose: list.choose,
    searching: (on) => (list.element.hidden = on),
  });
  const conversation = conversationView(messenger, {
    now: clock.now,
    back: () => go(null),
    openTo: (to) => go({ to }),
    open: (id) => go({ conversation: id }),
  });
  const create = () =>
    openNewConversation(messenger, {
      openTo: (to) => go({ to }),
      open: (id) => go({ conversation: id }),
    });
  const groups = () => openGroups(messenger, (id) => go({ conversation: id }));
  /** @param {string} label @param {string} name @param {() => void} click */
  const tool = (label, name, click) =>
    h(
      "button",
      { type: "button", class: "icon-button", "aria-label": label, title: label, on: { click } },
      icon(name),
    );
  const self = h("button", {
    type: "button",
    class: "self",
    on: { click: () => openSettings(messenger, signOut) },
  });
  const side = h(
    "div",
    { class: "side" },
    h(
      "header",
      { class: "side-head" },
      h("img", { src: "/assets/rose.svg", alt: "", width: 30, height: 30 }),
      h("span", { class: "wordmark" }, "Subrosa"),
      tool("Groups", "group", groups),
      tool("New conversation", "write", create),
    ),
    requests(messenger),
    find.form,
    list.element,
    find.results,
    self,
  );
  const element = h("div", { class: "shell" }, top.element, side, conversation.element, ...notes);

  /** @param {import("./route.js").Route} route */
  function go(route) {
    const hash = writeRoute(route);
    if (location.hash === hash || (hash === "#" && location.hash === "")) follow();
    else location.hash = hash;
  }

  async function follow() {
    const route = readRoute(location.hash);
    if (route === null) messenger.closeConversation();
    else if ("conversation" in route) await messenger.openConversation(route.conversation);
    else await messenger.openTo(route.to);
    if (route === null) return;
    drawOpen(); // what is not shown yet takes no focus
    conversation.draw();
    // On a phone the keyboard would cover what was just opened.
    if (matchMedia("(pointer: coarse)").matches) conversation.focusTitle();
    else conversation.focus();
  }

  /** What opened by itself (a first message makes its conversation) is where we are. */
  function drawOpen() {
    const { open } = state;
    element.classList.toggle("reading", open !== null);
    const hash = writeRoute(open);
    if (open !== null && location.hash !== hash) history.replaceState(null, "", hash);
  }

  function drawTitle() {
    const { unread } = state.conversations;
    const held = state.conversations.get(state.openId);
    const name = held === undefined ? "" : `${titleOf(held, state.me, state.people)} – `;
    document.title = `${unread > 0 ? `(${unread}) ` : ""}${name}Subrosa`;
  }

  function drawSelf() {
    const { settings: _, me, people } = state;
    self.hidden = me === "";
    fill(
      self,
      avatar(people.get(me), "small"),
      h("span", { class: "self-name" }, people.name(me)),
      icon("settings"),
    );
    self.setAttribute("aria-label", `Settings of ${people.name(me)}`);
  }

  function drawAll() {
    list.draw();
    conversation.draw();
    drawTitle();
  }

  changes.on(["link"], () => top.show(state.link));
  changes.on(["open"], drawOpen);
  changes.on(["open", "list"], drawTitle);
  changes.on(["list", "settings"], drawSelf);

  const leave = () => {
    messenger.typing.stop();
    messenger.drafts.flush();
  };
  const attend = () => messenger.attend({ visible: document.visibilityState === "visible" });
  document.addEventListener(
    "visibilitychange",
    () => {
      attend();
      if (document.visibilityState === "visible") messenger.link.nudge();
    },
    { signal: ended },
  );
  window.addEventListener("online", () => messenger.link.nudge(), { signal: ended });
  window.addEventListener("hashchange", () => void follow(), { signal: ended });
  window.addEventListener("pagehide", leave, { signal: ended });

  drawAll();
  attend();
  void follow();
  return element;
}
