/** One's own settings: what others may see and how they may write, one's credits, the way out. */

import { openBlocked } from "./blocked.js";
import { openCredits } from "./credits.js";
import { fill, h } from "./dom.js";
import { openDialog } from "./dialog.js";
import { openInvited } from "./invited.js";

/** @typedef {import("../model/messenger.js").Messenger} Messenger */
/** @typedef {import("../protocol/types.js").Settings} Settings */

/** @type {[keyof Settings, string, string][]} */
const SWITCHES = [
  [
    "receipts",
    "Read receipts and typing",
    "Others see what you have read and when you type. If you turn it off you see neither of theirs.",
  ],
  [
    "active_status",
    "Active status",
    "Your connections see when you are here, or last were. If you turn it off you see nothing of theirs.",
  ],
  ["inmail", "InMail", "Members with a plan may write to you for a credit, as a request."],
  [
    "open_profile",
    "Open Profile",
    "Anybody may write to you, free. It works with a plan other than basic.",
  ],
];

/** @param {Messenger} messenger @param {() => void} signOut */
export function openSettings(messenger, signOut) {
  const { state, changes } = messenger;
  const switches = SWITCHES.map(([name, label, words]) => {
    const box = h("input", {
      id: name,
      type: "checkbox",
      role: "switch",
      class: "switch",
      "aria-describedby": `${name}-words`,
      on: { change: () => void messenger.set({ [name]: box.checked }) },
    });
    return { name, box, label: h("label", { for: name }, label), words };
  });
  const balance = h("span", {});
  const count = h("span", {});
  const sent = h("span", {});
  const invited = h("button", { type: "button", class: "plain small" }, "Requests sent");
  const ledger = h("button", { type: "button", class: "plain small" }, "Credit history");
  const blocked = h("button", { type: "button", class: "plain small" }, "Blocked people");
  const out = h("button", { type: "button", class: "plain" }, "Sign out");
  const rows = switches.map(({ name, box, label, words }) => {
    const fine = h("p", { id: `${name}-words`, class: "fine" }, words);
    return h("div", { class: "setting" }, label, box, fine);
  });
  const dialog = openDialog(
    "Settings",
    ...rows,
    h("div", { class: "setting" }, h("span", {}, h("b", {}, "Credits: "), balance), ledger),
    h("div", { class: "setting" }, h("span", {}, h("b", {}, "Requests: "), sent), invited),
    h("div", { class: "setting" }, h("span", {}, h("b", {}, "Blocked: "), count), blocked),
    h("div", { class: "dialog-actions" }, out),
  );
  ledger.addEventListener("click", () => {
    dialog.close();
    openCredits(messenger);
  });
  invited.addEventListener("click", () => {
    dialog.close();
    openInvited(messenger);
  });
  blocked.addEventListener("click", () => {
    dialog.close();
    openBlocked(messenger);
  });
  out.addEventListener("click", () => {
    dialog.close();
    signOut();
  });
  function show() {
    for (const { name, box } of switches) box.checked = Boolean(state.settings[name]);
    fill(balance, state.balance === null ? "…" : String(state.balance));
    fill(sent, String(state.invited.size));
    fill(count, String(state.blocked.size));
  }
  const stop = changes.on(["settings", "credits", "blocks", "invitations"], show);
  dialog.addEventListener("close", stop);
  show();
  if (state.balance === null) void messenger.ways.ledger();
}
