import { Heartbeat } from "/assets/net/heartbeat.js";
import { Link } from "/assets/net/link.js";
import { givenToken, renewableToken } from "/assets/net/credentials.js";
import { patiently } from "/assets/net/patience.js";
import { reconnectDelay } from "/assets/net/schedule.js";
import { CommandRefused } from "/assets/protocol/errors.js";
import { StandingClock, equal, settled, truly } from "./assert.js";

const HEAD = { epoch: "e", topics: { "member:ada": 10 }, reset: [], ping_s: 25, member: "ada" };

/** A link whose sockets the case plays: `sockets` are all that were opened, newest last. */
function playedLink({ credentials = givenToken("t"), random = () => 0.5 } = {}) {
  const clock = new StandingClock();
  const played = { clock, sockets: [], states: [], ready: [], events: [] };
  played.link = new Link({
    clock,
    random,
    credentials,
    device: "d",
    onState: (state) => played.states.push(state),
    onReady: (welcome) => played.ready.push(welcome),
    onEvent: (event) => played.events.push(event),
    openSocket: (events) => {
      const socket = {
        events,
        sent: [],
        open: true,
        send: (text) => socket.sent.push(JSON.parse(text)),
        close: () => (socket.open = false),
      };
      played.sockets.push(socket);
      return socket;
    },
  });
  played.answer = async (result = {}) => {
    const socket = played.sockets.at(-1);
    socket.events.opened();
    await settled();
    const welcome = { ...HEAD, now: clock.now(), expires_at: clock.now() + 3_600_000, ...result };
    socket.events.received(JSON.stringify({ id: socket.sent[0].id, result: welcome }));
    await settled();
  };
  played.say = (event) => played.sockets.at(-1).events.received(JSON.stringify(event));
  played.begin = async (result) => {
    await played.link.start();
    await played.answer(result);
  };
  return played;
}

export function test_backoff_is_full_jitter_up_to_a_cap() {
  const most = (attempt) => reconnectDelay(attempt, () => 0.999_999);
  equal(
    [0, 1, 2, 3].map((attempt) => reconnectDelay(attempt, () => 0)),
    [0, 0, 0, 0],
  );
  equal([0, 1, 2, 9, 1e6].map(most), [999, 1999, 3999, 29_999, 29_999]);
  equal(
    reconnectDelay(0, () => 0.5, 4_000),
    4_500,
  );
}

export async function test_the_token_goes_in_the_first_frame() {
  const { begin, sockets, link, ready } = playedLink();
  await begin();
  equal(sockets[0].sent[0], { id: 1, cmd: "connect", params: { token: "t", device: "d" } });
  equal([link.state.phase, ready[0].reset], ["live", ["member:ada"]]);
}

export async function test_it_resumes_from_where_it_was() {
  const { begin, say, sockets, clock, answer, events, ready } = playedLink();
  await begin();
  say({ event: "message.created", topic: "member:ada", pos: 11, data: {} });
  sockets[0].events.closed(1006, "");
  await clock.pass(1_000);
  await answer({ topics: { "member:ada": 12 } });
  equal(sockets[1].sent[0].params, {
    token: "t",
    device: "d",
    resume: { "member:ada": 11 },
    epoch: "e",
  });
  equal(ready[1].reset, []);
  say({ event: "message.created", topic: "member:ada", pos: 11, data: {} });
  say({ event: "message.created", topic: "member:ada", pos: 12, data: {} });
  equal(
    events.map(({ pos }) => pos),
    [11, 12],
  );
}

export async function test_more_topics_than_fit_go_in_further_frames() {
  const { begin, sockets, clock, ready } = playedLink();
  const topics = Object.fromEntries(
    Array.from({ length: 1_100 }, (_, at) => [`conversation:${at}`, at]),
  );
  await begin({ topics });
  sockets[0].events.closed(4001, "after_ms=0");
  await clock.pass(1_000);
  sockets[1].events.opened();
  await settled();
  const [connect, second, third] = sockets[1].sent;
  equal([connect.params.resume_more, second.params.more, third.params.more], [true, true, false]);
  equal(Object.keys(third.params.topics).length, 100);
  const welcome = { ...HEAD, topics: {}, now: clock.now(), expires_at: clock.now() + 9e6 };
  const reply = (frame, result) =>
    sockets[1].events.received(JSON.stringify({ id: frame.id, result }));
  reply(connect, welcome);
  reply(second, { topics: {}, reset: [] });
  await settled();
  equal(ready.length, 1, "not before the last part");
  reply(third, { topics, reset: ["conversation:3"] });
  await settled();
  equal([ready.length, ready[1].reset], [2, ["conversation:3"]]);
}

