"""The bus over Redis: a channel a topic, under the deployment's prefix. For any number of nodes.

Nothing here waits for Redis: a server starts without it, and goes on without it, late and not
wrong. Messages are sealed (see `sealed`), so that nobody who merely may publish there can speak
for a node. A node sends itself a probe a second, by the way that messages go; `healthy` is
whether they come back.

For a cluster's sharded channels another adapter would have a publisher and a subscriber for each
shard, send a topic's commands to the shard that its channel's slot belongs to (with SPUBLISH and
SSUBSCRIBE), take an unsubscription that it did not ask for as news of a slot that moved, and
probe every shard by a channel of its own there. `Bus` promises nothing that this would break.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from server.realtime.bus import Counters, Listener
from server.realtime.outbox import Outbox
from server.realtime.probe import Probe
from server.realtime.redis_link import Link
from server.realtime.redis_publisher import RedisPublisher
from server.realtime.redis_subscriber import RedisSubscriber
from server.realtime.sealed import Seal

PREFIX = "subrosa:"
TICK_S = 1.0
_LAST_WORDS_S = 0.5  # at the end, for what waits to be published, if Redis takes it

log = logging.getLogger("subrosa.bus")


class RedisBus:
    """One node's connection to the bus. Made on the loop that uses it; `start` begins it.

    `node` is this node's name, that no other has; `key` the deployment's secret.
    Raises: SetupError for a URL that is none, in words that hold nothing of it.
    """

    def __init__(self, url: str, *, prefix: str = PREFIX, key: bytes, node: str) -> None:
        seal = Seal(key)
        self._loop = asyncio.get_running_loop()
        self._outbox = Outbox()
        self._publisher = RedisPublisher(Link(url), prefix, seal, self._outbox, self._not_sent)
        self._subscriber = RedisSubscriber(Link(url), prefix, seal, self._not_received)
        self._probe = Probe()
        self._own = f"probe:{node}"
        self._listener: Listener | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False
        self._told: bool | None = None  # what the log says of its health, if it says anything
        self._subscriber.listener = self
        # Before everything else, so that a long list of topics does not look like silence.
        self._subscriber.subscribe(self._own)

    @property
    def healthy(self) -> bool:
        """Whether probes come back."""
        return self._probe.healthy

    @property
    def settled(self) -> bool:
        """Whether Redis has confirmed all that was subscribed, and let go of all that ended."""
        return self._subscriber.settled

    @property
    def counters(self) -> Counters:
        """What it has done so far."""
        return Counters(
            published=self._publisher.published,
            received=self._subscriber.received,
            dropped=self._publisher.lost + self._outbox.dropped,
            rejected=self._subscriber.rejected,
            foreign=self._subscriber.foreign,
            faults=self._subscriber.faults,
            reconnects=max(0, self._subscriber.connections - 1),
            waiting=len(self._outbox),
            waiting_bytes=self._outbox.size,
        )

    def listen(self, listener: Listener) -> None:
        """Tell this listener."""
        self._listener = listener

    def carries(self, topic: str) -> bool:
        """Always: who else is subscribed is not known here."""
        return True

    def publish(self, topic: str, message: bytes) -> None:
        """Send a message; dropped and counted where it cannot be sent in time."""
        if not self._closed:
            self._publisher.publish(topic, message)

    def subscribe(self, topic: str) -> None:
        """Receive this topic's messages, from when `complete` tells of it."""
        if not self._closed:
            self._subscriber.subscribe(topic)

    def unsubscribe(self, topic: str) -> None:
        """Receive them no longer."""
        if not self._closed:
            self._subscriber.unsubscribe(topic)

    def start(self) -> None:
        """Begin, whether Redis is there or not."""
        for work in (self._subscriber.run(), self._publisher.run(), self._beat()):
            self._tasks.append(self._loop.create_task(work))

    async def close(self) -> None:
        """End everything, within a second whatever Redis does."""
        if self.healthy and not self._closed:
            try:
                async with asyncio.timeout(_LAST_WORDS_S):
                    await self._publisher.drained()
            except TimeoutError:
                pass  # what it did not take is counted, and in the store
        self._closed = True
        self._probe.doubt()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        self._subscriber.abort()
        self._publisher.abort()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                log.error("the bus had stopped", exc_info=ended)

    # What the subscriber tells: probes are the bus's own

    def arrived(self, topic: str, message: bytes) -> None:
        """A message came, or a probe came back."""
        if topic == self._own:
            self._probe.came(message)
            self._tell_health()
        elif self._listener is not None:
            self._listener.arrived(topic, message)

    def complete(self, topics: Sequence[str]) -> None:
        """Subscriptions are confirmed: a probe's own is worth trying at once."""
        if self._own in topics:
            self._send_probe()
            topics = [topic for topic in topics if topic != self._own]
        if topics and self._listener is not None:
            self._listener.complete(topics)

    # Health

    async def _beat(self) -> None:
        while True:
            self._send_probe()
            await asyncio.sleep(TICK_S)
            self._outbox.expire(self._loop.time())
            sent = self._probe.tick()
            if sent is None:
                continue
            self._tell_health("no probe comes back")
            # The sending side may be at fault. A new connection to listen on would not help that,
            # and costs reading every topic's head: none is made again before it could help.
            if self._probe.proven or self._publisher.answered >= sent:
                self._subscriber.reconnect()

    def _send_probe(self) -> None:
        self._publisher.publish(self._own, self._probe.send(self._loop.time()))

    def _not_sent(self, reason: str) -> None:
        self._probe.doubt()
        self._tell_health(reason)

    def _not_received(self, reason: str) -> None:
        self._probe.renew()
        self._tell_health(reason)

    def _tell_health(self, reason: str = "") -> None:
        """One line when it becomes degraded, one when it recovers."""
        if self.healthy is self._told or self._closed:
            return
        if not self.healthy:
            log.warning("the bus is degraded, events of other nodes come late: %s", reason)
        elif self._told is False:
            log.info("the bus carries messages again")
        self._told = self.healthy
