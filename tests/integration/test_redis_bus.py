"""The bus over a real Redis: delivery, subscribing, bounds, and its end."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from server.realtime.outbox import BYTES, MESSAGES
from server.realtime.redis_bus import RedisBus
from server.realtime.redis_subscriber import CHUNK
from tests.support.bus_rig import KEY, LIMITED, Heard, bounded_loop, node
from tests.support.redis_service import RedisService
from tests.support.waiting import until


@pytest_asyncio.fixture(autouse=True)
async def _bound() -> AsyncIterator[None]:
    with bounded_loop():
        yield


@pytest.fixture(scope="module")
def shared() -> Iterator[RedisService]:
    with RedisService(LIMITED) as service:
        yield service


@pytest.fixture
def service(shared: RedisService) -> RedisService:
    """The module's Redis: tests that break it leave it running."""
    shared.forget()
    return shared


def calls(service: RedisService, command: str) -> int:
    stats = service.ask("INFO", "commandstats")
    return int(stats.get(f"cmdstat_{command}", {}).get("calls", 0))


async def test_what_one_publishes_the_other_hears(service: RedisService) -> None:
    async with node(service.url(), "one") as (one, _), node(service.url(), "two") as (two, heard):
        two.subscribe("member:anna")
        await heard.completes("member:anna")
        one.publish("member:anna", b"\x00 a message \xff\r\n")
        await heard.hears("member:anna", b"\x00 a message \xff\r\n")
        assert one.carries("member:anna")
        assert heard.completed == [["member:anna"]]
        await until(lambda: one.counters.published > 1)
        assert two.counters.received > 1
        assert two.counters.dropped == two.counters.rejected == two.counters.reconnects == 0


async def test_what_is_not_subscribed_is_not_heard(service: RedisService) -> None:
    async with node(service.url(), "one") as (one, _), node(service.url(), "two") as (two, heard):
        for topic in ("left", "kept"):
            two.subscribe(topic)
            await heard.completes(topic)
        two.unsubscribe("left")
        for topic in ("never", "left", "kept"):
            one.publish(topic, b"sentinel")
        await heard.hears("kept", b"sentinel")
        assert heard.messages == [("kept", b"sentinel")]
        await until(lambda: service.subscribers("subrosa:left") == 0)


async def test_many_messages_arrive_once_and_in_few_rounds(service: RedisService) -> None:
    async with node(service.url(), "one") as (one, _), node(service.url(), "two") as (two, heard):
        two.subscribe("t")
        await heard.completes("t")
        for number in range(5000):
            one.publish("t", b"%d" % number)
        await until(lambda: len(heard.messages) == 5000)
        assert sorted(heard.messages) == sorted(("t", b"%d" % number) for number in range(5000))


async def test_large_messages_arrive(service: RedisService) -> None:
    async with node(service.url(), "one") as (one, heard):
        one.subscribe("t")
        await heard.completes("t")
        for number in range(5):
            one.publish("t", bytes([number]) * 1_000_000)
        await until(lambda: len(heard.messages) == 5)


async def test_a_unix_socket_will_do(service: RedisService) -> None:
    async with node(service.unix_url, "one") as (one, _):
        async with node(service.url(), "two") as (two, heard):
            two.subscribe("t")
            await heard.completes("t")
            one.publish("t", b"message")
            await heard.hears("t", b"message")


async def test_two_thousand_topics_are_subscribed_in_batches(service: RedisService) -> None:
    async with node(service.url()) as (bus, heard):
        before = calls(service, "subscribe")
        topics = {f"member:{number}" for number in range(2000)}
        for topic in topics:
            bus.subscribe(topic)
        await until(lambda: sum(map(len, heard.completed)) == 2000)
        assert {topic for batch in heard.completed for topic in batch} == topics
        assert max(map(len, heard.completed)) <= CHUNK
        assert len(heard.completed) < 100
        assert calls(service, "subscribe") - before == 4
        for topic in topics:
            bus.unsubscribe(topic)
        await until(lambda: service.ask("PUBSUB", "CHANNELS") == [b"subrosa:probe:one"])
        assert calls(service, "unsubscribe") == 4
        assert calls(service, "psubscribe") == 0


@pytest.mark.parametrize("seed", range(4))
async def test_races_of_subscribing_end_right(service: RedisService, seed: int) -> None:
    chance = random.Random(seed)
    topics = [f"topic:{number}" for number in range(8)]
    wanted: set[str] = set()
    since: dict[str, int] = {}
    async with node(service.url(), "one") as (one, _), node(service.url(), "two") as (two, heard):
        for _ in range(1500):
            topic = chance.choice(topics)
            if topic in wanted:
                wanted.discard(topic)
                two.unsubscribe(topic)
            else:
                wanted.add(topic)
                since[topic] = heard.times(topic)
                two.subscribe(topic)
            if chance.random() < 0.3:
                await asyncio.sleep(chance.choice((0, 0, 0.001)))
            if chance.random() < 0.005:
                service.ask("CLIENT", "KILL", "TYPE", "pubsub")
        await until(lambda: all(heard.times(topic) > since[topic] for topic in wanted))
        channels = {f"subrosa:{topic}".encode() for topic in wanted}
        await until(
            lambda: (
                {name for name in service.ask("PUBSUB", "CHANNELS") if b"probe" not in name}
                == channels
            )
        )
        two.subscribe("last")
        await heard.completes("last")
        for topic in [*topics, "last"]:
            one.publish(topic, b"sentinel")
        await heard.hears("last", b"sentinel")
        assert {topic for topic, _ in heard.messages} == {*wanted, "last"}


# --- closing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["well", "frozen", "dead", "not started"])
async def test_closing_is_bounded_and_leaves_nothing(service: RedisService, how: str) -> None:
    bus = RedisBus(service.url(), key=KEY, node="one")
    bus.listen(Heard())
    if how != "not started":
        bus.start()
        await until(lambda: bus.healthy)
    for number in range(3000):
        bus.subscribe(f"topic:{number}")
    try:
        if how == "frozen":
            service.freeze()
        if how == "dead":
            service.kill()
        for _ in range(MESSAGES):
            bus.publish("t", bytes(1000))
        await asyncio.sleep(0)
        began = time.monotonic()
        await bus.close()
        assert time.monotonic() - began < 2
        assert not bus.healthy
        assert asyncio.all_tasks() == {asyncio.current_task()}
        if how == "well":
            await until(lambda: service.subscribers("subrosa:probe:one") == 0)
        bus.publish("t", b"")
        bus.subscribe("t")
        bus.unsubscribe("t")
        await bus.close()
    finally:
        if how == "frozen":
            service.thaw()
        if how == "dead":
            service.start()


async def test_what_waits_is_sent_before_the_end(service: RedisService) -> None:
    async with node(service.url(), "two") as (two, heard):
        two.subscribe("t")
        await heard.completes("t")
        async with node(service.url(), "one") as (one, _):
            one.publish("t", b"the last")
        await heard.hears("t", b"the last")


# --- bounds ----------------------------------------------------------------------------------


async def test_too_many_that_wait_are_dropped_and_counted(service: RedisService) -> None:
    bus = RedisBus(service.url(), key=KEY, node="one")
    for _ in range(MESSAGES + 500):
        bus.publish("t", b"message")
    assert (bus.counters.waiting, bus.counters.dropped) == (MESSAGES, 500)
    for _ in range(20):
        bus.publish("t", bytes(1 << 20))
    assert BYTES - (1 << 20) < bus.counters.waiting_bytes <= BYTES
    assert bus.counters.dropped == MESSAGES + 500 + 20 - bus.counters.waiting
    await bus.close()
