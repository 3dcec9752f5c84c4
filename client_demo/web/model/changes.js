/**
 * Who wants to know that something changed, told once for many changes at a time.
 *
 * What changed is a name ("list", "timeline", …), never the data: a listener reads the state.
 */

export class Changes {
  /** @param {(run: () => void) => void} defer Runs it soon, e.g. in the next task. */
  constructor(defer) {
    this.defer = defer;
    /** @type {Map<string, Set<() => void>>} */
    this.listeners = new Map();
    /** @type {Set<string>} */
    this.pending = new Set();
  }

  /**
   * @param {string[]} names
   * @param {() => void} listener Called once, however many of the names changed.
   * @returns {() => void} Listen no longer.
   */
  on(names, listener) {
    for (const name of names) {
      const known = this.listeners.get(name) ?? new Set();
      this.listeners.set(name, known.add(listener));
    }
    return () => {
      for (const name of names) this.listeners.get(name)?.delete(listener);
    };
  }

  /** @param {string[]} names */
  changed(...names) {
    if (this.pending.size === 0) this.defer(() => this.tell());
    for (const name of names) this.pending.add(name);
  }

  tell() {
    const names = [...this.pending];
    this.pending.clear();
    const listeners = new Set(names.flatMap((name) => [...(this.listeners.get(name) ?? [])]));
    for (const listener of listeners) listener();
  }
}
