/**
 * The one connection to the server: connects, resumes, comes back, and says how it stands.
 *
 * Owns the socket, the positions and the commands that wait for an answer. It promises that each
 * event reaches `onEvent` once and in the order of its topic, and that whatever cannot be
 * promised is announced by `onReady` as reset. Called by the model; sockets, time and chance are
 * handed in.
 */

import { readClose } from "../protocol/closes.js";
import { CommandRefused, LinkLost } from "../protocol/errors.js";
import { decodeFrame, encodeCommand } from "../protocol/frames.js";
import { Positions } from "../protocol/positions.js";
import { Heartbeat } from "./heartbeat.js";
import { reconnectDelay } from "./schedule.js";

/** @typedef {import("../protocol/types.js").Fields} Fields */
/** @typedef {import("../protocol/types.js").Event} Event */
/** @typedef {import("../protocol/types.js").Welcome} Welcome */
/** @typedef {import("./clock.js").Clock} Clock */
/** @typedef {import("./socket.js").Socket} Socket */
/**
 * @typedef {object} Credentials
 * @property {() => Promise<string>} token The present one, or a new one after `spent`.
 * @property {() => boolean} spent The token is of no more use; whether another can be had.
 *
 * @typedef {{phase: "idle"}
 *   | {phase: "connecting"}
 *   | {phase: "live"}
 *   | {phase: "waiting", until: number, words: string}
 *   | {phase: "stopped", words: string}} LinkState
 *
 * @typedef {object} LinkPorts
 * @property {import("./socket.js").OpenSocket} openSocket
 * @property {Clock} clock
 * @property {() => number} random
 * @property {Credentials} credentials
 * @property {string} device
 * @property {(state: LinkState) => void} onState
 * @property {(welcome: Welcome) => void} onReady Live; `reset` names the topics to read anew.
 * @property {(event: Event) => void} onEvent
 */

const CONNECT_WITHIN_MS = 10_000;
const STEADY_AFTER_MS = 10_000; // a connection this old was a good one: start backing off anew
const REFRESH_BEFORE_MS = 60_000;
const REFRESH_AGAIN_MS = 15_000;
const TOPICS_A_FRAME = 500;
const MAX_WAITING = 256;

export class Link {
  /** @param {LinkPorts} ports */
  constructor(ports) {
    this.ports = ports;
    this.positions = new Positions();
    /** @type {LinkState} */
    this.state = { phase: "idle" };
    this.attempt = 0;
    this.liveSince = 0;
    this.serverAhead = 0; // milliseconds
    this.nextId = 1;
    /** @type {Map<number, {resolve: (result: Fields) => void, reject: (error: Error) => void}>} */
    this.waiting = new Map();
    /** @type {Socket | null} */
    this.socket = null;
    /** @type {() => void} */
    this.cancelTimer = () => {};
    /** @type {() => void} */
    this.cancelRefresh = () => {};
    this.heartbeat = new Heartbeat({
      clock: ports.clock,
      random: ports.random,
      // Any answer shows life, an error too; none at all is the heartbeat's own to notice.
      ping: () => void this.command("ping", {}).catch(() => {}),
      lost: () => this.lost("The connection went silent."),
    });
  }

  /** Connect, and stay connected until `stop` or until the server says to stay away. */
  async start() {
    this.cancelTimer();
    this.become({ phase: "connecting" });
    let token;
    try {
      token = await this.ports.credentials.token();
    } catch {
      if (this.state.phase === "connecting") this.wait(0, "The server cannot be reached.");
      return;
    }
    if (this.state.phase !== "connecting" || this.socket !== null) return;
    this.open(token);
  }

  /** Close for good. */
  stop() {
    this.drop();
    this.become({ phase: "idle" });
  }

  /** There is reason to believe that things have changed: try at once, or see if all is well. */
  nudge() {
    if (this.state.phase === "waiting") void this.start();
    else if (this.state.phase === "live") this.heartbeat.probe();
  }

  /**
   * Send a command.
   * @param {string} cmd
   * @param {Fields} params
   * @returns {Promise<Fields>} Its result; rejects with CommandRefused or LinkLost.
   */
  command(cmd, params) {
    if (this.state.phase !== "live") return Promise.reject(new LinkLost("Not connected."));
    return this.request(cmd, params);
  }

