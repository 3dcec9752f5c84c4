"""Every error code: its HTTP status, whether to repeat it, and what else it says."""

from __future__ import annotations

from typing import Any

import pytest

from server import errors
from server.domain.policy import Policy, Rate
from tests.support import planted
from tests.support.careful_peer import WAYS, CarefulPeer, HttpPeer, careful, refused, speaking
from tests.support.running import Running, running_node

CODES = {
    "invalid": (400, False), "unauthenticated": (401, False), "unreachable": (403, False),
    "costs_credit": (402, False), "refused": (409, False), "client_id_reused": (409, False),
    "rate_limited": (429, True), "too_large": (413, False), "unknown_outcome": (503, True),
    "busy": (503, True), "internal": (500, True),
}  # fmt: skip


def test_the_codes_are_those_of_the_contract() -> None:
    found = {code: (kind.status, kind.retryable) for code, kind in errors.tree().items()}
    assert found == CODES


async def seen(server: Running, way: str, code: str, cmd: str, **params: Any) -> dict[str, Any]:
    """The error that a command is answered with, its code, status and retryable checked."""
    async with speaking(server, way, "ada") as (ada,):
        error = await refused(ada, cmd, **params)
        status, retryable = CODES[code]
        assert (error["code"], error["retryable"]) == (code, retryable)
        if isinstance(ada, HttpPeer):
            assert ada.status == status
    return error


SEND = {"to": "grace", "body": "x", "client_id": "1"}


@pytest.mark.parametrize("way", WAYS)
async def test_what_the_caller_did_is_said_by_field_or_rule(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        assert (await seen(server, way, "invalid", "message.send"))["field"] == "body"
        assert (await seen(server, way, "invalid", "no.such"))["field"] == "cmd"
        await seen(server, way, "unreachable", "explain", to="nobody")
        error = await seen(server, way, "refused", "invitation.send", to="grace")
        assert type(error["rule"]) is str
        async with careful(server, "ada") as (ada,):
            await ada.call("message.send", **SEND)
        await seen(server, way, "client_id_reused", "message.send", **{**SEND, "body": "y"})


@pytest.mark.parametrize("way", WAYS)
async def test_too_many_commands_are_told_when_to_come_back(way: str) -> None:
    once = Rate(0.5, 1)
    policy = Policy(rate_read=once, rate_send=once, rate_change=once, rate_signal=once)
    async with running_node(policy=policy, rate_limits=True) as server:
        server.gather()
        await server.people("ada", "grace")
        async with careful(server, "grace") as (grace,):
            place = (await grace.call("message.send", to="ada", body="x", client_id="1"))[
                "conversation"
            ]
        for cmd, params in (
            ("message.send", SEND),
            ("settings.get", {}),
            ("settings.set", {"receipts": True}),
            ("receipt.read", {"conversation": place, "seq": 1}),
        ):
            async with speaking(server, way, "ada") as (ada,):
                await ada.call(cmd, **params)
            error = await seen(server, way, "rate_limited", cmd, **params)
            assert 0 < error["retry_after_ms"] <= 2_000
        # Another member's allowance is their own, and an invalid command costs too.
        async with careful(server, "grace") as (grace,):
            await grace.call("settings.get")
        async with HttpPeer(server.base, server.token("ada")) as http:
            await refused(http, "settings.get")
            assert http.headers["retry-after"] in ("1", "2")


async def test_rate_limits_can_be_lifted() -> None:
    once = Rate(0.5, 1)
    async with running_node(policy=Policy(rate_read=once), rate_limits=False) as server:
        await server.people("ada")
        async with careful(server, "ada") as (ada,):
            for _ in range(20):
                await ada.call("settings.get")


async def test_who_goes_on_and_on_beyond_the_rate_is_told_4013() -> None:
    slow = Rate(0.001, 1)
    async with running_node(policy=Policy(rate_read=slow), rate_limits=True) as server:
        await server.people("ada")
        async with careful(server, "ada") as (ada,):
            answers = [await ada.start("settings.get") for _ in range(300)]
            code, reason = await ada.end()
            assert code == 4013
            assert reason.startswith("after_ms=")
            assert int(reason.removeprefix("after_ms=")) > 0
            done = [a for a in answers if not a.exception()]
            codes = [a.result().get("error", {}).get("code") for a in done]
            assert set(codes) <= {None, "rate_limited"}


@pytest.mark.parametrize("way", WAYS)
async def test_overload_is_busy(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with speaking(server, way, "ada") as (ada,):
            for node in server.nodes:
                node.store._limit = 0
            error = await refused(ada, "message.send", **SEND)
            assert (error["code"], error["retryable"]) == ("busy", True)
            assert not isinstance(ada, HttpPeer) or ada.status == 503
            for node in server.nodes:
                node.store._limit = 10
            assert (await ada.call("message.send", **SEND))["duplicate"] is False


@pytest.mark.parametrize("way", WAYS)
async def test_a_fault_of_the_server_is_internal_with_its_ref_in_the_log(
    way: str, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> dict[str, Any]:
        raise ZeroDivisionError("a secret of the server")

    async with running_node() as server:
        await server.people("ada", "grace")
        async with speaking(server, way, "ada") as (ada,):
            with planted.deciding(server, broken):
                error = await refused(ada, "message.send", **SEND)
            assert (error["code"], error["retryable"]) == ("internal", True)
            assert "secret" not in str(error)
            assert not isinstance(ada, HttpPeer) or ada.status == 500
            refs = [getattr(record, "ref", None) for record in caplog.records]
            assert error["ref"] in refs


async def test_an_error_before_connect_says_unauthenticated_whatever_the_command() -> None:
    async with running_node() as server:
        await server.people("ada")
        async with CarefulPeer(server.ws, "") as one:
            for cmd in ("message.send", "settings.get", "ping", "refresh", "no.such", "member.put"):
                assert (await refused(one, cmd))["code"] == "unauthenticated"
