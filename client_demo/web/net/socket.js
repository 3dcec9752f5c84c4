/** The browser's WebSocket as the link sees it. */

import { SUBPROTOCOL } from "../protocol/frames.js";

/**
 * @typedef {object} SocketEvents
 * @property {() => void} opened
 * @property {(text: unknown) => void} received
 * @property {(code: number, reason: string) => void} closed Called once, last.
 *
 * @typedef {object} Socket
 * @property {(text: string) => void} send
 * @property {() => void} close
 *
 * @typedef {(events: SocketEvents) => Socket} OpenSocket
 */

/**
 * @param {string} origin Of the page, e.g. "https://example.org".
 * @returns {OpenSocket}
 */
export function socketsTo(origin) {
  const url = `${origin.replace(/^http/, "ws")}/ws`;
  return ({ opened, received, closed }) => {
    const socket = new WebSocket(url, SUBPROTOCOL);
    socket.onopen = () => opened();
    socket.onmessage = ({ data }) => received(data);
    socket.onclose = ({ code, reason }) => closed(code, reason);
    return {
      send: (text) => socket.send(text),
      close: () => socket.close(),
    };
  };
}
