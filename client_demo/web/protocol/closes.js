/**
 * What a close code asks of a client: 4000–4499 come back, 4500–4999 stay away.
 *
 * Any other code is the network's or a proxy's, and a reason to come back.
 */

/**
 * @typedef {object} Verdict
 * @property {boolean} comeBack
 * @property {number} afterMs Not before this many milliseconds.
 * @property {boolean} newToken The token is spent: come back with another.
 * @property {string} words For a person.
 */

const EXPIRED = 4005;

/** @type {Record<number, string>} */
const WORDS = {
  4001: "The server is restarting.",
  4004: "The server had a fault.",
  4005: "Your sign-in ran out.",
  4008: "This connection was too slow.",
  4010: "The server asked to start over.",
  4013: "There are too many requests at the moment.",
  4500: "The token was not accepted. Sign in with another one.",
  4501: "The server did not understand this page. Reload it.",
  4502: "Signing in took too long.",
  4503: "An operator ended this session.",
  4504: "You are signed in in too many places, so this session was ended.",
  4508: "Your access was revoked. Sign in again.",
};

/**
 * @param {number} code
 * @param {string} reason
 * @returns {Verdict}
 */
export function readClose(code, reason) {
  const stop = code >= 4500 && code <= 4999;
  const after = /^after_ms=(\d{1,9})$/.exec(reason);
  return {
    comeBack: !stop,
    afterMs: after === null || stop ? 0 : Number(after[1]),
    newToken: code === EXPIRED,
    words: WORDS[code] ?? (stop ? "The server ended this session." : "The connection was lost."),
  };
}