export async function test_a_gap_ends_the_connection_and_is_not_resumed() {
  const { begin, say, sockets, clock, events } = playedLink();
  await begin({ topics: { "member:ada": 10, "conversation:x": 5 } });
  say({ event: "message.created", topic: "conversation:x", pos: 7, data: {} });
  equal([sockets[0].open, events.length], [false, 0]);
  await clock.pass(1_000);
  sockets[1].events.opened();
  await settled();
  equal(sockets[1].sent[0].params.resume, { "member:ada": 10 });
}

export async function test_it_waits_as_long_as_the_server_asks() {
  const { begin, sockets, clock, link } = playedLink({ random: () => 0 });
  await begin();
  sockets[0].events.closed(4001, "after_ms=5000");
  equal([link.state.phase, link.state.until - clock.now()], ["waiting", 5_000]);
  await clock.pass(4_999);
  equal(sockets.length, 1);
  await clock.pass(1);
  equal(sockets.length, 2);
}

export async function test_tries_get_rarer_until_a_connection_has_lasted() {
  const { link, sockets, clock, begin, answer } = playedLink({ random: () => 0.999 });
  const waits = [];
  await begin();
  for (const lasted of [0, 500, 500, 10_000, 0]) {
    await clock.pass(lasted);
    sockets.at(-1).events.closed(4004, "");
    waits.push(link.state.until - clock.now());
    await clock.pass(waits.at(-1));
    await answer();
  }
  equal(waits, [999, 1998, 3996, 999, 1998]);
}

export async function test_it_stays_away_when_told_to() {
  for (const code of [4500, 4501, 4503, 4504, 4508]) {
    const { begin, sockets, clock, link } = playedLink();
    await begin();
    sockets[0].events.closed(code, "");
    await clock.pass(600_000);
    equal([link.state.phase, sockets.length], ["stopped", 1], String(code));
    truly(link.state.words.length > 10, "it says why");
  }
}

export async function test_a_spent_token_is_replaced_where_there_is_another() {
  let given = 0;
  const credentials = renewableToken(() => Promise.resolve(`t${++given}`));
  const { begin, sockets, clock, answer } = playedLink({ credentials });
  await begin();
  sockets[0].events.closed(4005, "");
  await clock.pass(1_000);
  await answer();
  equal(
    sockets.map(({ sent }) => sent[0].params.token),
    ["t1", "t2"],
  );
}

export async function test_without_another_token_it_stops() {
  const { begin, sockets, clock, link } = playedLink();
  await begin();
  sockets[0].events.closed(4005, "");
  await clock.pass(60_000);
  equal([link.state.phase, sockets.length], ["stopped", 1]);
}

export async function test_a_token_is_renewed_before_it_runs_out() {
  let given = 0;
  const credentials = renewableToken(() => Promise.resolve(`t${++given}`));
  const { link, clock, sockets, answer } = playedLink({ credentials });
  await link.start();
  await answer({ expires_at: clock.now() + 70_000 });
  await clock.pass(10_000);
  const refresh = sockets[0].sent.find(({ cmd }) => cmd === "refresh");
  equal(refresh?.params, { token: "t2" });
}

export async function test_silence_is_noticed() {
  const { begin, sockets, clock, link } = playedLink({ random: () => 0 });
  await begin();
  await clock.pass(25_000);
  equal(sockets[0].sent.at(-1).cmd, "ping");
  await clock.pass(10_000);
  equal([sockets[0].open, link.state.phase !== "live"], [false, true]);
}

