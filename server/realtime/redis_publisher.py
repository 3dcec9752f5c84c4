"""Publishing to Redis: a bounded queue, and one task that sends what has gathered in it.

At most once: what was under way when a connection failed may have arrived or not, and is not sent
again. No command is given up but with its connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from redis.exceptions import ConnectionError, ResponseError  # noqa: A004 - redis-py's own

from server.realtime.outbox import Outbox, Waiting
from server.realtime.redis_link import ANSWER_S, FAILURES, STEADY_S, Link, pauses, reason
from server.realtime.sealed import Seal

TOGETHER = 500  # messages, and bytes, that are sent before their answers are waited for
TOGETHER_BYTES = 1 << 20

log = logging.getLogger("subrosa.bus")


class RedisPublisher:
    """The sending half of a bus. `failed` is called with the reason whenever nothing goes out."""

    def __init__(
        self,
        link: Link,
        prefix: str,
        seal: Seal,
        outbox: Outbox,
        failed: Callable[[str], None],
    ) -> None:
        self._link = link
        self._prefix = prefix
        self._seal = seal
        self._outbox = outbox
        self._failed = failed
        self._clock = asyncio.get_running_loop().time
        self._something = asyncio.Event()
        self._nothing = asyncio.Event()
        self._nothing.set()
        self.published = 0
        self.lost = 0
        self.answered = 0.0
        """When the newest was handed over of those that Redis is known to have taken."""

    def publish(self, topic: str, message: bytes) -> None:
        """Have a message sent, after those before it."""
        self._outbox.put(topic, message, self._clock())
        self._something.set()
        self._nothing.clear()

    async def drained(self) -> None:
        """Wait until nothing waits and nothing is under way."""
        await self._nothing.wait()

    async def run(self) -> None:
        """Send, until cancelled; closes the connection then."""
        waits = pauses()
        opened = self._clock()
        while True:
            try:
                await self._something.wait()
                if not self._link.usable:
                    if self._clock() - opened > STEADY_S:
                        waits = pauses()
                    await self._link.open()
                    opened = self._clock()
                await self._send_waiting()
            except FAILURES as error:
                self._failed(reason(error))
            except Exception:
                log.exception("publishing failed")
                self._failed("publishing failed")
            else:
                continue
            finally:
                if not self._outbox:
                    self._nothing.set()
            self._link.abort()
            await asyncio.sleep(next(waits))

    async def _send_waiting(self) -> None:
        batch = self._outbox.take(self._clock(), messages=TOGETHER, size=TOGETHER_BYTES)
        if not self._outbox:
            self._something.clear()
        if batch:
            await self._send(batch)

    async def _send(self, batch: Sequence[Waiting]) -> None:
        answered = refused = 0
        try:
            self._link.write(*map(self._command, batch))
            async with asyncio.timeout(ANSWER_S):
                for one in batch:
                    try:
                        await self._link.read()
                    except ResponseError as error:
                        refused += 1
                        if refused == len(batch):
                            self._failed(reason(error))
                    else:
                        self.answered = one.at
                    answered += 1
        except TimeoutError:
            raise ConnectionError("no answer") from None
        finally:
            self.published += answered - refused
            self.lost += len(batch) - answered + refused

    def _command(self, one: Waiting) -> tuple[str, bytes, bytes]:
        channel = (self._prefix + one.topic).encode()
        return ("PUBLISH", channel, self._seal.seal(channel, one.message))

    def abort(self) -> None:
        """Let go of the connection at once."""
        self._link.abort()
