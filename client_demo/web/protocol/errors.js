/** How a command can fail, as errors to throw and catch. */

/** @typedef {import("./types.js").WireError} WireError */

/** The server answered with an error. */
export class CommandRefused extends Error {
  /** @param {WireError} error */
  constructor(error) {
    super(error.message);
    this.name = "CommandRefused";
    this.code = error.code;
    this.retryable = error.retryable === true;
    this.retryAfterMs = error.retry_after_ms ?? 0;
    this.rule = error.rule;
    this.cost = error.cost ?? 0;
    this.balance = error.balance ?? 0;
  }
}

/** No answer came, and none will: the command may or may not have been carried out. */
export class LinkLost extends Error {
  constructor(message = "The connection was lost.") {
    super(message);
    this.name = "LinkLost";
    this.retryable = true;
  }
}

/**
 * Whether the same command may succeed when repeated.
 * @param {unknown} error
 * @returns {boolean}
 */
export function isRetryable(error) {
  return (error instanceof CommandRefused || error instanceof LinkLost) && error.retryable;
}

/**
 * What a message would cost that was refused for that alone, where the credits are there.
 * @param {unknown} error
 * @returns {number} In credits; 0 where there is nothing to agree to.
 */
export function priceOf(error) {
  if (!(error instanceof CommandRefused) || error.code !== "costs_credit") return 0;
  return error.cost <= error.balance ? error.cost : 0;
}

/**
 * Words for a person.
 * @param {unknown} error
 * @returns {string}
 */
export function wordsFor(error) {
  if (priceOf(error) > 0 && error instanceof CommandRefused)
    return `This would be an InMail, for ${error.cost} of your ${error.balance} credits.`;
  return error instanceof Error ? error.message : String(error);
}
