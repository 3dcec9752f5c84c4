"""A client of the property test: one connection that says things, and judges what it is told.

Owns one wire, its requests and their answers. Every answer must be the oracle's, once, and a
write's not before its commit; what is no answer goes to `Streams`. The `Device` lives on from one
connection to the next.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from server.errors import CommandError
from tests.property.devices import Device
from tests.property.mirror import Key
from tests.property.streams import Opening, Place, Streams
from tests.support.fake_wire import FakeWire
from tests.support.oracle import Oracle
from tests.support.oracle_reads import read
from tests.support.oracle_things import Answer, Disagreement, Token

Map = dict[str, Any]
UNREACHABLE = {
    "code": "unreachable", "message": "There is nothing here that you can reach.",
    "retryable": False,
}  # fmt: skip
UNKNOWN = "unknown_outcome"
READS = {
    "conversation.history", "conversation.get", "conversation.list", "connection.list",
    "message.search", "block.list", "invitation.list", "explain", "settings.get", "credits.get",
    "group.list",
}  # fmt: skip


@dataclass
class Request:
    """A command on its way. `answers` are those that would be right: a write's own, and what a
    read could have seen since it was given; `heads` were its member's topics then. A command that
    is refused may have been, on facts of another that nothing was to hold, by any of `refusals`."""

    id: int
    cmd: str
    params: Map
    heads: dict[str, int]
    answers: list[Answer] = field(default_factory=list)
    refusals: list[Answer] = field(default_factory=list)
    frame: Map | None = None

    @property
    def reads(self) -> bool:
        return self.cmd in READS

    def refusal_of(self, error: CommandError) -> Answer | None:
        """The refusal that this error would have been right for, if there was one."""
        for one in reversed(self.refusals):
            if one.error == error.code and one.result.items() <= error.details.items():
                return one
        return None


class Connection:
    """One connection of a device, from its first frame to its end."""

    def __init__(
        self, oracle: Oracle, device: Device, token: Token, text: str, epoch: str,
        wrong: Callable[[BaseException], None], place: Place, *, exact: bool,
    ) -> None:  # fmt: skip
        self.oracle = oracle
        self.place = place
        self._exact = exact  # connecting tells the heads of its commit, not some shortly before
        self.device = device
        self.member = device.member
        self.token = token
        self.text = text
        self.epoch = epoch
        self._wrong = wrong
        self.wire = FakeWire(device.subprotocol, self)
        self.opening: Opening | None = None
        self.positions: dict[str, int] | None = None  # what it goes on from
        self.same_epoch = True
        self.streams: Streams | None = None
        self.code: int | None = None  # why it is over
        self.revoked = False
        self.writes: deque[Request] = deque()  # not yet committed, in the order given
        self.waiting: dict[int, Request] = {}  # not yet answered
        self.reads: list[Request] = []  # not yet judged
        self.sent: dict[int, Request] = {}  # whose answer has not arrived
        self.asked: dict[int, tuple[Key, int, int]] = {}  # reads for the device's own sake
        self._ids = 0

    # Saying something

    def say(self, cmd: str, params: Map) -> Request:
        """Give a command."""
        self._ids += 1
        request = Request(self._ids, cmd, params, self.oracle.topics_of(self.member))
        self.waiting[request.id] = self.sent[request.id] = request
        if request.reads:
            self.reads.append(request)
            request.answers.append(self._read(request))
        elif not params.get("more"):
            self.writes.append(request)
            self._look_at(request)
        self.wire.send({"id": request.id, "cmd": cmd, "params": params})
        return request

    def _look_at(self, request: Request) -> None:
        """Whether a command would be refused at this moment."""
        if not self._exact:
            answer = self.oracle.refusal(self.member, request.cmd, request.params)
            if answer is not None:
                others = [one for one in request.refusals if one != answer]
                request.refusals = [*others, answer]

    def _read(self, request: Request) -> Answer:
        oracle = self.oracle
        person = oracle.people[self.member]
        revoked = self.token.issued_ms <= person.refused_ms or self.token.jti in person.refused
        if revoked or oracle.ms >= self.token.expires_ms:
            return Answer({}, "unauthenticated")
        return read(oracle, self.member, request.cmd, request.params)

    def committed(self, request: Request, answer: Answer, told: Map) -> None:
        """A write of this connection has been committed, and is answered `told`."""
        request.answers = [answer]
        for later in self.reads:
            if later.id > request.id:  # it waits for this write, so that it will have seen it
                later.answers.clear()
        if request.cmd in ("connect", "resume") and not answer.error:
            if not self._exact:
                heads = self._heads(request, answer.result["topics"], told["topics"])
                answer.result["topics"] = heads
            self._opened(request, answer)

    def _heads(self, request: Request, now: dict[str, int], told: dict[str, int]) -> dict[str, int]:
        """The heads that may be told: of conversations, they may be of any moment since the
        command was given and its member joined."""
        heads = dict(now)
        for topic, head in now.items():
            kind, _, name = topic.partition(":")
            if kind == "conversation":
                joined = self.oracle.talks[name].stays[self.member][-1].joined
                if max(joined, request.heads.get(topic, 0)) <= told.get(topic, -1) <= head:
                    heads[topic] = told[topic]
        return heads

    def passed(self) -> None:
        """Something has been committed: a read that is under way may have seen it, or not."""
        for request in self.writes:
            self._look_at(request)
        for request in self.reads:
            now = self._read(request)
            if not request.answers or request.answers[-1] != now:
                request.answers.append(now)

    def _opened(self, request: Request, answer: Answer) -> None:
        params, first = request.params, request.cmd == "connect"
        if first:
            self.same_epoch = params.get("epoch", self.epoch) == self.epoch
        named = params.get("resume" if first else "topics")
        more = params.get("resume_more")
        if named is not None or more:
            self.positions = {**(self.positions or {}), **(named or {})}
        positions = self.positions
        self.opening = Opening(
            self.oracle, self.member, positions, answer.result["topics"],
            same_epoch=self.same_epoch,
        )  # fmt: skip
        reset = self.opening.reset
        answer.result["reset"] = reset & (named or {}).keys() if more else reset

    def over_changes(self, params: Map) -> bool:
        """Whether this client now resumes over edits or deletions that it has missed."""
        return any(
            entry.name in ("message.edited", "message.deleted")
            for topic, pos in (params.get("resume") or {}).items()
            if topic == self.device.own or topic in self.device.positions
            for entry in self.oracle.logs[topic][pos:]
        )

    # Being told something

    def handed(self, frame: Map) -> None:
        """Judge a frame as it leaves the server's reach."""
        try:
            self._judge_frame(frame)
        except Disagreement as failure:
            self._wrong(failure)  # whatever the server makes of it
            raise

    def _judge_frame(self, frame: Map) -> None:
        if self.revoked:
            raise Disagreement(f"{self.member} was revoked, then given {frame}")
        if "event" not in frame:
            self._answered(frame)
        elif self.streams is None:
            raise Disagreement(f"{self.member} is not connected, but was given {frame}")
        elif "pos" in frame:
            self.streams.event(frame)
        else:
            self.streams.signal(frame)

    def _answered(self, frame: Map) -> None:
        request = self.waiting.pop(frame["id"], None)
        if request is None:
            raise Disagreement(f"{self.member} got an answer to nothing: {frame}")
        request.frame = frame
        if request.params.get("more"):
            self._resumed(request, frame)
        elif request.cmd == "resume" and self.opening is None:
            self._judge(request, frame, Answer({}, "unauthenticated"))
        elif not request.reads:
            if not request.answers:
                raise Disagreement(f"answered before it was committed: {request}")
            self._judge(request, frame, request.answers[0])
            if request.cmd in ("connect", "resume") and request.answers[0].error == UNKNOWN:
                asyncio.get_running_loop().call_soon(self.wire.cut)  # it comes back
            opens = request.cmd in ("connect", "resume") and "result" in frame
            if opens and not request.params.get("resume_more"):
                assert self.opening is not None
                self.streams = Streams(self.oracle, self.member, self.opening, self.place)

    def _resumed(self, request: Request, frame: Map) -> None:
        """A part of what it goes on from was taken note of, by what was known at connect."""
        named = request.params["topics"]
        if self.opening is None:
            self._judge(request, frame, Answer({}, "unauthenticated"))
            return
        self.positions = {**(self.positions or {}), **named}
        heads = self.opening.heads
        topics = {topic: heads[topic] for topic in named if topic in heads}
        if frame["result"]["topics"] != topics:
            raise Disagreement(f"{request} was answered {frame}, not {topics}")

    def _judge(self, request: Request, frame: Map, answer: Answer) -> None:
        if not self._right(frame, answer):
            raise Disagreement(f"{self.member}: {request} was answered {frame}, not {answer}")

    def _right(self, frame: Map, answer: Answer) -> bool:
        if "error" in frame:
            error: Map = frame["error"]
            same_words = error["code"] != "unreachable" or error == UNREACHABLE
            more = all(error.get(name) == value for name, value in answer.result.items())
            return bool(error["code"] == answer.error) and same_words and more
        told = frame["result"]
        if answer.error or not answer.result.keys() <= told.keys():
            return False
        return all(_same(name, told[name], one) for name, one in answer.result.items())

    def judge_reads(self) -> None:
        """Every read that was answered said what was true at one moment since it was given."""
        for request in self.reads:
            if request.frame is not None:
                frame = request.frame
                if not any(self._right(frame, answer) for answer in request.answers):
                    raise Disagreement(
                        f"{self.member}: {request.cmd} {request.params} was answered with "
                        f"{[_difference(frame, answer) for answer in request.answers]}"
                    )
        self.reads = [request for request in self.reads if request.frame is None]

    def arrived(self, frame: Map) -> None:
        """The client has it."""
        if "pos" in frame:
            self.device.event(frame)
        elif "event" not in frame:
            request = self.sent.pop(frame["id"])
            key = self.asked.pop(request.id, None)
            if key is not None and "result" in frame:
                self.device.mirror.answer(*key, frame["result"])
            elif request.cmd in ("connect", "resume") and "result" in frame:
                self._learn(request, frame["result"])

    def _learn(self, request: Request, result: Map) -> None:
        """Where the session's topics are. Without a resume, all of them are as if reset."""
        more = request.params.get("more" if request.cmd == "resume" else "resume_more")
        if not more:
            asked = request.cmd == "resume" or request.params.get("resume") is not None
            self.device.connected(result["topics"], set(result["reset" if asked else "topics"]))

    def ask(self) -> None:
        """Read what the device has to read again, once."""
        on_their_way = {key for key, _, _ in self.asked.values()}
        for key, number in self.device.mirror.stale.items():
            if key not in on_their_way:
                cmd, conversation = key
                params = {"conversation": conversation} if conversation else {}
                paged = cmd in ("conversation.list", "conversation.history")
                request = self.say(cmd, {**params, **({"limit": 200} if paged else {})})
                self.asked[request.id] = (key, number, self.device.positions[self.device.own])

    def at_rest(self) -> None:
        """Nothing more happens by itself: judge what has to be known by now."""
        self.judge_reads()
        if self.streams is not None:
            self.streams.check_contents()
        if self.code is not None:
            return
        if self.revoked:
            raise Disagreement(f"{self.member} was revoked and is still connected")
        if not self.wire.full:
            if self.waiting:
                raise Disagreement(f"{self.member} was never answered: {self.waiting}")
            if self.streams is not None:
                self.streams.complete()

    def ended(self, code: int) -> None:
        """The connection is over."""
        self.code = code