  /** @param {string} cmd @param {Fields} params @returns {Promise<Fields>} */
  request(cmd, params) {
    const socket = this.socket;
    if (socket === null || this.waiting.size >= MAX_WAITING) return Promise.reject(new LinkLost());
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      socket.send(encodeCommand(id, cmd, params));
    });
  }

  /** @param {string} token */
  open(token) {
    /** @type {Socket} */
    const socket = this.ports.openSocket({
      opened: () => {
        if (this.socket === socket) void this.handshake(socket, token);
      },
      received: (text) => {
        if (this.socket === socket) this.received(text);
      },
      closed: (code, reason) => {
        if (this.socket === socket) this.closed(code, reason);
      },
    });
    this.socket = socket;
    this.cancelTimer = this.ports.clock.after(CONNECT_WITHIN_MS, () =>
      this.lost("The server does not answer."),
    );
  }

  /** @param {Socket} socket @param {string} token */
  async handshake(socket, token) {
    const [first, ...more] = this.positions.parts(TOPICS_A_FRAME);
    const { device } = this.ports;
    /** @type {Fields} */
    const params = { token, device };
    if (first !== undefined) {
      params.resume = first;
      params.epoch = this.positions.epoch;
      if (more.length > 0) params.resume_more = true;
    }
    try {
      // Sent together: a session's commands take effect in the order sent.
      const answers = await Promise.all([
        this.request("connect", params),
        ...more.map((topics, at) => this.request("resume", { topics, more: at + 1 < more.length })),
      ]);
      const welcome = /** @type {Welcome} */ (Object.assign({}, ...answers));
      if (this.socket === socket) this.welcomed(welcome, first === undefined);
    } catch (error) {
      if (this.socket !== socket) return;
      // Usually the server closes now, and its code says more; the timer covers the rest.
      if (error instanceof CommandRefused && error.retryable) {
        this.lost(error.message, error.retryAfterMs);
      }
    }
  }

  /** @param {Welcome} welcome @param {boolean} anew */
  welcomed(welcome, anew) {
    const { clock, onReady } = this.ports;
    this.cancelTimer();
    this.positions.begin(welcome.epoch, welcome.topics, welcome.reset);
    this.liveSince = clock.now();
    this.serverAhead = welcome.now - clock.now();
    this.heartbeat.start(welcome.ping_s * 1_000);
    this.refreshAt(welcome.expires_at - welcome.now);
    this.become({ phase: "live" });
    onReady(anew ? { ...welcome, reset: Object.keys(welcome.topics) } : welcome);
  }

  /** @param {number} leftMs Until the token expires. */
  refreshAt(leftMs) {
    this.cancelRefresh();
    // Timers hold at most 2^31 ms; a token lives for a day at most.
    const due = Math.min(Math.max(0, leftMs - REFRESH_BEFORE_MS), 86_400_000);
    this.cancelRefresh = this.ports.clock.after(due, () => void this.refresh());
  }

  async refresh() {
    const { credentials, clock } = this.ports;
    if (!credentials.spent()) return; // there is no other: the server says when it has run out
    try {
      const token = await credentials.token();
      const { expires_at: expiresAt } = await this.command("refresh", { token });
      this.refreshAt(expiresAt - this.serverAhead - clock.now());
    } catch {
      // Still signed in for a while; if no try succeeds the server closes with 4005.
      this.cancelRefresh = clock.after(REFRESH_AGAIN_MS, () => void this.refresh());
    }
  }

  /** @param {unknown} text */
  received(text) {
    this.heartbeat.heard();
    const frame = decodeFrame(text);
    if (frame.kind === "event") {
      const verdict = this.positions.take(frame.event);
      if (verdict === "gap") this.lost("Something was missed: reading it again.");
      else if (verdict === "next") this.ports.onEvent(frame.event);
    } else if (frame.kind === "result") {
      this.answered(frame.id)?.resolve(frame.result);
    } else if (frame.kind === "error" && frame.id !== null) {
      this.answered(frame.id)?.reject(new CommandRefused(frame.error));
    }
  }

  /** @param {number} id */
  answered(id) {
    const waiter = this.waiting.get(id);
    this.waiting.delete(id);
    return waiter;
  }

  /** @param {number} code @param {string} reason */
  closed(code, reason) {
    const verdict = readClose(code, reason);
    const dead = verdict.newToken && !this.ports.credentials.spent();
    this.socket = null;
    if (verdict.comeBack && !dead) return this.lost(verdict.words, verdict.afterMs);
    this.drop();
    this.become({ phase: "stopped", words: verdict.words });
  }

  /** @param {string} words @param {number} [afterMs] */
  lost(words, afterMs = 0) {
    this.drop();
    this.wait(afterMs, words);
  }

  /** @param {number} afterMs @param {string} words */
  wait(afterMs, words) {
    const { clock, random } = this.ports;
    if (this.liveSince > 0 && clock.now() - this.liveSince >= STEADY_AFTER_MS) this.attempt = 0;
    this.liveSince = 0;
    const delay = reconnectDelay(this.attempt++, random, afterMs);
    this.cancelTimer = clock.after(delay, () => void this.start());
    this.become({ phase: "waiting", until: clock.now() + delay, words });
  }

  /** Let go of the socket and of everything that waited for it. */
  drop() {
    this.cancelTimer();
    this.cancelRefresh();
    this.heartbeat.stop();
    const { socket } = this;
    this.socket = null; // before closing: what it still says is no longer for us
    socket?.close();
    const waiting = [...this.waiting.values()];
    this.waiting.clear();
    for (const { reject } of waiting) reject(new LinkLost());
  }

  /** @param {LinkState} state */
  become(state) {
    this.state = state;
    this.ports.onState(state);
  }
}
