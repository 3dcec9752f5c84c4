"""What the bus promises, whatever it is made of: one suite over both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from server.realtime.bus import Bus
from server.realtime.local_bus import Exchange, LocalBus
from tests.support.bus_rig import Heard, bounded_loop, node
from tests.support.redis_service import RedisService
from tests.support.waiting import until


@pytest.fixture(scope="module")
def service() -> Iterator[RedisService]:
    with RedisService() as service:
        yield service


class Two:
    """Two nodes on one bus."""

    def __init__(self, here: tuple[Bus, Heard], there: tuple[Bus, Heard]) -> None:
        self.here, self.heard_here = here
        self.there, self.heard_there = there


@pytest_asyncio.fixture(params=["local", "redis"])
async def two(request: pytest.FixtureRequest, service: RedisService) -> AsyncIterator[Two]:
    with bounded_loop():
        async with AsyncExitStack() as stack:
            if request.param == "local":
                exchange, ends = Exchange(), []
                for _ in range(2):
                    bus, heard = LocalBus(exchange), Heard()
                    bus.listen(heard)
                    stack.push_async_callback(bus.close)
                    ends.append((bus, heard))
                yield Two(*ends)
            else:
                nodes = [
                    await stack.enter_async_context(node(service.url(), name))
                    for name in ("one", "two")
                ]
                yield Two(*nodes)


async def test_what_is_published_once_complete_arrives(two: Two) -> None:
    two.there.subscribe("t")
    await two.heard_there.completes("t")
    assert two.here.carries("t")
    two.here.publish("t", b"\x00\xff")
    await two.heard_there.hears("t", b"\x00\xff")


async def test_other_topics_do_not(two: Two) -> None:
    for topic in ("t", "t:1"):
        two.there.subscribe(topic)
        await two.heard_there.completes(topic)
    for topic in ("t:2", "T", "t:1:1", "", "t:1"):
        two.here.publish(topic, b"sentinel")
    await two.heard_there.hears("t:1", b"sentinel")
    assert two.heard_there.messages == [("t:1", b"sentinel")]


async def test_neither_do_topics_that_were_left(two: Two) -> None:
    for topic in ("left", "kept"):
        two.there.subscribe(topic)
        await two.heard_there.completes(topic)
    two.there.unsubscribe("left")
    two.there.unsubscribe("never subscribed")
    for topic in ("left", "kept"):
        two.here.publish(topic, b"sentinel")
    await two.heard_there.hears("kept", b"sentinel")
    assert two.heard_there.messages == [("kept", b"sentinel")]


async def test_a_topic_that_was_left_is_complete_again_when_it_is(two: Two) -> None:
    for times in (1, 2, 3):
        two.there.subscribe("t")
        await two.heard_there.completes("t", times)
        two.here.publish("t", b"%d" % times)
        await two.heard_there.hears("t", b"%d" % times)
        two.there.unsubscribe("t")


async def test_left_and_taken_up_at_once_is_complete_again(two: Two) -> None:
    two.there.subscribe("t")
    await two.heard_there.completes("t")
    two.there.unsubscribe("t")
    two.there.subscribe("t")
    await two.heard_there.completes("t", 2)
    two.here.publish("t", b"message")
    await two.heard_there.hears("t", b"message")


async def test_what_was_left_before_it_was_complete_never_is(two: Two) -> None:
    two.there.subscribe("left")
    two.there.unsubscribe("left")
    two.there.subscribe("kept")
    await two.heard_there.completes("kept")
    assert two.heard_there.times("left") == 0


async def test_nothing_is_told_within_the_call(two: Two) -> None:
    two.there.subscribe("t")
    assert two.heard_there.completed == []
    await two.heard_there.completes("t")


async def test_a_listener_may_publish_and_subscribe(two: Two) -> None:
    class Answering(Heard):
        def arrived(self, topic: str, message: bytes) -> None:
            super().arrived(topic, message)
            two.there.subscribe("more")
            two.there.publish("answers", message)

    answering = Answering()
    two.there.listen(answering)
    two.there.subscribe("questions")
    two.here.subscribe("answers")
    await answering.completes("questions")
    await two.heard_here.completes("answers")
    two.here.publish("questions", b"?")
    await two.heard_here.hears("answers", b"?")
    await answering.completes("more")


async def test_nothing_arrives_any_more_once_a_topic_was_left(two: Two) -> None:
    class Leaving(Heard):
        def arrived(self, topic: str, message: bytes) -> None:
            super().arrived(topic, message)
            two.there.unsubscribe("t")

    leaving = Leaving()
    two.there.listen(leaving)
    for topic in ("t", "kept"):
        two.there.subscribe(topic)
        await leaving.completes(topic)
    for number in range(10):
        two.here.publish("t", b"%d" % number)
    two.here.publish("kept", b"sentinel")
    await leaving.hears("kept", b"sentinel")
    assert leaving.messages == [("t", b"0"), ("kept", b"sentinel")]


async def test_many_arrive(two: Two) -> None:
    two.there.subscribe("t")
    await two.heard_there.completes("t")
    for number in range(1000):
        two.here.publish("t", b"%d" % number)
    await until(lambda: len(two.heard_there.messages) == 1000)
    assert {message for _, message in two.heard_there.messages} == {b"%d" % n for n in range(1000)}


async def test_it_is_healthy_and_ends(two: Two) -> None:
    assert two.here.healthy
    two.there.subscribe("t")
    await two.heard_there.completes("t")
    await two.there.close()
    two.here.publish("t", b"message")
    await two.there.close()
    await two.here.close()
    await asyncio.sleep(0)
    assert two.heard_there.messages == []
