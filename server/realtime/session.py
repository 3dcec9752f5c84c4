"""One live session: what is due to one socket, bounded, and revocable until it is handed over.

Owned by the hub. A frame waits here from the moment it is due until the wire takes it: at the
end of the loop's tick, or, while the transport is full, until it drains. What waits can still be
taken back. Few bytes, and no task, timer or queue of its own while idle.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from server.commands.outcome import Caller, Ending
from server.domain.policy import Policy
from server.protocol.codec import Codec
from server.protocol.wire import Wire
from server.realtime.framing import WRITE_BYTES, Due

if TYPE_CHECKING:
    from server.realtime.audience import Audience


class Attachment:
    """A session's hold on one topic, from being attached until it is detached.

    `pos` is the position up to which the session has what is its own, while it is on its way
    into the audience; `since` is the topic's head when the right to it was read. Another attachment
    to the same topic is another object, so whoever waited in between can tell that theirs has
    ended.
    """

    __slots__ = ("pos", "since")

    def __init__(self, pos: int, since: int) -> None:
        self.pos = pos
        self.since = since

    @property
    def known(self) -> int:
        """What happened up to here to this hold's member was known when it was given or kept: an
        end that comes to light later is one that they have come back from."""
        return max(self.pos, self.since)


class Held(msgspec.Struct):
    """How far the sessions of a node have come towards their bounds since it started: the most
    bytes that waited for one, the longest that one's wire took nothing, signals shed for it."""

    most_bytes: int = 0
    longest_s: float = 0.0
    shed: int = 0


class Overflow(Exception):
    """The session's buffer is beyond its hard limit."""


class Session:
    """A connected member's one socket."""

    __slots__ = ("_blocked_since", "_bytes", "_counted", "_drained", "audience", "codec",
                 "device", "doomed", "due", "ended", "expires_ms", "fence", "id", "jti", "live",
                 "next_jti", "opened_at", "opened_pos", "pending", "seen", "topics",
                 "wire")  # fmt: skip

    def __init__(
        self, ident: str, wire: Wire, codec: Codec, audience: Audience, device: str, now: float
    ) -> None:
        self.id = ident
        self.wire = wire
        self.codec = codec
        self.audience = audience  # the member's, which all of their sessions share
        self.device = device
        self.jti = ""  # of the token it goes on with
        self.next_jti = ""  # of one that it has asked to go on with
        self.fence = -1  # the last one when it was opened; -1 before
        self.doomed = 0  # the last revocation that met it before it was opened
        self.expires_ms = 0
        self.opened_at = now
        self.seen = now  # loop time of the last frame from the peer
        self.live = False  # connected: the result has been given
        self.ended = False  # nothing is given to it any more
        self.opened_pos = 0  # the member topic's position that the session was opened at
        self.topics: dict[str, Attachment] = {}
        self.pending: list[Due] = []
        self.due = False  # already on the hub's list for the end of this tick
        self._bytes = 0
        self._counted = 0
        self._blocked_since = 0.0
        self._drained: asyncio.Future[None] | None = None

    def go_on_with(self, caller: Caller) -> None:
        """The token that it is there by."""
        self.expires_ms, self.jti, self.next_jti = caller.expires_ms, caller.jti, ""

    def meets(self, ending: Ending) -> bool:
        """Whether a revocation means this session, which may be read here after it was opened.

        Fences tell, and no clocks: what was opened under the member's lock knows which were before.
        """
        named = ending.device in ("", self.device)
        return named or self.jti in ending.jtis or self.next_jti in ending.jtis

    def hand_over_one(self) -> bool:
        """Hand over the only item that is due, if nothing was held before it and the wire takes
        it; that is nearly always so."""
        pending = self.pending
        if len(pending) != 1 or self._blocked_since or self._drained is not None or self.wire.full:
            return False
        self.wire.write((pending.pop().frame,))
        return True

    def flush(self, now: float, policy: Policy, seen: Held) -> None:
        """Hand over what is due, or hold it while the wire is full.

        Raises `Overflow` beyond the hard limit, in bytes or in age.
        """
        pending, wire = self.pending, self.wire
        while pending:
            if wire.full:
                self.hold(now, policy, seen)
                return
            size = count = 0
            for item in pending:
                size += len(item.frame)
                count += 1
                if size >= WRITE_BYTES:
                    break
            wire.write([item.frame for item in pending[:count]])
            del pending[:count]
            self._counted = self._bytes = 0
            self._blocked_since = 0.0  # it does drain
        self._blocked_since = 0.0
        if self._drained is not None and not wire.full:
            self._wake()

    def hold(self, now: float, policy: Policy, seen: Held) -> None:
        """Keep what is due. Raises `Overflow` beyond the hard limit, in bytes or in age."""
        self._recount()
        if not self._blocked_since:
            self._blocked_since = now
        if self._bytes > policy.buffer_soft_bytes:
            seen.shed += self.drop_signals()
            self._recount()
        age = now - self._blocked_since
        seen.most_bytes = max(seen.most_bytes, self._bytes)
        seen.longest_s = max(seen.longest_s, age)
        if self._bytes > policy.buffer_hard_bytes or age * 1000 > policy.buffer_age_ms:
            raise Overflow

    def _recount(self) -> None:
        for item in self.pending[self._counted :]:
            self._bytes += len(item.frame)
        self._counted = len(self.pending)

    @property
    def held_bytes(self) -> int:
        """Bytes that wait for the wire, or will by the end of the tick."""
        return sum(len(item.frame) for item in self.pending)

    def _keep(self, kept: list[Due]) -> None:
        self.pending[:] = kept
        self._bytes = self._counted = 0

    def drop_signals(self) -> int:
        """Signals go first: what they say is soon untrue anyway. Answers how many were there."""
        before = len(self.pending)
        self._keep([item for item in self.pending if not item.signal])
        return before - len(self.pending)

    def drop_topic(self, topic: str) -> None:
        """The session lost this topic: what waits for it is not flushed."""
        self.topics.pop(topic, None)
        if self.pending:
            self._keep([item for item in self.pending if item.topic != topic])

    def drop_all(self) -> None:
        """The session ends: nothing that waits is given any more."""
        self.live, self.ended = False, True
        self._keep([])
        self._wake()

    async def drained(self) -> None:
        """Wait until everything due has been handed over, or the session has ended."""
        if self.live and (self.pending or self.wire.full):
            if self._drained is None:  # several topics may be waiting for the one wire
                self._drained = asyncio.get_running_loop().create_future()
            await self._drained

    def _wake(self) -> None:
        waiting, self._drained = self._drained, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
