"""Ends of access, confirmed: answered when every node has applied them, or cannot deliver.

Every change that ends access is a row of one dense log, the fences. A node holds a lease in the
store and renews it every second: it writes how far it has passed, and then reads and applies what
is behind that. The order is what makes it safe: whoever finds no lease of a node in the store
knows that the node's next one will be written, and the fences read after it, later than now.

No clocks are compared. A node counts its lease from before it wrote it; others take it to have run
out once they have seen it unchanged for as long, each by its own clock, which counts suspension
too. A node without a lease delivers nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec

from server.commands.outcome import Ending, Lease

log = logging.getLogger("subrosa.fences")
LEASE_S: Final = 5.0
MARGIN_S: Final = 0.5  # for clocks that run at slightly different speeds
BEAT_S: Final = 1.0
LOOK_S: Final = (0.002, 0.1)  # between two looks at others' leases while somebody waits
FORGOTTEN_S: Final = 60.0  # then a lease that ran out is removed

Done = Callable[[], None]


def boottime() -> float:
    """Seconds that also pass while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Leases(Protocol):
    """The store's side. Any failure is an exception; each call is a transaction of its own."""

    async def head(self) -> int:
        """The last fence."""

    async def renew(self, node: str, passed: int, sessions: int) -> int:
        """Write a node's lease anew; answers its beat, 1 for a new one, once it is stored."""

    async def look(self, after: int) -> tuple[Sequence[Lease], Sequence[Ending]]:
        """All leases, and the first fences behind `after`, in one snapshot."""

    async def forget(self, lease: Lease) -> None:
        """Remove a lease, unless it has been renewed since."""

    async def leave(self, node: str) -> None:
        """Remove a node's own."""


class Fencing(Protocol):
    """What the hub and the callers ask."""

    @property
    def valid(self) -> bool:
        """Whether this node may deliver now."""

    @property
    def applied(self) -> int:
        """The last fence that this node has applied, in order."""

    @property
    def waiting(self) -> int:
        """How many answers wait for other nodes."""

    @property
    def sessions_elsewhere(self) -> int:
        """Sessions on all other nodes, as of their last renewals."""

    def lives(self, node: str) -> bool:
        """Whether another node is there, as far as is known."""

    def living(self) -> frozenset[str]:
        """The nodes that are there, as far as is known."""

    def poke(self) -> None:
        """Somebody wrote a fence: read it now."""

    def when_everywhere(self, fence: int, done: Done) -> None:
        """Call `done` when no node delivers anymore what this fence ended."""


class NoFences:
    """A process that is alone: what it has committed, it has applied."""

    valid = True
    applied = 2**63
    waiting = 0
    sessions_elsewhere = 0

    def lives(self, node: str) -> bool:
        """There is nobody else."""
        return False

    def living(self) -> frozenset[str]:
        """There is nobody else."""
        return frozenset()

    def poke(self) -> None:
        """There is nobody else."""

    def when_everywhere(self, fence: int, done: Done) -> None:
        """That is now."""
        done()


class _Seen(msgspec.Struct):
    lease: Lease
    since: float  # when this beat was first seen


