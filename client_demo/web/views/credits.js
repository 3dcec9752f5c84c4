/** One's credits, and everything that came in and went out: the balance is its sum. */

import { openDialog } from "./dialog.js";
import { fill, h, hidden } from "./dom.js";
import { creditsInWords, fullDate } from "./words.js";

/** @typedef {import("../model/messenger.js").Messenger} Messenger */
/** @typedef {import("../protocol/types.js").LedgerEntry} LedgerEntry */

/** @type {Record<string, string>} Any other reason is the operator's own words. */
const REASONS = {
  plan: "This month's, from your plan",
  inmail: "You sent an InMail",
  refund: "Your InMail was answered",
  expired: "They ran out",
  plan_ended: "Your plan ended",
  purchase: "Bought",
};

/** @param {Messenger} messenger */
export function openCredits(messenger) {
  const { state, changes, ways } = messenger;
  const balance = h("p", { class: "balance", role: "status" });
  const list = h("ul", { class: "ledger", role: "list", "aria-label": "What came and went" });
  const empty = h("p", { class: "empty", hidden: true }, "Nothing has come in or gone out.");
  const more = h("button", { type: "button", class: "plain more", hidden: true }, "Show earlier");
  const what = "An InMail costs credits. Any answer to it gives them back.";
  const dialog = openDialog("Credits", balance, h("p", { class: "fine" }, what), list, empty, more);
  /** @type {number | null} Of what is listed. */
  let listed = null;
  /** @type {string | undefined} */
  let next;
  let asked = 0; // an answer to an earlier question is not shown

  /** @param {string} [before] */
  async function read(before) {
    asked += 1;
    const mine = asked;
    const page = await ways.ledger(before);
    if (page === null || mine !== asked) return;
    listed = page.balance;
    next = page.next;
    const rows = page.entries.map(rowOf);
    if (before === undefined) fill(list, ...rows);
    else list.append(...rows);
    empty.hidden = list.children.length > 0;
    more.hidden = next === undefined;
  }

  function draw() {
    if (state.balance === null) return;
    const many = state.balance === 0 ? "no credits" : creditsInWords(state.balance);
    fill(balance, `You have ${many}.`);
    // It has changed since: what came or went is at the top.
    if (listed !== null && listed !== state.balance) {
      listed = state.balance;
      void read();
    }
  }

  more.addEventListener("click", () => void read(next));
  const stop = changes.on(["credits"], draw);
  dialog.addEventListener("close", stop);
  draw();
  void read();
}

/** @param {LedgerEntry} entry */
function rowOf({ at_ms: at, change, reason, expires_at: until }) {
  const [sign, word] = change < 0 ? ["−", "minus "] : ["+", "plus "];
  const shown = h("span", { "aria-hidden": "true" }, sign);
  const when = until ? `${fullDate(at)}, usable until ${fullDate(until)}` : fullDate(at);
  return h(
    "li",
    { class: change < 0 ? "entry spent" : "entry" },
    h("span", { class: "entry-reason" }, REASONS[reason] ?? reason),
    h("span", { class: "entry-change" }, hidden(word), shown, String(Math.abs(change))),
    h("span", { class: "fine" }, when),
  );
}
