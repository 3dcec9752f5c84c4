/** What the cases say, and the time and chance that they hand in. */

/** @param {unknown} actual @param {unknown} expected @param {string} [what] */
export function equal(actual, expected, what = "") {
  const [is, should] = [shown(actual), shown(expected)];
  if (is !== should) throw new Error(`${what} is ${is}, should be ${should}`);
}

/** @param {unknown} condition @param {string} what */
export function truly(condition, what) {
  if (!condition) throw new Error(`not so: ${what}`);
}

/** @param {unknown} value @returns {string} */
function shown(value) {
  return JSON.stringify(value, (_, item) => {
    if (item instanceof Map) return [...item];
    if (item instanceof Set) return [...item];
    return item === undefined ? "undefined" : item;
  });
}

/** A message of Grace's. @param {number} seq @param {object} [more] */
export const message = (seq, more = {}) => ({
  conversation: "c",
  message: `m${seq}`,
  seq,
  sender: "grace",
  body: `text ${seq}`,
  sent_at: 1_000 * seq,
  rev: 0,
  reactions: [],
  ...more,
});

/** A clock that stands until it is moved. */
export class StandingClock {
  constructor() {
    this.time = 1_700_000_000_000;
    /** @type {{at: number, then: () => void}[]} */
    this.timers = [];
  }

  now = () => this.time;

  after = (/** @type {number} */ ms, /** @type {() => void} */ then) => {
    const timer = { at: this.time + ms, then };
    this.timers.push(timer);
    return () => void (this.timers = this.timers.filter((one) => one !== timer));
  };

  /** Let time pass, and everything that is due happen in its order. @param {number} ms */
  async pass(ms) {
    const end = this.time + ms;
    for (;;) {
      const next = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.timers = this.timers.filter((one) => one !== next);
      this.time = Math.max(this.time, next.at);
      next.then();
      await settled();
    }
    this.time = end;
    await settled();
  }
}

/** Everything that was promised has had its turn. */
export function settled() {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
