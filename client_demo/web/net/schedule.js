/**
 * When to try again: exponential backoff with full jitter.
 *
 * Full jitter (anything between nothing and the window) spreads a crowd of clients that lost the
 * same server evenly; a fixed part would bring them all back in step.
 */

const FIRST_WINDOW_MS = 1_000;
const LAST_WINDOW_MS = 30_000;

/**
 * @param {number} attempt 0 for the first try after a loss.
 * @param {() => number} random In [0, 1).
 * @param {number} [afterMs] What the server asked to wait at least.
 * @returns {number} Milliseconds to wait.
 */
export function reconnectDelay(attempt, random, afterMs = 0) {
  const window = Math.min(LAST_WINDOW_MS, FIRST_WINDOW_MS * 2 ** Math.min(attempt, 16));
  return afterMs + Math.floor(random() * window);
}
