/** What one is to others: asking to connect, answering that or taking it back, and blocking. */

/** @typedef {import("../protocol/types.js").Fields} Fields */
/** @typedef {import("./state.js").State} State */

export class Relations {
  /**
   * @param {object} ports
   * @param {State} ports.state
   * @param {(cmd: string, params: Fields) => Promise<Fields | null>} ports.attempt
   * @param {() => string} ports.newId
   */
  constructor(ports) {
    this.ports = ports;
  }

  /** Ask a member to connect. @param {string} member */
  async invite(member) {
    const { state, attempt, newId } = this.ports;
    const made = await attempt("invitation.send", { to: member, client_id: newId() });
    if (made === null) return;
    state.invited.set(made.invitation, member);
    state.changes.changed("invitations", "ways");
  }

  /** Take back that one has asked to connect. @param {string} invitation */
  async withdraw(invitation) {
    const { state, attempt } = this.ports;
    if ((await attempt("invitation.withdraw", { invitation })) === null) return;
    state.invited.delete(invitation);
    state.changes.changed("invitations", "ways");
  }

  /**
   * Answer a request to connect; only accepting is told to who has asked.
   * @param {string} invitation
   * @param {"accept" | "ignore" | "refuse"} answer To refuse keeps them from asking again.
   */
  async answer(invitation, answer) {
    const { state, attempt } = this.ports;
    if ((await attempt(`invitation.${answer}`, { invitation })) === null) return;
    state.invitations.delete(invitation);
    state.changes.changed("invitations");
  }

  /** Block a member, who is not told, or lift that again. @param {string} member @param {boolean} on */
  async block(member, on) {
    const { attempt } = this.ports;
    await attempt(on ? "block.add" : "block.remove", { member }); // its event changes what is shown
  }
}
