/**
 * Text frames of the subprotocol `subrosa.v1.json`, both ways. Knows nothing of sockets.
 *
 * A frame that this page cannot read becomes "unknown" and is passed over: a newer server may
 * say more than an older page understands.
 */

/** @typedef {import("./types.js").Event} Event */
/** @typedef {import("./types.js").Fields} Fields */
/** @typedef {import("./types.js").WireError} WireError */
/**
 * @typedef {{kind: "result", id: number, result: Fields}
 *   | {kind: "error", id: number | null, error: WireError}
 *   | {kind: "event", event: Event}
 *   | {kind: "unknown"}} Frame
 */

export const SUBPROTOCOL = "subrosa.v1.json";

/**
 * @param {number} id
 * @param {string} cmd
 * @param {Fields} params
 * @returns {string}
 */
export function encodeCommand(id, cmd, params) {
  return JSON.stringify({ id, cmd, params });
}

/**
 * @param {unknown} text What the socket handed over; binary frames are unknown to JSON.
 * @returns {Frame}
 */
export function decodeFrame(text) {
  const map = typeof text === "string" ? parseMap(text) : null;
  if (map === null) return { kind: "unknown" };
  if (typeof map.event === "string" && typeof map.topic === "string" && isMap(map.data)) {
    const { event, topic, data } = map;
    return Number.isSafeInteger(map.pos)
      ? { kind: "event", event: { event, topic, pos: map.pos, data } }
      : { kind: "event", event: { event, topic, data } };
  }
  if (isMap(map.error) && typeof map.error.code === "string") {
    const id = typeof map.id === "number" ? map.id : null;
    return { kind: "error", id, error: /** @type {WireError} */ (map.error) };
  }
  if (typeof map.id === "number" && isMap(map.result)) {
    return { kind: "result", id: map.id, result: map.result };
  }
  return { kind: "unknown" };
}

/** @param {string} text @returns {Fields | null} */
function parseMap(text) {
  try {
    const value = JSON.parse(text);
    return isMap(value) ? value : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** @param {unknown} value @returns {value is Fields} */
function isMap(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