class Fences:
    """One node's lease and its place in the log. Make it, `open` it, then `run` it.

    `apply` is given each fence once, in order; `lose` is called when some can no longer be read;
    `call` has the other nodes read, and `called` is whether their calls come through here;
    `count` is for the sessions here.
    """

    def __init__(
        self,
        leases: Leases,
        node: str,
        *,
        apply: Callable[[Ending], None],
        lose: Callable[[], None],
        call: Callable[[], None] = lambda: None,
        count: Callable[[], int] = lambda: 0,
        called: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = boottime,
    ) -> None:
        self.applied = 0
        self._leases = leases
        self._node = node
        self._apply = apply
        self._lose = lose
        self._call = call
        self._count = count
        self._called = called
        self._clock = clock
        self._until = 0.0
        self._written = -1  # the fence that the lease in the store says has been passed
        self._renew_at = 0.0
        self._seen: dict[str, _Seen] = {}
        self._round = 0
        self._everywhere = 0
        self._waiting: list[tuple[int, int, Done]] = []
        self._news = asyncio.Event()
        self._look_s = LOOK_S[0]
        self._failing = False
        self._looked = self._steady_since = 0.0

    @property
    def valid(self) -> bool:
        """Whether this node may deliver now."""
        return self._clock() < self._until

    def lives(self, node: str) -> bool:
        """Whether another node's lease has not run out, as far as is known."""
        seen = self._seen.get(node)
        return seen is not None and self._clock() - seen.since < LEASE_S

    def living(self) -> frozenset[str]:
        """The nodes whose leases have not run out, as far as is known."""
        return frozenset(node for node in self._seen if self.lives(node))

    @property
    def sessions_elsewhere(self) -> int:
        """Sessions on all other nodes, as of their last renewals."""
        others = (seen.lease for seen in self._seen.values() if seen.lease.node != self._node)
        return sum(lease.sessions for lease in others if self.lives(lease.node))

    async def open(self) -> None:
        """Take the lease: before anybody is here whom an earlier fence could concern."""
        self.applied = await self._leases.head()
        await self.turn()

    def poke(self) -> None:
        """Somebody wrote a fence: read it now."""
        self._news.set()

    def when_everywhere(self, fence: int, done: Done) -> None:
        """Call `done` when every other node has passed this fence or its lease has run out.

        To be called after the commit of what wrote it, when this node has applied it.
        """
        if fence <= self._everywhere:
            done()
            return
        self._waiting.append((fence, self._round, done))
        self._look_s = LOOK_S[0]
        self._call()
        self._news.set()

    @property
    def waiting(self) -> int:
        """How many answers wait for other nodes."""
        return len(self._waiting)

    async def quiet(self) -> None:
        """Wait until no answer waits for other nodes."""
        while self._waiting:  # noqa: ASYNC110 - at the end of a process alone
            await asyncio.sleep(LOOK_S[1])

    async def run(self) -> None:
        """Renew every second, at once when called, and look at others while somebody waits."""
        while True:
            try:
                await self._pause()
                await self.turn()
                if self._failing:
                    self._failing = False
                    log.warning("the lease is renewed again")
            except Exception as error:  # the store is away: the lease runs out by itself
                self._everywhere = 0  # it may be another's when it is back
                if not self._failing:
                    self._failing = True
                    log.warning("the lease could not be renewed: trying on", exc_info=error)
                await asyncio.sleep(LOOK_S[1])

    async def close(self) -> None:
        """Give the lease back, so that nobody waits for it to run out."""
        self._until = 0.0
        try:
            await self._leases.leave(self._node)
        except Exception:
            log.warning("the lease could not be given back: it runs out by itself", exc_info=True)

    async def _pause(self) -> None:
        wait_s = max(0.0, self._renew_at - self._clock())
        if self._waiting:
            wait_s = min(wait_s, self._look_s)
            self._look_s = min(self._look_s * 2, LOOK_S[1])
        elif not self._called():
            wait_s = min(wait_s, LOOK_S[1])
        if not self._news.is_set():
            try:
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
            except TimeoutError:
                pass
        self._news.clear()

    async def turn(self) -> None:
        """Renew if it is time or there is something new to say, then read and apply."""
        started = self._clock()
        self._round += 1
        renewed = started >= self._renew_at or self._written < self.applied
        if renewed:
            passed = self.applied
            beat = await self._leases.renew(self._node, passed, self._count())
            if beat == 1 and self._written >= 0:
                log.error("the lease had been given up: every session ends")
                self._lose()
            self._written, self._renew_at = passed, started + BEAT_S
            if await self._leases.head() < self.applied:
                log.error("the store has fewer fences than were read here: every session ends")
                await self._begin_anew()
        leases, endings = await self._leases.look(self.applied)
        if started - self._looked > LEASE_S:
            self._steady_since = started
        self._looked = started
        while endings:
            self._take(endings)
            leases, endings = await self._leases.look(self.applied)
        if renewed:  # only now: what was written before this lease has been read after it
            self._until = started + LEASE_S - MARGIN_S
        if self._written < self.applied:
            self._news.set()  # others wait to hear of it
        self._observe(leases)
        await self._answer(leases)

    async def _begin_anew(self) -> None:
        """This is another store than before, or an older state of it."""
        self._everywhere = 0
        self.applied = await self._leases.head()
        self._lose()

    def _take(self, endings: Sequence[Ending]) -> None:
        if endings[0].seq != self.applied + 1:
            log.error("fences are gone that were never read here: every session ends")
            self._lose()
        for ending in endings:
            self.applied = ending.seq
            try:
                self._apply(ending)
            except Exception:  # it must not keep every later one from being applied
                log.exception("an end of access could not be applied: every session ends")
                self._lose()

    def _observe(self, leases: Sequence[Lease]) -> None:
        now = self._clock()
        before, self._seen = self._seen, {}
        for lease in leases:
            seen = before.get(lease.node)
            if seen is None or seen.lease.beat != lease.beat:
                seen = _Seen(lease, now)
            seen.lease = lease
            self._seen[lease.node] = seen

    async def _answer(self, leases: Sequence[Lease]) -> None:
        now = self._clock()
        others = [seen for seen in self._seen.values() if seen.lease.node != self._node]
        live = [seen for seen in others if now - seen.since < LEASE_S]
        self._everywhere = min([self.applied, *(seen.lease.passed for seen in live)])
        waiting, self._waiting = self._waiting, []
        for fence, since, done in waiting:
            # Leases that were read before the fence was written say nothing about it.
            if fence <= self._everywhere and since < self._round:
                done()
            else:
                self._waiting.append((fence, since, done))
        for seen in others:
            # Only what has been watched all the time: nobody could renew while the store was away.
            if now - max(seen.since, self._steady_since) > FORGOTTEN_S:
                await self._leases.forget(seen.lease)
