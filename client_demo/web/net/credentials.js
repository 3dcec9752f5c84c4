/** Where tokens come from. They stay in memory: no storage, no URL. */

/** @typedef {import("./link.js").Credentials} Credentials */

/**
 * One token, given once: when it has run out there is no other.
 * @param {string} token
 * @returns {Credentials}
 */
export function givenToken(token) {
  return { token: () => Promise.resolve(token), spent: () => false };
}

/**
 * Tokens that can be had again.
 * @param {() => Promise<string>} obtain
 * @returns {Credentials}
 */
export function renewableToken(obtain) {
  /** @type {string | null} */
  let held = null;
  return {
    async token() {
      held ??= await obtain();
      return held;
    },
    spent() {
      held = null;
      return true;
    },
  };
}
