"""Real nodes without sockets, a clock that the test moves, and the order in which they commit.

Owns the nodes, their faults and the connections of one run. A node tells the bench of every batch
before the hub and the callers hear of it; the bench puts each command to the oracle, and from then
on the oracle knows what everybody may see. Whatever anything in the loop or the log complains of
fails the run.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import jwt

from server.commands.command import Params
from server.commands.outcome import Call, Caller, Event, Outcome
from server.commands.snapshot import Snapshot
from server.realtime.messages import encode
from server.web.dispatch import validate
from server.web.http import OPERATOR
from tests.property.clients import UNKNOWN, Connection, Request
from tests.property.devices import Device
from tests.property.endings import Endings, parted
from tests.property.nodes import EMBEDDED, KEY, House, Nodes, Observed
from tests.property.setting import Complaints, Told, policy_of
from tests.property.shared import FAULTS
from tests.property.streams import Place
from tests.support.oracle import Oracle
from tests.support.oracle_things import Answer, Disagreement, Rules, Talk, Token

Map = dict[str, Any]
DAY_MS = 86_400_000
ROUNDS = 4  # of looking for what is missing anywhere, before it is taken to be missing for good


class Bench:
    """The nodes of one house over many runs; `start` begins one with members of its own."""

    def __init__(self, rules: Rules, limits: Mapping[str, int], house: House = EMBEDDED) -> None:
        self.rules = rules
        self.counts: Counter[str] = Counter()
        self.ms = 1_750_000_000_000
        self.failure: BaseException | None = None
        self.log: list[str] = []
        self.recent: deque[Event] = deque(maxlen=50)
        self.races: list[Talk] = []  # where an end of access is racing sends now
        self.house = house
        self.nodes = Nodes(house, self.counts)
        self.oracle: Oracle = Oracle(rules)
        self.endings = Endings()
        self.connections: list[Connection] = []
        self._limits = limits
        self._complaints = Complaints(self.wrong)
        self._by_jti: dict[str, tuple[Connection, Token]] = {}
        self._operator: dict[int, tuple[str, Map, object]] = {}
        self._revoking: list[Connection] = []  # by what is not answered yet, at other nodes
        self._tokens = 0
        self._reading = 0
        self._fence = 0
        self._dice = Random(0)
        self._news = asyncio.Event()
        self.gate = asyncio.Event()  # while it is closed, who catches up has to wait
        self.gate.set()

    async def open(self, data: Path) -> None:
        """Start the nodes. To be called in the loop that everything runs in."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._unhandled)
        logging.getLogger("subrosa").addHandler(self._complaints)
        policy = policy_of(self.rules, **self._limits)
        await self.nodes.open(data, policy, lambda: self.ms * 1000, self._observe)
        for node in self.nodes.all:
            ask = functools.partial(self._counted, node.store.read)
            node.store.read = ask  # type: ignore[method-assign]
            node.hub.replays.ask = functools.partial(self._when_open, ask)

    async def close(self) -> None:
        """Stop them."""
        for one in self.connections:
            one.wire.cut()
        logging.getLogger("subrosa").removeHandler(self._complaints)
        await self.nodes.close()

    def start(self) -> None:
        """A new run: nobody is connected, and the oracle knows nothing."""
        self.oracle, self.endings = Told(self.rules, self.nodes.rank), Endings()
        self.oracle.ms = self.ms
        self.connections, self.log, self.failure = [], [], None
        self._by_jti.clear()
        self._operator.clear()
        self._revoking.clear()
        self.recent.clear()
        self.races.clear()
        self._dice = Random(self._tokens)

    async def abandon(self) -> None:
        """A run is over before its end: let what is under way come to nothing."""
        self.gate.set()
        for one in self.connections:
            one.wire.cut()
        with suppress(TimeoutError):
            async with asyncio.timeout(10):
                while self.nodes.busy or self._reading:
                    self._news.clear()
                    self.nodes.release()
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
        if self.nodes.embedded is not None:
            self.nodes.embedded.spoil_a_write()
        self.disturb(0)

    def disturb(self, which: int) -> None:
        """The next transaction of a shared store goes wrong; an embedded one has no such faults."""
        if self.nodes.shared is not None:
            self.nodes.shared.ask_for(FAULTS[which % len(FAULTS)])

    def repeat_on_the_bus(self, which: int) -> None:
        """The bus delivers something again."""
        if self.recent:
            event = self.recent[which % len(self.recent)]
            for node in self.nodes.all:
                node.hub.arrived(event.topic, encode(event))

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
        """A new connection of a device, at any node, with a new token or that of an earlier one,
        and its first command."""
        if used is None:
            token, text = self.token(device.member, device.name)
        else:
            token, text = used.token, used.text
        node = self.any_node()
        connection = Connection(
            self.oracle, device, token, text, node.store.deployment.epoch, self.wrong,
            Place(node, self.endings, alone=not self.house.shared), exact=not self.house.shared,
        )  # fmt: skip
        self._by_jti[token.jti] = (connection, token)
        self.connections.append(connection)
        wire = connection.wire
        wire.attach(node.gateway.accepted(wire, device.subprotocol))
        connection.say("connect", {"token": text, "device": device.name, **params})
        return connection

    def any_node(self) -> Observed:
        """One of the nodes."""
        return self._dice.choice(self.nodes.all)

    def refresh(self, connection: Connection) -> None:
        """The connection goes on with a new token."""
        token, text = self.token(connection.member, connection.device.name)
        self._by_jti[token.jti] = (connection, token)
        connection.say("refresh", {"token": text})

    def operate(self, cmd: str, **params: Any) -> None:
        """The operator gives a command, at this very moment."""
        dispatcher = self.any_node().dispatcher
        command = dispatcher.command(OPERATOR, cmd)
        valid = validate(command, params)
        self._operator[id(valid)] = (cmd, params, valid)
        dispatcher.start(OPERATOR, command, valid, lambda _outcome: None)

    # Commits

    def _observe(self, node: Observed, calls: Sequence[Call], outcomes: Sequence[Outcome]) -> None:
        self._news.set()
        self.counts["batches"] += 1
        alone = False
        if embedded := self.nodes.embedded:
            embedded.delivered(calls)
            alone = embedded.alone(calls)
        for call, outcome in zip(calls, outcomes, strict=True):
            if self.failure is not None:
                return
            try:
                self._committed(node, call, outcome)
                if alone or call is calls[-1]:  # a moment that reads may have seen
                    self._passed()
            except BaseException as failure:
                self.wrong(failure)
                raise

    def _committed(self, node: Observed, call: Call, outcome: Outcome) -> None:
        token, cmd, params, connection, request = self._given(call)
        code = outcome.error.code if outcome.error is not None else ""
        truth: Outcome | None = outcome
        if code == UNKNOWN and self.nodes.shared is not None:
            truth = self.nodes.shared.truth(call)
        answer = Answer({}, UNKNOWN)
        if truth is not None:
            self.counts["commits"] += 1
            told = {k: v for k, v in params.items() if k != "token" or call.caller.operator}
            told = {} if cmd == "refresh" else told
            came_to = truth.error.code if truth.error is not None else ""
            then = request.refusal_of(truth.error) if request and truth.error else None
            if then is not None:
                decided = self.oracle.refuse(self.ms, then)
            else:
                decided = self.oracle.commit(token, cmd, told, self.ms, truth.result or {})
            if (cmd, came_to) != (call.cmd, decided.error):
                raise Disagreement(
                    f"{call.caller.member} {call.cmd} {params}: {came_to or 'done'}, not {decided}"
                )
            self._fence = max(self._fence, truth.until)
            if not came_to:
                self._ended(node if code != UNKNOWN else None, call, cmd, params)
            if code != UNKNOWN:
                answer = decided
        self.recent.extend(outcome.events)
        self._count(cmd, code, params)
        if connection is not None and request is not None:
            if cmd == "connect" and not code:
                self.counts["resumes across edits and deletions"] += connection.over_changes(params)
            if cmd == "refresh" and not code:
                connection.token, connection.text = token, params["token"]
            connection.committed(request, answer, outcome.result or {})

    def take_step(self, cmd: str, params: Params, told: Map) -> None:
        """A node takes a step of a job; `told` is what the oracle is to hear of it."""
        self._operator[id(params)] = (cmd, told, params)
        self.any_node().store.submit(Call(Caller(""), cmd, params, lambda _outcome: None))

    def _given(self, call: Call) -> tuple[Token, str, Map, Connection | None, Request | None]:
        """Who gave a command, and what they said."""
        if call.caller.operator:
            cmd, params, _ = self._operator.pop(id(call.params))
            return Token(""), cmd, params, None, None
        connection, token = self._by_jti[call.caller.jti]
        if not connection.writes:
            raise Disagreement(f"{token} never said {call.cmd}")
        request = connection.writes.popleft()
        return token, request.cmd, request.params, connection, request

    def _ended(self, node: Observed | None, call: Call, cmd: str, params: Map) -> None:
        """This has ended somebody's access; once it is answered every node has to know."""
        me = call.caller.member
        revoked: list[Connection] = []
        whats = list(self.oracle.lost)
        match cmd:
            case "block.add" | "connection.remove":
                whats.append(parted(me, params["member"]))
            case "connection.delete":
                whats.append(parted(params["a"], params["b"]))
            case "settings.set":
                whats.append(("switch", me))
            case "session.revoke":
                whats.append(("revoked", params["member"]))
                revoked = self._revoked(node, params)
        # Whatever ended nothing new may be answered only when an earlier end has passed everywhere.
        endings = [self.endings.committed(node, *what) for what in whats]
        if node is None:  # nobody is going to be told
            self._revoking += revoked
            return
        done = call.done

        def answered(outcome: Outcome) -> None:
            self._news.set()
            for ending in endings:
                self.endings.answered(ending)
            for one in revoked:
                one.revoked = one.code is None
            done(outcome)

        call.done = answered

    def _revoked(self, node: Observed | None, params: Map) -> list[Connection]:
        """Those who are revoked, and whose nodes may not know it yet."""
        elsewhere = []
        for one in self.connections:
            named = params.get("device", one.device.name) == one.device.name
            if one.code is None and one.member == params["member"] and named:
                one.revoked |= one.place.node is node
                elsewhere += [] if one.revoked else [one]
        return elsewhere

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

    async def _counted(self, ask: Callable[..., Any], question: Callable[[Snapshot], Any]) -> Any:
        self._reading += 1
        try:
            answer = await ask(question)
            faults = self.nodes.shared or self.nodes.embedded
            assert faults is not None
            await faults.settled()
            return answer
        finally:
            self._reading -= 1
            self._news.set()

    async def _when_open(self, ask: Callable[..., Any], question: Callable[[Snapshot], Any]) -> Any:
        await self.gate.wait()
        return await ask(question)

    async def answers(self) -> None:
        """Until whatever was given has been answered, and nothing is being read."""
        try:
            await self._answered()
        except TimeoutError:
            raise Disagreement(
                f"still waited for: {self.nodes.held_up()}, {self._reading}"
            ) from None

    async def _answered(self) -> None:
        async with asyncio.timeout(20):
            while True:
                self._news.clear()
                for _ in range(6):  # what is ready runs: flushes, queued commands, replays
                    await asyncio.sleep(0)
                self.check()
                if self.nodes.busy or self._reading:
                    if not self._news.is_set() and not self.nodes.release():
                        await self._news.wait()
                elif not self._news.is_set():
                    return

    async def rest(self) -> None:
        """Until nothing more happens by itself; then everybody must have what is theirs."""
        self.gate.set()
        await self.answers()
        if self.nodes.shared is not None:
            self.nodes.shared.ask_for("")
            await self._come_together()
        self.counts["rests"] += 1
        for one in self.connections:
            one.at_rest()

    async def _come_together(self) -> None:
        """Until all nodes have passed all fences and delivered all that there is."""
        await self.nodes.passed(self._fence)
        self.endings.all_known()
        for one in self._revoking:
            one.revoked = one.code is None
        self._revoking.clear()
        for _ in range(ROUNDS):
            self.nodes.release()
            await self.nodes.compare_heads()
            await self.nodes.sweep()
            await self.answers()
            if self.nodes.whole(self.oracle.head):
                break

    def pass_time(self, ms: int) -> None:
        """Move the clock. To be called when every answer is there."""
        self.ms += ms
        self.oracle.ms = self.ms