export async function test_any_frame_is_life() {
  const { begin, say, sockets, clock, link } = playedLink({ random: () => 0 });
  await begin();
  for (let round = 0; round < 10; round += 1) {
    await clock.pass(15_000);
    say({ event: "typing.stopped", topic: "member:ada", data: {} });
  }
  equal([link.state.phase, sockets[0].sent.map(({ cmd }) => cmd)], ["live", ["connect"]]);
}

export async function test_a_server_that_does_not_answer_is_given_up() {
  const { link, sockets, clock } = playedLink();
  await link.start();
  sockets[0].events.opened();
  await clock.pass(10_000);
  equal([sockets[0].open, link.state.phase], [false, "waiting"]);
}

export async function test_a_command_fails_with_its_connection() {
  const { begin, link, sockets } = playedLink();
  await begin();
  const outcome = link.command("conversation.list", {}).catch((error) => error.name);
  sockets[0].events.closed(1006, "");
  equal(await outcome, "LinkLost");
  equal(await link.command("ping", {}).catch((error) => error.name), "LinkLost");
}

export async function test_a_refused_connect_waits_as_told() {
  const { link, sockets, clock } = playedLink({ random: () => 0 });
  await link.start();
  sockets[0].events.opened();
  await settled();
  const error = {
    code: "rate_limited",
    message: "Too many.",
    retryable: true,
    retry_after_ms: 7_000,
  };
  sockets[0].events.received(JSON.stringify({ id: 1, error }));
  await settled();
  equal([link.state.phase, link.state.until - clock.now()], ["waiting", 7_000]);
}

export async function test_what_an_old_socket_says_is_nothing() {
  const { begin, sockets, clock, answer, events, link } = playedLink();
  await begin();
  sockets[0].events.closed(1006, "");
  await clock.pass(1_000);
  await answer();
  sockets[0].events.received(
    JSON.stringify({ event: "x", topic: "member:ada", pos: 11, data: {} }),
  );
  sockets[0].events.closed(4500, "");
  equal([events.length, link.state.phase], [0, "live"]);
}

export async function test_a_nudge_tries_at_once() {
  const { begin, sockets, link } = playedLink({ random: () => 0.999 });
  await begin();
  sockets[0].events.closed(4013, "after_ms=20000");
  link.nudge();
  await settled();
  equal(sockets.length, 2);
}

export async function test_stopped_is_stopped() {
  const { begin, sockets, link, clock } = playedLink();
  await begin();
  link.stop();
  await clock.pass(600_000);
  equal([sockets[0].open, sockets.length, clock.timers.length], [false, 1, 0]);
}

export async function test_a_probe_is_satisfied_by_any_answer() {
  const clock = new StandingClock();
  const said = [];
  const heart = new Heartbeat({
    clock,
    random: () => 0,
    ping: () => said.push("ping"),
    lost: () => said.push("lost"),
  });
  heart.start(25_000);
  heart.probe();
  heart.heard();
  await clock.pass(10_000);
  equal(said, ["ping"]);
  heart.stop();
  await clock.pass(100_000);
  equal([said, clock.timers.length], [["ping"], 0]);
}

export async function test_patience_repeats_what_may_succeed_later() {
  const clock = new StandingClock();
  let tries = 0;
  const ask = patiently(
    () => {
      tries += 1;
      if (tries < 3)
        throw new CommandRefused({
          code: "busy",
          message: "m",
          retryable: true,
          retry_after_ms: 100,
        });
      return Promise.resolve({ fine: tries });
    },
    clock,
    () => 0,
  );
  const answer = ask("conversation.list", {});
  await settled();
  await clock.pass(1_000);
  equal(await answer, { fine: 3 });
}

export async function test_patience_ends() {
  const clock = new StandingClock();
  const refuse = (retryable) => () => {
    throw new CommandRefused({ code: "c", message: "m", retryable });
  };
  const at_once = patiently(refuse(false), clock, () => 0)("x", {}).catch((error) => error.code);
  equal(await at_once, "c");
  const later = patiently(refuse(true), clock, () => 0)("x", {}).catch((error) => error.code);
  await settled();
  await clock.pass(60_000);
  equal(await later, "c");
}
