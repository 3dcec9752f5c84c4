import { readClose } from "/assets/protocol/closes.js";
import { CommandRefused, LinkLost, isRetryable } from "/assets/protocol/errors.js";
import { decodeFrame, encodeCommand } from "/assets/protocol/frames.js";
import { Positions } from "/assets/protocol/positions.js";
import { equal } from "./assert.js";

const event = (topic, pos, name = "message.created", data = {}) => ({
  event: name,
  topic,
  pos,
  data,
});

export function test_a_command_is_one_map() {
  const text = encodeCommand(2, "message.send", { to: "grace", body: "“Hello”" });
  equal(JSON.parse(text), { id: 2, cmd: "message.send", params: { to: "grace", body: "“Hello”" } });
}

export function test_frames_of_each_kind() {
  equal(decodeFrame('{"id":1,"result":{"a":1},"more":2}'), {
    kind: "result",
    id: 1,
    result: { a: 1 },
  });
  const error = { code: "busy", message: "…", retryable: true };
  equal(decodeFrame(JSON.stringify({ id: null, error })), { kind: "error", id: null, error });
  const happened = { event: "message.created", topic: "member:ada", pos: 4, data: {} };
  equal(decodeFrame(JSON.stringify(happened)), { kind: "event", event: happened });
  const signal = { event: "typing.started", topic: "member:ada", data: {} };
  equal(decodeFrame(JSON.stringify(signal)), { kind: "event", event: signal });
}

export function test_what_is_no_frame_is_unknown() {
  const wrong = [
    "",
    "{",
    "[]",
    "null",
    "1",
    "{}",
    '{"id":1}',
    '{"id":"1","result":{}}',
    '{"id":1,"result":[]}',
    '{"event":"x","data":{}}',
    '{"event":"x","topic":"t","data":1}',
    '{"id":1,"error":"no"}',
  ];
  for (const text of [...wrong, new ArrayBuffer(4)])
    equal(decodeFrame(text).kind, "unknown", String(text));
}

export function test_close_codes_say_whether_to_come_back() {
  for (const code of [1001, 1006, 1011, 4000, 4001, 4004, 4005, 4008, 4010, 4013, 4499]) {
    equal(readClose(code, "").comeBack, true, String(code));
  }
  for (const code of [4500, 4501, 4502, 4503, 4504, 4508, 4999])
    equal(readClose(code, "").comeBack, false, String(code));
  equal(
    [4004, 4005, 4500].map((code) => readClose(code, "").newToken),
    [false, true, false],
  );
}

export function test_after_ms_is_heeded_only_as_written() {
  const after = (reason, code = 4001) => readClose(code, reason).afterMs;
  equal(
    [after("after_ms=1500"), after("after_ms=0"), after("after_ms=1500", 4013)],
    [1500, 0, 1500],
  );
  equal(
    [after("after_ms=-1"), after("after_ms=1e9"), after("soon"), after("after_ms=9", 4500)],
    [0, 0, 0, 0],
  );
}

export function test_errors_say_whether_to_repeat() {
  const refused = (code, retryable) =>
    new CommandRefused({ code, message: "m", retryable, retry_after_ms: 5 });
  equal(
    [isRetryable(refused("busy", true)), isRetryable(refused("invalid", false))],
    [true, false],
  );
  equal(
    [isRetryable(new LinkLost()), isRetryable(new TypeError("a fault of the page"))],
    [true, false],
  );
  equal(refused("rate_limited", true).retryAfterMs, 5);
}

export function test_positions_take_each_event_once_and_in_order() {
  const here = new Positions();
  here.begin("e", { a: 4 }, []);
  equal(
    [5, 5, 4, 6].map((pos) => here.take(event("a", pos))),
    ["next", "seen", "seen", "next"],
  );
  equal(here.take({ event: "typing.started", topic: "a", data: {} }), "next");
  equal(here.topics, new Map([["a", 6]]));
}

export function test_a_gap_forgets_the_topic_so_that_it_is_reset() {
  const here = new Positions();
  here.begin("e", { a: 4, b: 1 }, []);
  equal(here.take(event("a", 6)), "gap");
  equal(here.parts(10), [{ b: 1 }]);
}

export function test_resuming_keeps_place_except_where_reset() {
  const here = new Positions();
  here.begin("e", { a: 4, b: 7, gone: 2 }, []);
  here.begin("e", { a: 9, b: 20, anew: 3 }, ["b", "anew"]);
  equal(
    here.topics,
    new Map([
      ["a", 4],
      ["b", 20],
      ["anew", 3],
    ]),
  );
}

export function test_topics_are_told_in_parts_that_fit() {
  const here = new Positions();
  here.begin("e", { a: 1, b: 2, c: 3 }, []);
  equal(here.parts(2), [{ a: 1, b: 2 }, { c: 3 }]);
}

export function test_joining_and_leaving_move_the_topics() {
  const here = new Positions();
  here.begin("e", { "member:ada": 1 }, []);
  const joined = { conversation: "x", topic: "conversation:x", pos: 30 };
  equal(here.take(event("member:ada", 2, "conversation.joined", joined)), "next");
  equal(here.take(event("conversation:x", 31)), "next");
  equal(
    here.take(event("member:ada", 3, "conversation.left", { conversation: "x", pos: 31 })),
    "next",
  );
  equal(here.topics, new Map([["member:ada", 3]]));
}

export function test_a_joined_topics_first_event_may_overtake_the_joining() {
  const here = new Positions();
  here.begin("e", { "member:ada": 1 }, []);
  equal(here.take(event("conversation:x", 31)), "next");
  here.take(
    event("member:ada", 2, "conversation.joined", {
      conversation: "x",
      topic: "conversation:x",
      pos: 30,
    }),
  );
  equal(here.take(event("conversation:x", 31)), "seen");
}
