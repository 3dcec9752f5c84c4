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
 * Words for a person.
 * @param {unknown} error
 * @returns {string}
 */
export function wordsFor(error) {
  return error instanceof Error ? error.message : String(error);
}
