"""`client_id` on every command that creates: once, for good, whoever asks again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.support.careful_peer import WAYS, CarefulPeer, Speaker, careful, refused, speaking
from tests.support.running import Running, running_node


async def created(one: Speaker, cmd: str, **params: Any) -> tuple[str, bool]:
    """What a creating command made, and whether it had been made before."""
    result = await one.call(cmd, **params)
    what = result.get("message") or result.get("invitation") or result["conversation"]
    return what, result["duplicate"]


async def creating(server: Running, one: Speaker) -> dict[str, tuple[dict[str, Any], Any]]:
    """Each creating command's parameters, and a change that makes them something else."""
    await server.people("ada", "grace", "linus", "mary")
    await server.people("stranger", connected=False)
    room = await one.call("conversation.start", members=["grace", "linus"])
    return {
        "message.send": ({"to": "grace", "body": "one"}, {"body": "two"}),
        "invitation.send": ({"to": "stranger", "note": "a"}, {"note": "b"}),
        "conversation.start": ({"members": ["grace", "mary"]}, {"title": "another"}),
        "conversation.add": (
            {"conversation": room["conversation"], "member": "mary"}, {"member": "grace"}
        ),
    }  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
async def test_a_repeat_is_answered_with_the_first_result(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        async with speaking(server, way, "ada") as (ada,):
            commands = await creating(server, ada)
            for cmd, (params, change) in commands.items():
                ident = f"id of {cmd}"
                first, before = await created(ada, cmd, client_id=ident, **params)
                assert before is False
                assert await created(ada, cmd, client_id=ident, **params) == (first, True)
                # A field that nobody knows is no content.
                assert await created(ada, cmd, client_id=ident, x=1, **params) == (first, True)
                other = await refused(ada, cmd, client_id=ident, **{**params, **change})
                assert other["code"] == "client_id_reused"
                assert other["retryable"] is False
            for cmd, (params, _) in commands.items():
                for taken in commands:
                    if taken != cmd:
                        error = await refused(ada, cmd, client_id=f"id of {taken}", **params)
                        assert error["code"] == "client_id_reused"


async def test_a_repeat_makes_no_second_event() -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        async with careful(server, "ada", "grace") as (ada, grace):
            commands = await creating(server, ada)
            for cmd, (params, _) in commands.items():
                for _ in range(3):
                    await ada.call(cmd, client_id=cmd, **params)
            await ada.call("message.send", to="grace", body="end", client_id="end")
            while (await grace.event("message.created"))["data"]["body"] != "end":
                pass
            names = [e["event"] for e in grace.all_events]
            assert sorted(names) == sorted(
                ["conversation.joined"] * 2 + ["message.created"] * 2 + ["roster.changed"]
                + ["connection.added"]
            )  # fmt: skip


async def test_an_id_is_its_callers_own() -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with careful(server, "ada", "grace") as (ada, grace):
            first = await ada.call("message.send", to="grace", body="one", client_id="same")
            second = await grace.call("message.send", to="ada", body="two", client_id="same")
            assert second["duplicate"] is False
            assert first["message"] != second["message"]


async def test_of_many_at_once_one_creates() -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with careful(server, *["ada"] * 8, "grace") as (*devices, grace):
            answers = [
                await device.start("message.send", to="grace", body="once", client_id="once")
                for device in devices
                for _ in range(5)
            ]
            results = [frame["result"] for frame in await asyncio.gather(*answers)]
            assert len({result["message"] for result in results}) == 1
            assert sorted(result["duplicate"] for result in results) == [False] + [True] * 39
            place = results[0]["conversation"]
            history = await grace.call("conversation.history", conversation=place)
            assert len(history["messages"]) == 1


async def test_what_was_made_stays_made_whatever_has_changed_since(tmp_path: Path) -> None:
    async with running_node(data=tmp_path) as server:
        await server.people("ada", "grace", "linus")
        async with careful(server, "ada", "grace") as (ada, grace):
            params = {"to": "grace", "body": "one", "client_id": "1"}
            sent = await ada.call("message.send", **params)
            room = {"members": ["grace", "linus"], "client_id": "2"}
            made = await ada.call("conversation.start", **room)
            await grace.call("block.add", member="ada")
            await ada.call("conversation.leave", conversation=made["conversation"])
            assert await ada.call("message.send", **params) == {**sent, "duplicate": True}
    async with running_node(data=tmp_path) as server:
        async with CarefulPeer(server.ws, server.token("ada")) as ada:
            await ada.connect()
            assert await ada.call("message.send", **params) == {**sent, "duplicate": True}
            again = await ada.call("conversation.start", **room)
            assert (again["conversation"], again["duplicate"]) == (made["conversation"], True)
            error = await refused(ada, "message.send", **{**params, "body": "two"})
            assert error["code"] == "client_id_reused"


async def test_what_was_refused_has_made_nothing() -> None:
    async with running_node() as server:
        await server.people("ada", "grace", connected=False)
        async with careful(server, "ada") as (ada,):
            params = {"to": "grace", "body": "one", "client_id": "1"}
            assert (await refused(ada, "message.send", **params))["code"] == "unreachable"
            await server.operate("connection.put", a="ada", b="grace")
            assert (await ada.call("message.send", **params))["duplicate"] is False


@pytest.mark.parametrize("cmd", ["invitation.send", "conversation.start", "conversation.add"])
async def test_without_a_client_id_it_is_done_each_time(cmd: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        async with careful(server, "ada") as (ada,):
            params, _ = (await creating(server, ada))[cmd]
            first, before = await created(ada, cmd, **params)
            assert before is False
            if cmd == "conversation.start":
                assert (await created(ada, cmd, **params))[0] != first
