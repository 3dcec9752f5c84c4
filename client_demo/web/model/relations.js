/** What one is to others: asking to connect and answering it, and blocking. */

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
    state.changes.changed("ways");
  }

  /** Answer a request to connect. @param {string} invitation @param {boolean} accept */
  async answer(invitation, accept) {
    const { state, attempt } = this.ports;
    const cmd = accept ? "invitation.accept" : "invitation.ignore";
    if ((await attempt(cmd, { invitation })) === null) return;
    state.invitations.delete(invitation);
    state.changes.changed("invitations");
  }

  /** Block a member, who is not told, or lift that again. @param {string} member @param {boolean} on */
  async block(member, on) {
    const { attempt } = this.ports;
    await attempt(on ? "block.add" : "block.remove", { member }); // its event changes what is shown
  }
}
