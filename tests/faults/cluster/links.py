"""The links between a node and its PostgreSQL and Redis, with taps that know what passes by.

A `PostgresLink` follows what a client says in PostgreSQL's protocol far enough to tell at which
phase of a commit a transaction is; a `RedisLink` notes when an event is published. Where a tap has
been set for a phase, the bytes at hand wait until the tap's function has returned: whatever it does
to the link happens at exactly that phase.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine

from tests.support.tcp_proxy import Pair, TcpProxy

SSL, CANCEL = 80_877_103, 80_877_102
Reached = Callable[["TappedPair"], Coroutine[None, None, None]]


class Tap:
    """Waits for one phase, on whichever of its links reaches it first; then it is spent."""

    def __init__(self) -> None:
        self._phase = ""
        self._then: Reached | None = None
        self._reached = asyncio.Event()
        self._doing: asyncio.Task[None] | None = None

    def set(self, phase: str, then: Reached) -> None:
        """Call `then` at the next time this phase is reached, once."""
        self._phase, self._then = phase, then
        self._reached.clear()

    def wants(self, phase: str) -> bool:
        """Whether this phase is waited for."""
        return self._then is not None and phase == self._phase

    async def reach(self, phase: str, pair: TappedPair) -> None:
        """A link came to this phase."""
        if self.wants(phase):
            then, self._then = self._then, None
            assert then is not None
            # A task of its own: what it does may end the link, and with it whoever waits here.
            self._doing = asyncio.create_task(then(pair))
            self._reached.set()
            await asyncio.shield(self._doing)

    async def done(self) -> None:
        """Wait until the phase has been reached and what was to be done then is done."""
        await self._reached.wait()
        assert self._doing is not None
        await self._doing


class TappedPair(Pair):
    """A connection whose bytes are looked at before they are passed on."""

    def __init__(self, proxy: TcpProxy, near: asyncio.StreamWriter) -> None:
        super().__init__(proxy, near)
        assert isinstance(proxy, TappedLink)
        self.link = proxy
        self.answers_to = ""  # the phase that the next answer belongs to

    def cut(self) -> None:
        """Reset both connections, whichever of them is still there."""
        with contextlib.suppress(
            AttributeError, ValueError
        ):  # it was gone, and has no socket any more
            super().cut()
        for writer in (self._near, self._far):
            if writer is not None:
                writer.transport.abort()

    async def said_upstream(self, data: bytes) -> str:
        """Look at what the client says, before it is passed on; answers a phase that has been
        reached once it is."""
        return ""

    async def look(self, data: bytes, *, upstream: bool) -> str:
        """Stop where a phase is reached."""
        if upstream:
            return await self.said_upstream(data)
        if self.answers_to:
            phase, self.answers_to = self.answers_to, ""
            await self.link.tap.reach(phase, self)
        return ""

    async def passed(self, after: str) -> None:
        """Stop where a phase is reached once something has been passed on."""
        if after:
            await self.link.tap.reach(after, self)


class TappedLink(TcpProxy):
    """A proxy whose connections are tapped. `node` is whose link it is."""

    kind = TappedPair

    def __init__(self, target: int, node: int, tap: Tap) -> None:
        super().__init__(target)
        self.node = node
        self.tap = tap


class PostgresPair(TappedPair):
    """Follows one connection: `does` is what its transaction has done since it began."""

    def __init__(self, proxy: TcpProxy, near: asyncio.StreamWriter) -> None:
        super().__init__(proxy, near)
        self._waiting = bytearray()
        self._started = False
        self._statements: dict[bytes, frozenset[str]] = {}
        self.does: set[str] = set()

    def has(self, what: str) -> bool:
        """Whether it has ever prepared such a statement."""
        return any(what in does for does in self._statements.values())

    async def said_upstream(self, data: bytes) -> str:
        """Phases: accepted (before the first statement of a writing transaction), locked (its
        locks are taken, which it has not heard), written (before the COMMIT of a message),
        committed (it is carried out, which it has not heard), revoking (the same of a commit that
        ends an access)."""
        self._waiting += data
        while (message := self._next()) is not None:
            kind, body = message
            if kind == b"P":
                name, _, rest = body.partition(b"\0")
                self._statements[name] = _what(rest.partition(b"\0")[0])
            elif kind == b"B":
                _, _, rest = body.partition(b"\0")
                await self._bound(self._statements.get(rest.partition(b"\0")[0], frozenset()))
            elif kind == b"Q":
                await self._query(body.rstrip(b"\0"))
        return ""

    def _next(self) -> tuple[bytes, bytes] | None:
        waiting = self._waiting
        head = 5 if self._started else 4
        if len(waiting) < head:
            return None
        length = int.from_bytes(waiting[head - 4 : head])
        end = length + head - 4
        if len(waiting) < end:
            return None
        message = bytes(waiting[: head - 4]), bytes(waiting[head:end])
        del waiting[:end]
        if not self._started:
            self._started = int.from_bytes(message[1][:4]) not in (SSL, CANCEL)
        return message

    async def _bound(self, does: frozenset[str]) -> None:
        if self.does == {"begin"} and self.has("lock"):  # those of a writer
            await self.link.tap.reach("accepted", self)
        if "lock" in does:
            self._expect("locked")
        self.does |= does or {"reads"}

    async def _query(self, text: bytes) -> None:
        if text.startswith(b"BEGIN"):
            self.does = {"begin", "reads"} if b"READ ONLY" in text else {"begin"}
        elif text.startswith(b"COMMIT"):
            if "message" in self.does:
                await self.link.tap.reach("written", self)
                self._expect("committed")
            if "fence" in self.does:
                self._expect("revoking")
            self.does = set()
        elif text.startswith(b"ROLLBACK"):
            self.does = set()

    def _expect(self, phase: str) -> None:
        if self.link.tap.wants(phase):
            self.answers_to = phase


def _what(sql: bytes) -> frozenset[str]:
    """What a statement does, as far as the phases go by it."""
    plain = sql.replace(b'"', b"")
    tables = ("message", "fence", "lease")
    written = {table for table in tables if b"INSERT INTO " + table.encode() + b" " in plain}
    return frozenset(written | ({"lock"} if b"advisory_xact_lock" in sql else set()))


class PostgresLink(TappedLink):
    """A node's link to PostgreSQL."""

    kind = PostgresPair

    def renewing(self) -> list[Pair]:
        """Its connections that have renewed a lease."""
        return [p for p in self.pairs if isinstance(p, PostgresPair) and p.has("lease")]


class RedisPair(TappedPair):
    """Knows when an event goes by."""

    async def said_upstream(self, data: bytes) -> str:
        """Phase published: Redis has been given an event of a member or a conversation."""
        published = b"PUBLISH" in data and (b":member:" in data or b":conversation:" in data)
        return "published" if published and self.link.tap.wants("published") else ""


class RedisLink(TappedLink):
    """A node's link to Redis."""

    kind = RedisPair

    def listening(self) -> list[Pair]:
        """Its connections that messages come by."""
        return [pair for pair in self.pairs if b"SUBSCRIBE" in pair.said]
