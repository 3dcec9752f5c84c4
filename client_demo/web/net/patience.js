/** Asks again where the server says that a later try may succeed. */

import { CommandRefused } from "../protocol/errors.js";
import { reconnectDelay } from "./schedule.js";

/** @typedef {import("../protocol/types.js").Fields} Fields */

const TRIES = 5;

/**
 * For reads, and for commands that are safe to repeat.
 * @param {(cmd: string, params: Fields) => Promise<Fields>} command
 * @param {import("./clock.js").Clock} clock
 * @param {() => number} random
 * @returns {(cmd: string, params: Fields) => Promise<any>}
 */
export function patiently(command, clock, random) {
  return async (cmd, params) => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await command(cmd, params);
      } catch (error) {
        const again = error instanceof CommandRefused && error.retryable && tries < TRIES;
        if (!again) throw error;
        const delay = reconnectDelay(tries, random, error.retryAfterMs);
        await new Promise((resolve) => clock.after(delay, () => resolve(undefined)));
      }
    }
  };
}
