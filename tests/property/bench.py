"""A real node without sockets, a clock that the test moves, and the order in which it commits.

Owns the node, its faults and the connections of one run. `Observed` tells the bench of every batch
before the hub and the callers hear of it; the bench puts each command to the oracle, and from then
on the oracle knows what everybody may see. Whatever anything in the loop or the log complains of
fails the run.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jwt
import msgspec
from sqlalchemy import Connection as Sql
from sqlalchemy.exc import OperationalError

from server.app import Node
from server.commands.outcome import Call, Event, Outcome
from server.commands.snapshot import Snapshot
from server.domain.policy import Policy
from server.realtime.messages import encode
from server.settings import Settings
from server.web.dispatch import validate
from server.web.http import OPERATOR
from server.web.tokens import Tokens
from tests.property.clients import Connection
from tests.property.devices import Device
from tests.support.oracle import Oracle
from tests.support.oracle_world import Disagreement, Rules, Talk, Token

Map = dict[str, Any]
KEY = "the-key-that-the-property-test-signs-with"
DAY_MS = 86_400_000


class Observed(Node):
    """A node whose commits are seen in their order."""

    observe: Callable[[Sequence[Call], Sequence[Outcome]], None]

    def deliver(self, calls: Sequence[Call], outcomes: Sequence[Outcome]) -> None:
        self.observe(calls, outcomes)
        super().deliver(calls, outcomes)


class Complaints(logging.Handler):
    """Errors that the server has logged."""

    def __init__(self, wrong: Callable[[BaseException], None]) -> None:
        super().__init__(logging.ERROR)
        self._wrong = wrong

    def emit(self, record: logging.LogRecord) -> None:
        self._wrong(Disagreement(f"the server logged: {self.format(record)}"))


def policy_of(rules: Rules, **more: Any) -> Policy:
    """The server's numbers for the oracle's."""
    return Policy(
        visible_to_newcomers=msgspec.convert(rules.newcomers, Any),
        participants_per_conversation=rules.participants,
        signals_up_to=rules.signals_up_to,
        reactions_per_member=rules.reactions,
        body_characters=rules.body,
        title_characters=rules.title,
        note_characters_basic=rules.note,
        edit_window_ms=rules.edit_ms,
        reinvite_after_ms=rules.reinvite_ms,
        reblock_after_ms=rules.reblock_ms,
        typing_renew_ms=rules.typing_renew_ms,
        resume_events=rules.resume_events,
        **more,
    )


class Bench:
    """One node over many runs; `start` begins one with members of its own."""

    def __init__(self, rules: Rules, limits: Mapping[str, int]) -> None:
        self.rules = rules
        self.counts: Counter[str] = Counter()
        self.ms = 1_750_000_000_000
        self.failure: BaseException | None = None
        self.log: list[str] = []
        self.recent: deque[Event] = deque(maxlen=50)
        self.races: list[Talk] = []  # where an end of access is racing sends now
        self.node: Observed
        self.oracle = Oracle(rules)
        self.connections: list[Connection] = []
        self._limits = limits
        self._complaints = Complaints(self.wrong)
        self._by_jti: dict[str, tuple[Connection, Token]] = {}
        self._operator: deque[tuple[str, Map]] = deque()
        self._tokens = 0
        self._reading = 0
        self._news = asyncio.Event()
        self.gate = asyncio.Event()  # while it is closed, who catches up has to wait
        self.gate.set()
        self._spoilt = False
        self._calls: Sequence[Call] = []
        self._one_by_one: deque[Sequence[Call]] = deque(maxlen=8)

    async def open(self, data: Path) -> None:
        """Start the node. To be called in the loop that everything runs in."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._unhandled)
        logging.getLogger("subrosa").addHandler(self._complaints)
        policy = policy_of(self.rules, **self._limits)
        settings = Settings(data=data, policy=policy, rate_limits=False, signing_key=KEY)
        self.node = await Observed.open(settings, lambda: self.ms * 1000)  # type: ignore[assignment]
        self.node.observe = self._observe
        tokens = Tokens.signing(KEY, lambda: self.ms / 1000)
        self.node.tokens = self.node.dispatcher.tokens = tokens
        self._ask = self.node.store.read
        self.node.store.read = self._counted  # type: ignore[method-assign]
        self.node.hub.replays.ask = self._when_open
        commits = self.node.store.commits
        self._transaction, self._run = commits._transaction, commits._one_transaction
        commits._transaction = self._spoiling
        commits._one_transaction = self._batch  # type: ignore[method-assign]

    async def close(self) -> None:
        """Stop it."""
        for one in self.connections:
            one.wire.cut()
        logging.getLogger("subrosa").removeHandler(self._complaints)
        await self.node.close()

    def start(self) -> None:
        """A new run: nobody is connected, and the oracle knows nothing."""
        self.oracle = Oracle(self.rules)
        self.connections, self.log, self.failure = [], [], None
        self._by_jti.clear()
        self._operator.clear()
        self.recent.clear()
        self.races.clear()

    async def abandon(self) -> None:
        """A run is over before its end: let what is under way come to nothing."""
        self.gate.set()
        for one in self.connections:
            one.wire.cut()
        while self.node.store.waiting or self._reading:
            self._news.clear()
            await self._news.wait()

    # What goes wrong

    def wrong(self, failure: BaseException) -> None:
        """Remember the first failure; the run ends with it at its next rest."""
        if self.failure is None:
            self.failure = failure
        self._news.set()

    def _unhandled(self, _loop: asyncio.AbstractEventLoop, context: Map) -> None:
        self.wrong(context.get("exception") or Disagreement(str(context["message"])))

    def check(self) -> None:
        """Raise what went wrong, if something has."""
        if self.failure is not None:
            raise self.failure

    # Faults

    def spoil_a_write(self) -> None:
        """The next batch of several fails at its end, and is taken back."""
        self._spoilt = True

    def _batch(self, calls: Sequence[Call]) -> list[Outcome]:
        self._calls = calls
        return self._run(calls)

    @contextmanager
    def _spoiling(self) -> Iterator[Sql]:
        with self._transaction() as connection:
            yield connection
            if self._spoilt and len(self._calls) > 1:  # those of a batch are run again, each alone
                self._spoilt = False
                self._one_by_one.append(self._calls)
                self.counts["spoilt batches"] += 1
                raise OperationalError("spoilt", {}, Exception("by the test"))

    def repeat_on_the_bus(self, which: int) -> None:
        """The bus delivers something again."""
        if self.recent:
            event = self.recent[which % len(self.recent)]
            self.node.bus.deliver(event.topic, encode(event))

    # Commands

    def token(self, member: str, device: str) -> tuple[Token, str]:
        """A token that nobody has used, and its text."""
        self._tokens += 1
        jti = f"t{self._tokens}"
        token = Token(member, jti, self.ms, self.ms + DAY_MS, device)
        claims = {"sub": member, "iat": self.ms / 1000, "exp": (self.ms + DAY_MS) / 1000,
                  "jti": jti}  # fmt: skip
        return token, jwt.encode(claims, KEY, algorithm="HS256")

    def connect(self, device: Device, used: Connection | None = None, **params: Any) -> Connection:
        """A new connection of a device, with a new token or that of an earlier one, and its
        first command."""
        if used is None:
            token, text = self.token(device.member, device.name)
        else:
            token, text = used.token, used.text
        epoch = self.node.store.deployment.epoch
        connection = Connection(self.oracle, device, token, text, epoch, self.wrong)
        self._by_jti[token.jti] = (connection, token)
        self.connections.append(connection)
        wire = connection.wire
        wire.attach(self.node.gateway.accepted(wire, device.subprotocol))
        connection.say("connect", {"token": text, "device": device.name, **params})
        return connection

    def refresh(self, connection: Connection) -> None:
        """The connection goes on with a new token."""
        token, text = self.token(connection.member, connection.device.name)
        self._by_jti[token.jti] = (connection, token)
        connection.say("refresh", {"token": text})

    def operate(self, cmd: str, **params: Any) -> None:
        """The operator gives a command, at this very moment."""
        self._operator.append((cmd, params))
        dispatcher = self.node.dispatcher
        command = dispatcher.command(OPERATOR, cmd)
        dispatcher.start(OPERATOR, command, validate(command, params), lambda _outcome: None)

    # Commits

    def _observe(self, calls: Sequence[Call], outcomes: Sequence[Outcome]) -> None:
        self._news.set()
        self.counts["batches"] += 1
        alone = any(calls is spoilt for spoilt in self._one_by_one)
        for call, outcome in zip(calls, outcomes, strict=True):
            if self.failure is not None:
                return
            try:
                self._committed(call, outcome)
                if alone or call is calls[-1]:  # a moment that reads may have seen
                    self._passed()
            except BaseException as failure:
                self.wrong(failure)
                raise

    def _committed(self, call: Call, outcome: Outcome) -> None:
        made = outcome.result or {}
        self.counts["commits"] += 1
        self.recent.extend(outcome.events)
        if call.caller.operator:
            cmd, params = self._operator.popleft()
            answer = self.oracle.commit(Token(""), cmd, params, self.ms, made)
            connection, request, token = None, None, Token("")
        else:
            connection, token = self._by_jti[call.caller.jti]
            if not connection.writes:
                raise Disagreement(f"{token} never said {call.cmd}")
            request = connection.writes.popleft()
            cmd, params = request.cmd, request.params
            told = {} if cmd == "refresh" else {k: v for k, v in params.items() if k != "token"}
            answer = self.oracle.commit(token, cmd, told, self.ms, made)
        code = outcome.error.code if outcome.error is not None else ""
        if (cmd, code) != (call.cmd, answer.error):
            raise Disagreement(
                f"{call.caller.member} {call.cmd} {params}: {code or 'done'}, not {answer}"
            )
        self._count(cmd, code, params)
        if cmd == "connect" and not code and connection is not None:
            self.counts["resumes across edits and deletions"] += connection.over_changes(params)
        if connection is not None and request is not None:
            if cmd == "refresh" and not code:
                connection.token, connection.text = token, params["token"]
            connection.committed(request, answer)
        if cmd == "session.revoke":
            for one in self.connections:
                if one.code is None and one.member == params["member"]:
                    one.revoked |= params.get("device", one.device.name) == one.device.name

    def _passed(self) -> None:
        for one in self.connections:
            if one.code is None:
                one.passed()

    def _count(self, cmd: str, code: str, params: Map) -> None:
        self.counts[code or cmd] += 1
        talk = self.oracle.talks.get(params.get("conversation", ""))
        if cmd in ("conversation.remove", "conversation.leave") and not code and talk in self.races:
            self.counts["removals racing sends"] += 1
            self.races.remove(talk)

    # Time

    async def _counted(self, question: Callable[[Snapshot], Any]) -> Any:
        self._reading += 1
        try:
            return await self._ask(question)
        finally:
            self._reading -= 1
            self._news.set()

    async def _when_open(self, question: Callable[[Snapshot], Any]) -> Any:
        await self.gate.wait()
        return await self._counted(question)

    async def answers(self) -> None:
        """Until whatever was given has been committed, and nothing is being read."""
        async with asyncio.timeout(20):
            while True:
                self._news.clear()
                for _ in range(6):  # what is ready runs: flushes, queued commands, replays
                    await asyncio.sleep(0)
                self.check()
                if not self.node.store.waiting and not self._reading:
                    if not self._news.is_set():
                        return
                else:
                    await self._news.wait()

    async def rest(self) -> None:
        """Until nothing more happens by itself; then everybody must have what is theirs."""
        self.gate.set()
        await self.answers()
        self.counts["rests"] += 1
        for one in self.connections:
            one.at_rest()

    def pass_time(self, ms: int) -> None:
        """Move the clock. To be called when every answer is there."""
        self.ms += ms
