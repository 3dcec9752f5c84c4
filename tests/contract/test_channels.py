"""What goes over Redis, watched from outside: by topic, sealed, and only to nodes that follow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from server.commands.outcome import Event, Signal
from server.realtime.messages import decode
from server.realtime.sealed import Seal
from tests.support.running import Running, running_node
from tests.support.seats import seats
from tests.support.waiting import until

pytestmark = pytest.mark.houses("two nodes")
A, B = 0, 1


class Watch:
    """Everything that is published in a house, by topic, and who has subscribed to what."""

    def __init__(self, server: Running) -> None:
        assert server.node.settings.redis is not None
        self._server = server
        self._prefix = server.node.settings.redis_prefix
        self._seal = Seal(server.node.store.deployment.ids.derive(b"bus"))
        self._redis = Redis.from_url(server.node.settings.redis)
        self.said: list[tuple[str, Event | Signal]] = []
        self.bodies: list[tuple[str, bytes]] = []

    async def take(self, enough: int) -> None:
        """Read until so many events and signals have been published."""
        while len(self.said) < enough:
            message = await self._channels.get_message(timeout=30)
            assert message is not None
            channel: bytes = message["channel"]
            sealed: bytes = message["data"]
            body = self._seal.open(channel, sealed)
            assert body is not None, "not sealed for this channel"
            topic = channel.decode().removeprefix(self._prefix)
            if topic.startswith(("member:", "conversation:")):
                said, _ = decode(body)
                self.said.append((topic, said))
                self.bodies.append((topic, body))
            else:
                assert topic == "fences" or topic.startswith("probe:")
                assert b"secret" not in body

    async def followers(self, topic: str) -> int:
        """How many nodes are subscribed to a topic now."""
        ((_, count),) = await self._redis.pubsub_numsub(self._prefix + topic)
        return int(count)

    async def topics(self) -> set[str]:
        """The topics that any node is subscribed to now."""
        channels: list[Any] = await self._redis.pubsub_channels(self._prefix + "*")
        topics = {channel.decode().removeprefix(self._prefix) for channel in channels}
        return {topic for topic in topics if topic.startswith(("member:", "conversation:"))}

    def where(self, word: str) -> set[str]:
        """The topics on which this word was published."""
        return {topic for topic, body in self.bodies if word.encode() in body}

    async def open(self) -> None:
        """Begin, once Redis has confirmed it."""
        self._channels = self._redis.pubsub()
        await self._channels.psubscribe(self._prefix + "*")
        confirmed = await self._channels.get_message(timeout=30)
        assert confirmed is not None
        assert confirmed["type"] == "psubscribe"

    async def close(self) -> None:
        """End."""
        await self._channels.aclose()  # type: ignore[no-untyped-call]
        await self._redis.aclose()


@asynccontextmanager
async def watching(server: Running) -> AsyncIterator[Watch]:
    watch = Watch(server)
    await watch.open()
    try:
        yield watch
    finally:
        await watch.close()


async def test_a_node_follows_the_topics_of_its_own_sessions_alone() -> None:
    """All subscriptions ever sent, as Redis takes them: by connection, so by node."""
    async with running_node() as server:
        await server.people("ada", "grace", "linus", "mary")
        redis = Redis.from_url(str(server.node.settings.redis))
        prefix = server.node.settings.redis_prefix
        async with redis.monitor() as monitor:
            async with (
                seats(server, (A, "ada"), (A, "grace"), (B, "linus")) as (ada, grace, linus),
                watching(server) as watch,
            ):
                made = await ada.call("conversation.start", members=["grace", "mary"])
                await ada.call("message.send", to="grace", body="for two", client_id="1")
                await grace.call(
                    "message.send", conversation=made["conversation"], body="for three",
                    client_id="1",
                )  # fmt: skip
                await ada.call("message.send", to="linus", body="for linus", client_id="2")
                assert (await linus.event("message.created"))["data"]["body"] == "for linus"
                await server.quiet()
                room = f"conversation:{made['conversation']}"
                assert await watch.topics() == {"member:ada", "member:grace", "member:linus", room}
                for topic in ("member:ada", "member:grace", "member:linus", room):
                    assert await watch.followers(topic) == 1
                for word in (b"for two", b"for three", room.encode()):
                    assert word not in linus.bytes
            # Who leaves is followed no longer.
            await until(lambda: not any(node.hub.topics for node in server.nodes))
            await server.quiet()
            async with watching(server) as watch:
                assert await watch.topics() == set()
            await redis.echo("over")
            topics: dict[str, set[str]] = {}
            while True:
                told = await monitor.next_command()
                if told["command"] == "ECHO over":
                    break
                cmd, *channels = told["command"].split()
                assert cmd != "PSUBSCRIBE" or channels == [prefix + "*"]  # this test's own
                if cmd == "SUBSCRIBE":
                    names = {name.removeprefix(prefix) for name in channels}
                    topics.setdefault(told["client_port"], set()).update(names)
        await redis.aclose()
        followed = sorted(
            sorted(n for n in names if n.startswith(("member:", "conversation:")))
            for names in topics.values()
        )
        assert followed == [[room, "member:ada", "member:grace"], ["member:linus"]]


async def test_each_body_is_published_on_its_own_topics_channel_alone() -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus", "mary")
        places = ((A, "ada"), (B, "grace"), (A, "linus"))
        async with seats(server, *places) as (ada, grace, linus), watching(server) as watch:
            made = await ada.call("conversation.start", members=["grace", "linus"])
            room = f"conversation:{made['conversation']}"
            for one in (grace, linus):
                await one.event("conversation.joined")
            await server.quiet()
            sent = await ada.call("message.send", to="grace", body="secret pair", client_id="1")
            await ada.call("message.edit", message=sent["message"], body="secret edit")
            for one, body in ((ada, "secret room"), (grace, "secret answer")):
                await one.call(
                    "message.send", conversation=made["conversation"], body=body, client_id="2"
                )
            await grace.call("typing.start", conversation=made["conversation"])
            await grace.call("typing.start", conversation=sent["conversation"])
            await ada.event("typing.started")
            # 3 joined, 2 created, 2 edited, 2 in the room, and typing on both.
            await watch.take(11)
        assert watch.where("secret pair") == watch.where("secret edit") == {
            "member:ada", "member:grace"
        }  # fmt: skip
        assert watch.where("secret room") == watch.where("secret answer") == {room}
        names = sorted((topic, said.name) for topic, said in watch.said)
        assert names == sorted([
            *((f"member:{m}", "conversation.joined") for m in ("ada", "grace", "linus")),
            *((f"member:{m}", f"message.{what}") for m in ("ada", "grace")
              for what in ("created", "edited")),
            *[(room, "message.created")] * 2,
            (room, "typing.started"),
            ("member:ada", "typing.started"),
        ])  # fmt: skip
        assert all(said.topic == topic for topic, said in watch.said)
