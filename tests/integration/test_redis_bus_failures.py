"""The bus over a Redis, or a network, that fails: noticed in time, recovered from, told once."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Iterator, Sequence

import psutil
import pytest
import pytest_asyncio
import redis

from server.realtime.outbox import MESSAGES
from server.realtime.sealed import Seal
from tests.support.bus_rig import KEY, LIMITED, NODE_RULES, Heard, bounded_loop, log_lines, node
from tests.support.redis_service import RedisService
from tests.support.tcp_proxy import Pair, TcpProxy
from tests.support.waiting import until

SEAL = Seal(KEY)


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


def subscribing(proxy: TcpProxy) -> list[Pair]:
    return [pair for pair in proxy.pairs if b"SUBSCRIBE" in pair.said]


async def test_it_starts_without_redis_and_finds_it_later(
    service: RedisService, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    service.kill()
    try:
        async with node(service.url(), healthy=False) as (bus, heard):
            bus.subscribe("t")
            bus.publish("t", b"before")
            await until(lambda: len(log_lines(caplog)) == 1)
            assert not bus.healthy
            service.start()
            await heard.completes("t")
            await until(lambda: bus.healthy)
            bus.publish("t", b"after")
            await heard.hears("t", b"after")
            await until(lambda: len(log_lines(caplog)) == 2)
    finally:
        service.restart()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_a_killed_connection_is_made_again_and_told(service: RedisService) -> None:
    async with node(service.url()) as (bus, heard):
        for topic in ("a", "b"):
            bus.subscribe(topic)
        await heard.completes("b")
        for times in (2, 3):
            assert service.ask("CLIENT", "KILL", "TYPE", "pubsub") == 1
            await heard.completes("a", times)
            await heard.completes("b", times)
        await until(lambda: bus.healthy)
        assert bus.counters.reconnects == 2
        bus.publish("a", b"again")
        await heard.hears("a", b"again")


async def test_a_killed_publishing_connection_is_made_again(service: RedisService) -> None:
    async with node(service.url()) as (bus, heard):
        bus.subscribe("t")
        await heard.completes("t")
        assert service.ask("CLIENT", "KILL", "TYPE", "normal", "USER", "default") == 1
        bus.publish("t", b"again")
        await heard.hears("t", b"again")
        assert heard.times("t") == 1


async def test_a_redis_that_dies_and_comes_back(
    service: RedisService, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with node(service.url()) as (bus, heard):
        bus.subscribe("t")
        await heard.completes("t")
        service.kill()
        await until(lambda: not bus.healthy)
        bus.publish("t", b"meanwhile")
        service.start()
        await heard.completes("t", 2)
        await until(lambda: bus.healthy)
        bus.publish("t", b"after")
        await heard.hears("t", b"after")
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_a_frozen_redis_holds_nobody_up(
    service: RedisService, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with node(service.url()) as (bus, heard):
        bus.subscribe("t")
        await heard.completes("t")
        service.freeze()
        try:
            message, longest = bytes(1000), 0.0
            for _ in range(2 * MESSAGES):
                began = time.perf_counter()
                bus.publish("t", message)
                longest = max(longest, time.perf_counter() - began)
            assert longest < 0.5
            assert bus.counters.dropped >= MESSAGES
            assert bus.counters.waiting <= MESSAGES
            await until(lambda: not bus.healthy)
            # What waits is dropped in time, without anything that asks for it.
            await until(lambda: bus.counters.waiting < 10)
        finally:
            service.thaw()
        await until(lambda: bus.healthy)
        await heard.completes("t", 2)
        bus.publish("t", b"after")
        await heard.hears("t", b"after")
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


@pytest.mark.parametrize("which", ["subscribing", "both"])
async def test_a_half_open_link_is_found_out(service: RedisService, which: str) -> None:
    async with TcpProxy(service.port) as proxy:
        async with node(service.url(port=proxy.port)) as (bus, heard):
            bus.subscribe("t")
            await heard.completes("t")
            frozen = subscribing(proxy) if which == "subscribing" else list(proxy.pairs)
            assert len(frozen) == (1 if which == "subscribing" else 2)
            proxy.freeze(frozen)
            await until(lambda: not bus.healthy)
            await heard.completes("t", 2)
            await until(lambda: bus.healthy)
            bus.publish("t", b"after")
            await heard.hears("t", b"after")
            assert bus.counters.reconnects == 1


async def test_a_silent_sending_side_does_not_renew_the_listening_one_for_ever(
    service: RedisService,
) -> None:
    """Each renewal costs reading every topic: one is the price of not knowing which side it is."""
    async with TcpProxy(service.port) as proxy:
        async with node(service.url(port=proxy.port)) as (bus, heard):
            bus.subscribe("t")
            await heard.completes("t")
            sending = [pair for pair in proxy.pairs if pair not in subscribing(proxy)]
            proxy.freeze(sending)
            await until(lambda: not bus.healthy)
            await until(lambda: bus.healthy)
            bus.publish("t", b"after")
            await heard.hears("t", b"after")
            assert heard.times("t") <= 2


async def test_sending_that_is_refused_does_not_renew_the_listening_side(
    service: RedisService,
) -> None:
    service.ask("ACL", "SETUSER", "mute", "on", ">secret", *NODE_RULES.split(), "-publish")
    async with node(service.url("mute", "secret"), healthy=False) as (bus, heard):
        bus.subscribe("t")
        await heard.completes("t")
        await until(lambda: bus.counters.dropped > 5)  # probes, one a second
        assert not bus.healthy
        assert bus.counters.reconnects == 0
        assert heard.times("t") == 1


async def test_a_connection_that_is_given_up_is_gone(service: RedisService) -> None:
    """Though it holds what a frozen Redis never takes: nothing waits for that to be flushed."""
    own = psutil.Process()

    def connections() -> int:
        return sum(
            one.status == psutil.CONN_ESTABLISHED and one.raddr.port == service.port
            for one in own.net_connections("tcp")
            if one.raddr
        )

    async with node(service.url()) as (bus, _):
        assert connections() == 2
        service.freeze()
        try:
            bus.publish("t", bytes(12_000_000))
            await until(lambda: bus.counters.dropped > 0)
            # Those that are being made anew, at most; between two attempts there are fewer.
            await until(lambda: connections() < 2)
        finally:
            service.thaw()


async def test_a_network_that_cuts_and_refuses(service: RedisService) -> None:
    async with TcpProxy(service.port) as proxy:
        async with node(service.url(port=proxy.port)) as (bus, heard):
            bus.subscribe("t")
            await heard.completes("t")
            proxy.refuse()
            await until(lambda: not bus.healthy)
            bus.publish("t", b"meanwhile")
            proxy.forward()
            await heard.completes("t", 2)
            await until(lambda: bus.healthy)
            proxy.cut()
            await heard.completes("t", 3)
            bus.publish("t", b"after")
            await heard.hears("t", b"after")


async def test_a_slow_network_is_a_healthy_one(service: RedisService) -> None:
    async with TcpProxy(service.port) as proxy:
        proxy.delay(0.2)
        async with node(service.url(port=proxy.port)) as (bus, heard):
            bus.subscribe("t")
            await heard.completes("t")
            bus.publish("t", b"late")
            await heard.hears("t", b"late")
            assert bus.healthy
            assert bus.counters.reconnects == 0


async def test_a_subscriber_that_was_cut_off_for_being_slow(service: RedisService) -> None:
    service.ask("CONFIG", "SET", "client-output-buffer-limit", "pubsub 256kb 128kb 1")
    async with TcpProxy(service.port) as proxy:
        async with node(service.url(port=proxy.port)) as (bus, heard):
            bus.subscribe("t")
            await heard.completes("t")
            proxy.stall(subscribing(proxy))
            flood = SEAL.seal(b"subrosa:t", bytes(100_000))
            with redis.Redis(port=service.port, driver_info=None) as client:
                while service.subscribers("subrosa:t"):
                    client.publish("subrosa:t", flood)
            assert "output buffer limits" in service.log()
            proxy.forward()
            await heard.completes("t", 2)
            bus.publish("t", b"after")
            await heard.hears("t", b"after")


async def test_a_listeners_fault_does_not_end_the_reading(
    service: RedisService, caplog: pytest.LogCaptureFixture
) -> None:
    class Faulty(Heard):
        def arrived(self, topic: str, message: bytes) -> None:
            if message == b"bad":
                raise ValueError("a fault")
            super().arrived(topic, message)

        def complete(self, topics: Sequence[str]) -> None:
            super().complete(topics)
            raise ValueError("a fault")

    async with node(service.url()) as (bus, _):
        faulty = Faulty()
        bus.listen(faulty)
        bus.subscribe("t")
        await faulty.completes("t")
        for message in (b"bad", b"bad", b"good"):
            bus.publish("t", message)
        await faulty.hears("t", b"good")
        assert bus.counters.faults == 3
        assert bus.healthy
        assert len(log_lines(caplog)) == 1
