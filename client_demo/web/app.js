/**
 * The page's composition root: the one place that names the browser's network, clock and chance.
 *
 * Views → model → net → protocol; nothing points up, and only views touch the document.
 */

import { Changes } from "./model/changes.js";
import { Messenger } from "./model/messenger.js";
import { browserClock } from "./net/clock.js";
import { givenToken, renewableToken } from "./net/credentials.js";
import { fetchMembers, fetchToken } from "./net/demo.js";
import { socketsTo } from "./net/socket.js";
import { announceMessage, page } from "./views/page.js";
import { notes } from "./views/notes.js";
import { shell } from "./views/shell.js";
import { closedDoor, memberDoor, tokenDoor } from "./views/sign_in.js";

/** @typedef {import("./protocol/types.js").Profile} Profile */

const fetchFrom = window.fetch.bind(window);
const SAMPLE_MEMBER = "subrosa.sample-member"; // a name, for a reload; never a token
const show = page();

async function begin() {
  let members;
  try {
    members = await fetchMembers(fetchFrom);
  } catch {
    show(closedDoor("The server cannot be reached.", () => void begin()));
    return;
  }
  const before = sessionStorage.getItem(SAMPLE_MEMBER);
  if (members === null) show(tokenDoor((token) => signIn(givenToken(token), [])));
  else if (members.some(({ member }) => member === before)) signInAs(String(before), members);
  else show(memberDoor(members, (member) => signInAs(member, members)));
}

/** @param {string} member @param {Profile[]} members */
function signInAs(member, members) {
  sessionStorage.setItem(SAMPLE_MEMBER, member);
  signIn(
    renewableToken(() => fetchToken(fetchFrom, member)),
    members,
  );
}

/** @param {import("./net/link.js").Credentials} credentials @param {Profile[]} members */
function signIn(credentials, members) {
  const ended = new AbortController();
  const changes = new Changes((run) => void setTimeout(run, 0));
  const { elements, problem, announce } = notes(browserClock);
  const messenger = new Messenger({
    changes,
    openSocket: socketsTo(location.origin),
    credentials,
    clock: browserClock,
    random: Math.random,
    newId: () => crypto.randomUUID(),
    device: "browser",
    arrived: (message) => announce(announceMessage(messenger.state, message)),
    problem,
  });
  messenger.state.people.learn(members);
  const signOut = () => {
    messenger.stop();
    ended.abort();
    sessionStorage.removeItem(SAMPLE_MEMBER);
    history.replaceState(null, "", location.pathname);
    void begin();
  };
  show(shell(messenger, { clock: browserClock, notes: elements, signOut, ended: ended.signal }));
  messenger.start();
}

void begin();