def _difference(frame: Map, answer: Answer) -> str:
    """What was told, and what should have been, where that is not the same."""
    told = frame.get("result", {})
    if answer.error or "error" in frame:
        return f"{frame}, not {answer}"
    names = [name for name, one in answer.result.items() if not _same(name, told.get(name), one)]
    return "; ".join(f"{name}: {told.get(name)}, not {answer.result[name]}" for name in names)


def _same(name: str, told: Any, value: Any) -> bool:
    """Equal, but for orders that nobody promises."""
    if isinstance(value, set):
        return isinstance(told, list) and set(told) == value and len(told) == len(value)
    return bool(_ordered({name: told}) == _ordered({name: value}))


def _ordered(value: Any) -> Any:
    """The same with participants and invitations in the order of their ids."""
    if isinstance(value, list):
        return [_ordered(one) for one in value]
    if isinstance(value, dict):
        return {
            key: sorted(one, key=lambda x, by=_UNORDERED[key]: [str(x[of]) for of in by])  # type: ignore[misc]
            if key in _UNORDERED
            else _ordered(one)
            for key, one in value.items()
        }
    return value


_UNORDERED = {  # of a ledger, two entries of one moment
    "participants": ("member",), "invitations": ("invitation",),
    "entries": ("at_ms", "reason", "change"),
}  # fmt: skip
