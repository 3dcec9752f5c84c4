"""From a command's name and parameters to its outcome, for WebSocket and HTTP alike.

Validates, limits rates, hands writes to the store and reads to a snapshot, and fills in what only
this process knows: who is present, and the signing key. Nothing is decided here.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Callable
from typing import Any

import msgspec

from server.commands import audit, table
from server.commands.command import Command, Params
from server.commands.groups import PutGroup
from server.commands.members import Presence
from server.commands.operator import Batch, Issue
from server.commands.outcome import Call, Caller, Outcome
from server.domain.policy import Policy, Rate
from server.domain.rates import Bucket
from server.errors import Busy, CommandError, Internal, Invalid, RateLimited
from server.realtime.hub import Hub
from server.store.port import Store
from server.web.announcements import Announcements
from server.web.deletions import WAKES, Deletions
from server.web.jobs import Job
from server.web.provisioning import put_group
from server.web.retention import Retention
from server.web.steps import carried_out
from server.web.tokens import Tokens

log = logging.getLogger("subrosa.web")
_FIELD = re.compile(r"`\$(?:\.([A-Za-z_]+))?")
_MISSING = re.compile(r"missing required field `(\w+)`")
_MEMBERS = 50_000  # whose allowances are remembered; the busiest are refilled by then anyway
Done = Callable[[Outcome], None]


def validate(command: Command, params: dict[str, Any]) -> Params:
    """A command's parameters. Raises `Invalid`, naming the field."""
    try:
        return msgspec.convert(params, command.params)
    except msgspec.ValidationError as error:
        text = str(error)
        missing = _MISSING.search(text)
        place = _FIELD.search(text)
        field = (missing and missing[1]) or (place and place[1])
        details = {"field": field} if field else {}
        words = text.split(" - at ")[0]
        raise Invalid(f"{field or 'params'}: {words}.", **details) from None


class _Known(msgspec.Struct, frozen=True):
    """What a node knew at one moment: members who were here, active or last active then, and
    which other nodes lived."""

    now_ms: int
    here: dict[str, tuple[bool, int]]
    nodes: frozenset[str]

    def tell(
        self, members: dict[str, dict[str, Any]], member: str, nodes: list[str], last_ms: int
    ) -> None:
        """Join it with what the store says: the nodes with sessions of theirs, and since when
        there are none."""
        here, here_ms = self.here.get(member, (False, 0))
        active = here or not self.nodes.isdisjoint(nodes)
        last_ms = max(last_ms, here_ms, self.now_ms if active else 0)
        if last_ms:
            members[member] = {"active": active, "last_active": last_ms}


