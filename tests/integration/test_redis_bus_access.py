"""Who may speak on the bus over Redis, and with what rights and by which URL a node gets there."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
import redis

from server.errors import SetupError
from server.realtime.redis_bus import RedisBus
from server.realtime.sealed import Seal
from tests.support.bus_rig import KEY, LIMITED, NODE_RULES, bounded_loop, log_lines, node
from tests.support.redis_service import RedisService
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
        [line] = log_lines(caplog)
        assert "refuses the user or the password" in line
    assert "a-secret" not in caplog.text


@pytest.mark.parametrize("missing", ["-publish", "-subscribe", "-ping"])
async def test_a_user_who_may_not_is_degraded(
    service: RedisService, caplog: pytest.LogCaptureFixture, missing: str
) -> None:
    service.ask("ACL", "SETUSER", "lesser", "on", ">secret", *NODE_RULES.split(), missing)
    async with node(service.url("lesser", "secret"), healthy=False) as (bus, _):
        await until(lambda: len(log_lines(caplog)) == 1)
        assert not bus.healthy
        assert "does not permit" in log_lines(caplog)[0]
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
