/** What is known of members: names, headlines and pictures, from whatever named them last. */

/** @typedef {import("../protocol/types.js").Profile} Profile */

export const ERASED = "erased.member"; // whoever has been erased; nobody to write to

export class People {
  constructor() {
    /** @type {Map<string, Profile>} */
    this.known = new Map();
  }

  /**
   * @param {Profile[]} profiles A participant will do: what it lacks is kept from before.
   */
  learn(profiles) {
    for (const { member, name, headline, avatar } of profiles) {
      const before = this.known.get(member);
      this.known.set(member, {
        member,
        name: name || before?.name || member,
        headline: headline ?? before?.headline ?? "",
        avatar: avatar ?? before?.avatar ?? "",
      });
    }
  }

  /**
   * @param {string} member
   * @returns {Profile} Somebody unknown goes by their id.
   */
  get(member) {
    return this.known.get(member) ?? { member, name: member, headline: "", avatar: "" };
  }

  /** @param {string} member */
  name(member) {
    return this.get(member).name;
  }

  /** All that are known but those left out. @param {(member: string) => boolean} leftOut */
  besides(leftOut) {
    return [...this.known.values()].filter(
      ({ member }) => member !== ERASED && !leftOut(member),
    );
  }

  /** @param {string} member */
  firstName(member) {
    return this.name(member).split(" ", 1)[0];
  }
}