class Dispatcher:
    """Carries out commands for whoever has been identified."""

    def __init__(
        self,
        store: Store,
        hub: Hub,
        tokens: Tokens,
        policy: Policy,
        *,
        limited: bool,
        count: Callable[[str, str], None],
    ) -> None:
        self.store = store
        self.hub = hub
        self.tokens = tokens
        self.policy = policy
        self.draining = False
        self._limited = limited
        self._count = count
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._loop = asyncio.get_running_loop()
        self._reading: set[asyncio.Task[None]] = set()
        deletions, announcements = Deletions(store), Announcements(store)
        self.deletions, self.retention = deletions, Retention(store, policy)
        self.jobs = (deletions, announcements, self.retention)
        self._wakes: dict[str, Job] = dict.fromkeys(WAKES, deletions)
        self._wakes["conversation.start"] = announcements
        self.node = store.deployment.node

    def command(self, caller: Caller, name: str) -> Command:
        """The command of this name that this caller may give. Raises `Invalid`."""
        found = table.of(caller).get(name)
        if found is None:
            raise Invalid("There is no such command.", field="cmd")
        return found

    def allow(self, caller: Caller, command: Command) -> None:
        """Spend from the caller's allowance. Raises `RateLimited`, or `Busy` while draining."""
        if self.draining:
            raise Busy("The server is draining: repeat in a moment.")
        if not self._limited or command.rate == "none":
            return
        rate: Rate = getattr(self.policy, f"rate_{command.rate}")
        now = self._loop.time()
        key = (caller.member, command.rate)
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= _MEMBERS:
                self._buckets.clear()
            bucket = self._buckets[key] = Bucket(rate, now)
        wait = bucket.take(rate, now)
        if wait:
            raise RateLimited(retry_after_ms=wait)

    def start(self, caller: Caller, command: Command, params: Params, done: Done) -> None:
        """Carry out a write or a read; `done` gets the outcome on the loop, in order of commits
        for writes, once the hub has applied it."""
        if command.kind == "read":
            task = self._loop.create_task(self._read(caller, command, params, done))
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)
            return
        try:
            self.store.submit(Call(caller, command.name, params, self._counted(command, done)))
        except Busy as error:
            self._counted(command, done)(Outcome(error=error))

    def _counted(self, command: Command, done: Done) -> Done:
        def finish(outcome: Outcome) -> None:
            error = outcome.error
            self._count(command.name, error.code if error is not None else "ok")
            if error is None and command.name in self._wakes:
                self._wakes[command.name].wake()
            done(outcome)

        return finish

    async def _read(self, caller: Caller, command: Command, params: Params, done: Done) -> None:
        call = Call(caller, command.name, params, done)
        finish = self._counted(command, done)
        try:
            token = ""
            if isinstance(params, Issue):
                token = self.tokens.issue(params.member, params.ttl)
            if command.name in audit.READS:  # noted for good before it is answered
                noted = audit.Reading(cmd=command.name, params=params)
                await carried_out(self.store, caller, "audit.read", noted)
            # Before the snapshot that decides who may know of it: never newer than the right.
            known = self._known(params) if isinstance(params, Presence) else None
            answer = await self.store.read(lambda snapshot: table.answer(call, snapshot))
            if known is not None:
                visible, elsewhere = answer.pop("ask"), answer.pop("elsewhere")
                for member in visible:
                    known.tell(answer["members"], member, *elsewhere.get(member, ([], 0)))
            elif isinstance(params, Issue):
                answer["token"] = token
            finish(Outcome(result=answer))
        except CommandError as error:
            finish(Outcome(error=error))
        except Exception:
            ref = secrets.token_hex(4)
            log.exception("a read failed", extra={"cmd": command.name, "ref": ref})
            finish(Outcome(error=Internal(ref=ref)))

    def _known(self, params: Presence) -> _Known:
        """What this node knows at this moment of these members' presence."""
        now = self.hub.now_ms()
        here = {}
        for member in params.members:
            audience = self.hub.audiences.get(member)
            if audience is not None and audience.last_active_ms:
                active = audience.active
                here[member] = (active, now if active else audience.last_active_ms)
        return _Known(now, here, self.hub.fences.living() - {self.node})

    async def call(self, caller: Caller, name: str, params: dict[str, Any]) -> dict[str, Any]:
        """One command from beginning to end, as HTTP gives it. Raises a `CommandError`."""
        command = self.command(caller, name)
        if not command.http:
            raise Invalid("This command belongs to a WebSocket.", field="cmd")
        self.allow(caller, command)
        valid = validate(command, params)
        if isinstance(valid, Batch):
            return {"results": [await self._one_of_batch(caller, one) for one in valid.commands]}
        if isinstance(valid, PutGroup):
            return await self._put_group(command, valid)
        if command.kind == "session":
            return {"now": self.hub.now_ms()}
        future: asyncio.Future[Outcome] = self._loop.create_future()
        self.start(caller, command, valid, lambda outcome: _settle(future, outcome))
        # What has been submitted happens, whether or not its caller still waits.
        outcome = await asyncio.shield(future)
        if outcome.error is not None:
            raise outcome.error
        if name in ("member.delete", "member.erase"):
            self.hub.forget(params["id"])
        return outcome.result or {}

    async def _put_group(self, command: Command, p: PutGroup) -> dict[str, Any]:
        """A group with any number of members, counted as one command."""
        finish = self._counted(command, lambda _: None)
        try:
            result = await put_group(self.store, p)
        except CommandError as error:
            finish(Outcome(error=error))
            raise
        finish(Outcome(result=result))
        return result

    async def _one_of_batch(self, caller: Caller, one: dict[str, Any]) -> dict[str, Any]:
        cmd, params = one.get("cmd"), one.get("params", {})
        try:
            if not isinstance(cmd, str) or not isinstance(params, dict) or cmd == "batch":
                raise Invalid("An entry is {cmd, params}, and no batch itself.", field="commands")
            return {"result": await self.call(caller, cmd, params)}
        except CommandError as error:
            return {"error": error.to_wire()}


def _settle(future: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not future.done():
        future.set_result(outcome)
