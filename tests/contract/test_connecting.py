"""The first frame, and what a frame is at all."""

from __future__ import annotations

import json
from typing import Any

import msgpack
import pytest

from tests.support.careful_peer import ENCODINGS, CarefulPeer, careful, refused
from tests.support.clocks import Clock
from tests.support.running import running_node
from tests.support.shapes import CONNECTED, fits


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_connect_tells_where_a_session_stands(encoding: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        async with careful(server, "ada", encoding=encoding) as (ada,):
            room = await ada.call("conversation.start", members=["grace", "linus"])
        token = server.token("ada", 600)
        async with CarefulPeer(server.ws, token, encoding) as again:
            result = await again.call("connect", token=token, device="laptop")
            assert fits(result, CONNECTED)
            topic = f"conversation:{room['conversation']}"
            assert result["member"] == "ada"
            assert set(result["topics"]) == {"member:ada", topic}
            assert result["topics"][topic] == 0
            assert result["reset"] == []
            assert 0 < result["expires_at"] - result["now"] <= 600_000
            assert result["expires_at"] - result["now"] > 590_000
            assert all(type(value) is int for value in result["limits"].values())


async def test_sessions_have_different_ids_and_one_epoch() -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        results = []
        for member in ("ada", "ada", "grace"):
            async with CarefulPeer(server.ws, server.token(member)) as one:
                results.append(await one.connect())
        assert len({result["session"] for result in results}) == 3
        assert len({result["epoch"] for result in results}) == 1


async def test_nothing_is_taken_before_connect_and_connect_only_once() -> None:
    async with running_node() as server:
        await server.people("ada")
        async with CarefulPeer(server.ws, server.token("ada")) as ada:
            error = await refused(ada, "settings.get")
            assert error["code"] == "unauthenticated"
            error = await refused(ada, "no.such.command")
            assert error["code"] == "unauthenticated"
            await ada.connect()
            error = await refused(ada, "connect", token=server.token("ada"))
            assert (error["code"], error["field"]) == ("invalid", "cmd")
            assert (await ada.call("settings.get"))["receipts"] is True


async def test_a_connect_that_is_malformed_may_be_tried_again() -> None:
    async with running_node() as server:
        await server.people("ada")
        async with CarefulPeer(server.ws, server.token("ada")) as ada:
            for params, field in (
                ({}, "token"),
                ({"token": 1}, "token"),
                ({"token": "x", "device": ""}, "device"),
                ({"token": "x", "device": "d" * 65}, "device"),
                ({"token": "x", "resume": [1]}, "resume"),
                ({"token": "x", "resume": {"member:ada": -1}}, "resume"),
                ({"token": "x", "epoch": 5}, "epoch"),
            ):
                error = await refused(ada, "connect", **params)
                assert (error["code"], error["field"]) == ("invalid", field)
            assert (await ada.connect())["member"] == "ada"


async def test_who_has_not_connected_within_ten_seconds_is_told_4502() -> None:
    async with running_node() as server:
        clock = Clock.of(server)
        await server.people("ada")
        async with CarefulPeer(server.ws, "") as late, careful(server, "ada") as (ada,):
            await refused(late, "ping")
            clock.move(9.9)
            server.node.heartbeat.beat()
            await refused(late, "ping")
            clock.move(0.2)
            server.node.heartbeat.beat()
            assert (await late.end())[0] == 4502
            await ada.call("ping")


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_an_error_about_a_frame_without_a_usable_id_has_none(encoding: str) -> None:
    pack: Any = json.dumps if encoding == "json" else msgpack.packb
    bad: list[Any] = [
        {}, {"cmd": "ping"}, {"id": None, "cmd": "ping"}, {"id": 1.5, "cmd": "ping"},
        {"id": True, "cmd": "ping"}, {"id": [1], "cmd": "ping"}, {"id": {}, "cmd": "ping"},
        {"id": "i" * 65, "cmd": "ping"}, {"id": 2**53, "cmd": "ping"},
        [], [1, "ping", {}], None, 7, "ping",
    ]  # fmt: skip
    async with running_node() as server:
        await server.people("ada")
        async with careful(server, "ada", encoding=encoding) as (ada,):
            for number, frame in enumerate(bad, 1):
                await ada.send_raw(pack(frame))
                await ada.call("ping")  # so that they are not bad ones in a row
                answers = await ada.strays(number)
                assert answers[-1]["error"]["code"] == "invalid"
                assert answers[-1]["error"]["retryable"] is False


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_ids_come_back_as_they_were(encoding: str) -> None:
    pack: Any = json.dumps if encoding == "json" else msgpack.packb
    ids: list[Any] = [0, -1, 2**53 - 1, -(2**53) + 1, "", "one", "é" * 64, "7", 7]
    async with running_node() as server:
        await server.people("ada")
        async with careful(server, "ada", encoding=encoding) as (ada,):
            for ident in ids:
                waiting = ada.expect(ident)
                await ada.send_raw(pack({"id": ident, "cmd": "ping", "unknown": [1, {}]}))
                assert "now" in (await waiting)["result"]


async def test_a_frame_with_an_id_but_no_command_is_told_so_by_its_id() -> None:
    async with running_node() as server:
        await server.people("ada")
        async with careful(server, "ada") as (ada,):
            for ident, frame, field in (
                ("a", {"id": "a"}, "cmd"),
                ("b", {"id": "b", "cmd": 3}, "cmd"),
                ("c", {"id": "c", "cmd": "ping", "params": []}, "params"),
                ("d", {"id": "d", "cmd": "no.such"}, "cmd"),
                ("e", {"id": "e", "cmd": "member.put", "params": {}}, "cmd"),
            ):
                waiting = ada.expect(ident)
                await ada.send_raw(msgpack.packb(frame))
                error = (await waiting)["error"]
                assert (error["code"], error["field"]) == ("invalid", field)


async def test_what_is_no_frame_again_and_again_ends_with_4501() -> None:
    async with running_node() as server:
        await server.people("ada")
        async with careful(server, "ada") as (ada,):
            for _ in range(4):
                await ada.send_raw(b"\xc1")
            await ada.call("ping")
            for _ in range(4):
                await ada.send_raw(b"\xc1")
            assert len(await ada.strays(8)) == 8
            await ada.send_raw(b"\xc1")
            assert (await ada.end())[0] == 4501


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_commands_take_effect_in_the_order_sent(encoding: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with careful(server, "ada", encoding=encoding) as (ada,):
            first = await ada.call("message.send", to="grace", body="0", client_id="0")
            place = first["conversation"]
            waiting = []
            for number in range(1, 21):
                sent = await ada.start(
                    "message.send", to="grace", body=str(number), client_id=str(number)
                )
                read = await ada.start("conversation.history", conversation=place, limit=1)
                waiting.append((sent, read))
            for number, (sent, read) in enumerate(waiting, 1):
                assert (await sent)["result"]["seq"] == number + 1
                (newest,) = (await read)["result"]["messages"]
                assert newest["body"] == str(number)


async def test_ping_tells_the_time() -> None:
    async with running_node() as server:
        await server.people("ada")
        async with careful(server, "ada") as (ada,):
            first = (await ada.call("ping"))["now"]
            second = (await ada.call("ping"))["now"]
            assert type(first) is int
            assert 1_600_000_000_000 < first <= second
