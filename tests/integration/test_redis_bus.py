"""The bus over a real Redis: delivery, every way a link can fail, who may speak on it."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack

import psutil
import pytest
import pytest_asyncio
import redis

from server.errors import SetupError
from server.realtime.outbox import BYTES, MESSAGES
from server.realtime.redis_bus import RedisBus
from server.realtime.redis_subscriber import CHUNK
from server.realtime.sealed import Seal
from tests.support.bus_rig import KEY, Heard, bounded_loop, node
from tests.support.redis_service import RedisService
from tests.support.tcp_proxy import Pair, TcpProxy
from tests.support.waiting import until

NODE_RULES = "resetkeys resetchannels &subrosa:* -@all +publish +subscribe +unsubscribe +ping"
SEAL = Seal(KEY)


@pytest_asyncio.fixture(autouse=True)
async def _bound() -> AsyncIterator[None]:
    with bounded_loop():
        yield


@pytest.fixture(scope="module")
def shared() -> Iterator[RedisService]:
    with RedisService([f"user node on >secret {NODE_RULES}"]) as service:
        yield service


@pytest.fixture
def service(shared: RedisService) -> RedisService:
    """The module's Redis, with nobody connected: tests that break it leave it running."""
    for kind in ("pubsub", "normal"):
        shared.ask("CLIENT", "KILL", "TYPE", kind)
    shared.ask("CONFIG", "RESETSTAT")
    shared.ask("ACL", "LOG", "RESET")
    return shared


def subscribing(proxy: TcpProxy) -> list[Pair]:
    return [pair for pair in proxy.pairs if b"SUBSCRIBE" in pair.said]


def calls(service: RedisService, command: str) -> int:
    stats = service.ask("INFO", "commandstats")
    return int(stats.get(f"cmdstat_{command}", {}).get("calls", 0))


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "subrosa.bus"]


# --- delivery --------------------------------------------------------------------------------


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


# --- what fails ------------------------------------------------------------------------------


async def test_it_starts_without_redis_and_finds_it_later(
    service: RedisService, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    service.kill()
    try:
        async with node(service.url(), healthy=False) as (bus, heard):
            bus.subscribe("t")
            bus.publish("t", b"before")
            await until(lambda: len(lines(caplog)) == 1)
            assert not bus.healthy
            service.start()
            await heard.completes("t")
            await until(lambda: bus.healthy)
            bus.publish("t", b"after")
            await heard.hears("t", b"after")
            await until(lambda: len(lines(caplog)) == 2)
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
        assert len(lines(caplog)) == 1


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


# --- who may speak ---------------------------------------------------------------------------


async def test_what_no_node_made_for_this_channel_is_rejected(
    service: RedisService, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    good = SEAL.seal(b"subrosa:t", b"a body")
    async with node(service.url()) as (bus, heard):
        bus.subscribe("t")
        await heard.completes("t")
        bad = [
            good[:-1],
            good[:10],
            good[:1],
            good + b"y",
            b"\x01",
            Seal(b"another key").seal(b"subrosa:t", b"a body"),
            SEAL.seal(b"subrosa:other", b"a body"),
            b"\x01" + bytes(16) + b"a body",
        ]
        foreign = [b"", b"a body", b"\x02" + good[1:], b"\x00" + good[1:]]
        for payload in (*bad, *foreign, good):
            service.ask("PUBLISH", "subrosa:t", payload)
        await heard.hears("t", b"a body")
        assert heard.messages == [("t", b"a body")]
        assert bus.counters.rejected == len(bad)
        assert bus.counters.foreign == len(foreign)
        assert bus.healthy
    assert "body" not in caplog.text


async def test_nodes_with_other_keys_do_not_hear_each_other(service: RedisService) -> None:
    async with AsyncExitStack() as nodes:
        bus, heard = await nodes.enter_async_context(node(service.url()))
        other, _ = await nodes.enter_async_context(node(service.url(), "two", key=b"other"))
        bus.subscribe("t")
        await heard.completes("t")
        other.publish("t", b"forged")
        await until(lambda: bus.counters.rejected == 1)
        bus.publish("t", b"sentinel")
        await heard.hears("t", b"sentinel")
        assert heard.messages == [("t", b"sentinel")]


async def test_a_user_limited_to_the_bus_is_enough(service: RedisService) -> None:
    url = service.url("node", "secret")
    async with node(url, "one") as (one, _), node(url, "two") as (two, heard):
        two.subscribe("t")
        await heard.completes("t")
        one.publish("t", b"message")
        await heard.hears("t", b"message")
        two.unsubscribe("t")
        await until(lambda: service.subscribers("subrosa:t") == 0)
    assert service.ask("ACL", "LOG") == []  # nothing was tried that is not permitted


@pytest.mark.parametrize(
    "command",
    [
        ("GET", "key"),
        ("SET", "key", "value"),
        ("SUBSCRIBE", "other:channel"),
        ("SUBSCRIBE", "other:*"),
        ("PSUBSCRIBE", "subrosa:*"),
        ("PUBLISH", "other:channel", "message"),
        ("PUBSUB", "CHANNELS"),
        ("CLIENT", "LIST"),
        ("CONFIG", "GET", "*"),
    ],
)
def test_a_user_limited_to_the_bus_can_do_nothing_else(
    service: RedisService, command: tuple[str, ...]
) -> None:
    with redis.Redis(
        port=service.port, username="node", password="secret", driver_info=None, protocol=2
    ) as client:
        assert client.execute_command("PING")
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.execute_command(*command)


async def test_a_wrong_password_is_degraded_and_not_logged(
    service: RedisService, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with node(service.url("node", "a-secret"), healthy=False) as (bus, _):
        await until(lambda: sum(int(one[1]) for one in service.ask("ACL", "LOG")) > 3)
        assert not bus.healthy
        [line] = lines(caplog)
        assert "refuses the user or the password" in line
    assert "a-secret" not in caplog.text


@pytest.mark.parametrize("missing", ["-publish", "-subscribe", "-ping"])
async def test_a_user_who_may_not_is_degraded(
    service: RedisService, caplog: pytest.LogCaptureFixture, missing: str
) -> None:
    service.ask("ACL", "SETUSER", "lesser", "on", ">secret", *NODE_RULES.split(), missing)
    async with node(service.url("lesser", "secret"), healthy=False) as (bus, _):
        await until(lambda: len(lines(caplog)) == 1)
        assert not bus.healthy
        assert "does not permit" in lines(caplog)[0]
        service.ask("ACL", "SETUSER", "lesser", missing.replace("-", "+"))
        await until(lambda: bus.healthy)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a-secret",
        "http://user:a-secret@host",
        "redis://user:a-sec/ret@host",
        "redis://user:1234#a-secret@host",
        "redis://user:a?secret@host",
        "redis://host:a-secret",
        "redis://host:99999999",
        "redis://host?client_name=a-secret",
        "redis://host?ssl_ca_certs=/a-secret",
        "rediss://host?ssl_ca_certs=/a-secret",
        "rediss://host?ssl_a-secret=1",
        "unix://",
    ],
)
async def test_what_is_no_url_is_told_in_a_line_without_it(url: str) -> None:
    with pytest.raises(SetupError) as raised:
        RedisBus(url, key=KEY, node="one")
    told = str(raised.value)
    assert "Redis URL" in told
    assert "\n" not in told
    assert "secret" not in told
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    "url",
    ["redis://", "redis://host", "redis://u:p%2F@host:1/3", "rediss://host:1?ssl_cert_reqs=none"],
)
async def test_what_is_a_url_is_taken(url: str) -> None:
    RedisBus(url, key=KEY, node="one")
