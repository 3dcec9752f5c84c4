/**
 * Time, as what waits for it sees it: handed in, so that tests can turn it by hand.
 *
 * @typedef {object} Clock
 * @property {() => number} now Unix milliseconds.
 * @property {(ms: number, then: () => void) => () => void} after Call `then` once; the result
 *   cancels.
 */

/** @type {Clock} */
export const browserClock = {
  now: () => Date.now(),
  after(ms, then) {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
};
