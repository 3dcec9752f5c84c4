/** The sample members' doorway: exists only where the server runs with `--demo`. */

/** @typedef {import("../protocol/types.js").Profile} Profile */

/**
 * @param {typeof fetch} fetchFrom
 * @returns {Promise<Profile[] | null>} The sample members; null where there are none.
 */
export async function fetchMembers(fetchFrom) {
  const answer = await fetchFrom("/demo/members");
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
  return (await answer.json()).members;
}

/**
 * @param {typeof fetch} fetchFrom
 * @param {string} member
 * @returns {Promise<string>} A token for this sample member.
 */
export async function fetchToken(fetchFrom, member) {
  const answer = await fetchFrom("/demo/token", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ member }),
  });
  if (!answer.ok) throw new Error(`No token could be had: the server answered ${answer.status}.`);
  return (await answer.json()).token;
}
