"""Receiving from Redis: one connection, read by one task, that is subscribed to what is wanted.

Whenever it fails another is made and everything subscribed anew, and the listener is told of
every topic again: what was published in between has been missed. Commands are written by whoever
is on the loop and wait for nothing; `Subscriptions` bounds what can be under way.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Sequence
from typing import ParamSpec

from server.realtime.bus import Listener
from server.realtime.redis_link import FAILURES, STEADY_S, Link, pauses, reason
from server.realtime.sealed import Seal, known
from server.realtime.subscriptions import Subscriptions

CHUNK = 512  # channels a command: Redis serves nobody else while it works on one
_TURN = 64  # messages after which the loop's other work has its turn
_COMPLAIN_S = 10.0

P = ParamSpec("P")
log = logging.getLogger("subrosa.bus")


class RedisSubscriber:
    """The receiving half of a bus. `failed` is called with the reason whenever a connection is
    lost or not to be had."""

    def __init__(
        self,
        link: Link,
        prefix: str,
        seal: Seal,
        failed: Callable[[str], None],
    ) -> None:
        self._link = link
        self._prefix = prefix
        self._start = len(prefix.encode())
        self._seal = seal
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._subscriptions = Subscriptions()
        self._open = False
        self._flush_due = False
        self._confirmed: list[str] = []
        self._complained = -_COMPLAIN_S
        self.listener: Listener | None = None
        self.received = 0
        self.rejected = 0
        self.foreign = 0
        self.faults = 0
        self.connections = 0

    @property
    def settled(self) -> bool:
        """Whether everything wanted is received from now on, and the listener knows."""
        return self._open and self._subscriptions.settled and not self._confirmed

    def subscribe(self, topic: str) -> None:
        """Receive a topic's messages, as soon as Redis has confirmed it."""
        if self._subscriptions.want(topic):
            self._flush_soon()

    def unsubscribe(self, topic: str) -> None:
        """Receive them no longer, from now on."""
        if self._subscriptions.unwant(topic):
            self._flush_soon()

    async def run(self) -> None:
        """Receive, until cancelled; closes the connection then."""
        waits = pauses()
        while True:
            opened = self._loop.time()
            try:
                await self._link.open()
                opened = self._loop.time()
                self._begin()
                await self._receive()
            except FAILURES as error:
                self._failed(reason(error))
            except Exception:
                log.exception("receiving failed")
                self._failed("receiving failed")
            finally:
                self._end()
            if self._loop.time() - opened > STEADY_S:
                waits = pauses()
            await asyncio.sleep(next(waits))

    def reconnect(self) -> None:
        """Give up the connection, if there is one, for a new one."""
        if self._open:
            self._link.abort()

    def abort(self) -> None:
        """Let go of the connection at once."""
        self._link.abort()

    # One connection

    def _begin(self) -> None:
        self.connections += 1
        self._open = True
        self._subscriptions.lost()
        self._flush()

    def _end(self) -> None:
        self._open = False
        self._link.abort()
        self._confirmed.clear()

    async def _receive(self) -> None:
        for count in itertools.count(1):
            self._take(await self._link.read())
            if count % _TURN == 0:  # what has been read already is given without waiting
                await asyncio.sleep(0)

    def _take(self, reply: object) -> None:
        match reply:
            case [b"message", bytes() as channel, bytes() as sealed]:
                self._message(channel, sealed)
            case [b"subscribe", bytes() as channel, _]:
                topic = self._topic(channel)
                if self._subscriptions.began(topic):
                    self._tell_soon(topic)
                else:
                    self._flush_soon()
            case [b"unsubscribe", bytes() as channel, _]:
                if not self._subscriptions.ended(self._topic(channel)):
                    self._flush_soon()
            case _:
                self.rejected += 1

    def _topic(self, channel: bytes) -> str:
        return channel[self._start :].decode()

    def _message(self, channel: bytes, sealed: bytes) -> None:
        topic = self._topic(channel)
        if topic not in self._subscriptions:
            return
        body = self._seal.open(channel, sealed)
        if body is None:
            if known(sealed):
                self.rejected += 1
            else:
                self.foreign += 1
            return
        self.received += 1
        self._tell()
        if self.listener is not None:
            self._guarded(self.listener.arrived, topic, body)

    # What is wanted, and what is had

    def _flush_soon(self) -> None:
        if self._open and not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Send what is due; what cannot be sent is due on the next connection."""
        self._flush_due = False
        if not self._open or not self._link.usable:
            return
        due = self._subscriptions.take()
        for name, topics in (("SUBSCRIBE", due.subscribe), ("UNSUBSCRIBE", due.unsubscribe)):
            for chunk in _chunks(topics):
                channels = ((self._prefix + topic).encode() for topic in chunk)
                self._link.write((name, *channels))
        for topic in due.standing:
            self._tell_soon(topic)

    def _tell_soon(self, topic: str) -> None:
        """Confirmations that were read together are told together."""
        if not self._confirmed:
            self._loop.call_soon(self._tell)
        self._confirmed.append(topic)
        if len(self._confirmed) >= CHUNK:
            self._tell()

    def _tell(self) -> None:
        if not self._confirmed:
            return
        topics = [topic for topic in self._confirmed if topic in self._subscriptions]
        self._confirmed = []
        if topics and self.listener is not None:
            self._guarded(self.listener.complete, topics)

    def _guarded(self, told: Callable[P, None], *given: P.args, **named: P.kwargs) -> None:
        """A listener's fault is not the link's. It is logged now and then: the next message is
        likely to have it too."""
        try:
            told(*given, **named)
        except Exception:
            self.faults += 1
            now = self._loop.time()
            if now - self._complained >= _COMPLAIN_S:
                self._complained = now
                log.exception("a message could not be taken in", extra={"count": self.faults})


def _chunks(topics: Sequence[str]) -> list[Sequence[str]]:
    return [topics[at : at + CHUNK] for at in range(0, len(topics), CHUNK)]
