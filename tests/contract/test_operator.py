"""The operator's commands: with the key, over HTTP, told plainly when something does not exist."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.careful_peer import CarefulPeer, HttpPeer, careful, refused
from tests.support.running import Running, running_node
from tests.support.shapes import PROFILE, fits


def operator(server: Running, encoding: str = "json") -> HttpPeer:
    return HttpPeer(server.base, key=server.admin_key, encoding=encoding)


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
async def test_members_are_put_and_put_again(encoding: str) -> None:
    async with running_node() as server, operator(server, encoding) as op:
        whole = {
            "id": "ada", "name": "Ada Okafor", "headline": "Engineer",
            "avatar": "https://example.org/ada.png", "plan": "career",
            "facets": {"skills": ["timber", "steel"], "location": ["Accra"]},
            "settings": {"receipts": False, "open_profile": True},
        }  # fmt: skip
        await op.call("member.put", **whole)
        await op.call("member.put", id="g", name="G")
        await op.call("connection.put", a="ada", b="g")
        async with careful(server, "ada", "g") as (ada, g):
            settings = await ada.call("settings.get")
            assert (settings["receipts"], settings["open_profile"]) == (False, True)
            (listed,) = (await g.call("connection.list"))["members"]
            assert fits(listed, PROFILE)
            assert listed == {
                "member": "ada", "name": "Ada Okafor", "headline": "Engineer",
                "avatar": "https://example.org/ada.png",
            }  # fmt: skip
            await op.call("member.put", id="ada", name="Ada O.", settings={"receipts": True})
            changed = await ada.event("settings.changed")
            assert changed["data"]["receipts"] is True
            assert changed["data"]["open_profile"] is True
            (listed,) = (await g.call("connection.list"))["members"]
            assert (listed["name"], listed["headline"], listed["avatar"]) == ("Ada O.", "", "")


async def test_what_a_member_may_be() -> None:
    async with running_node() as server, operator(server) as op:
        good: dict[str, Any] = {"id": "A-b_c.9" + "x" * 57, "name": "N"}
        await op.call("member.put", **good)
        for change, field in (
            ({"id": ""}, "id"), ({"id": "x" * 65}, "id"), ({"id": "a b"}, "id"),
            ({"id": "é"}, "id"), ({"id": "a\n"}, "id"), ({"id": None}, "id"), ({"id": 1}, "id"),
            ({"name": None}, "name"), ({"name": ""}, "name"), ({"name": "n" * 101}, "name"),
            ({"plan": "gold"}, "plan"), ({"avatar": "javascript:alert(1)"}, "avatar"),
            ({"headline": 1}, "headline"), ({"facets": []}, "facets"),
            ({"facets": {"a": "b"}}, "facets"), ({"settings": {"receipts": 1}}, "settings"),
        ):  # fmt: skip
            params = {k: v for k, v in {**good, **change}.items() if v is not None}
            error = await refused(op, "member.put", **params)
            assert (error["code"], op.status) == ("invalid", 400), params
            assert error["field"] == field, params


async def test_connections_are_put_and_deleted() -> None:
    async with running_node() as server, operator(server) as op:
        await server.people("ada", "grace", connected=False)
        async with careful(server, "ada", "grace") as (ada, grace):
            assert await op.call("connection.put", a="ada", b="grace") == {}
            assert (await ada.event("connection.added"))["data"]["member"] == "grace"
            assert (await grace.event("connection.added"))["data"]["member"] == "ada"
            await op.call("connection.put", a="grace", b="ada")
            assert await op.call("connection.delete", a="grace", b="ada") == {}
            await op.call("connection.delete", a="grace", b="ada")
            assert (await ada.event("connection.removed"))["data"] == {"member": "grace"}
            assert (await grace.event("connection.removed"))["data"] == {"member": "ada"}
            await grace.call("block.add", member="ada")
            error = await refused(op, "connection.put", a="ada", b="grace")
            assert (error["code"], op.status) == ("refused", 409)
            await ada.call("ping")
            assert ada.events == []
        for cmd in ("connection.put", "connection.delete"):
            for params, field in (
                ({"a": "ada", "b": "ada"}, "b"), ({"a": "ada", "b": "nobody"}, "b"),
                ({"a": "nobody", "b": "ada"}, "a"), ({"a": "ada"}, "b"),
            ):  # fmt: skip
                error = await refused(op, cmd, **params)
                assert (error["code"], error["field"]) == ("invalid", field)


async def test_who_does_not_exist_is_said_plainly() -> None:
    async with running_node() as server, operator(server) as op:
        for cmd, params, field in (
            ("member.delete", {"id": "nobody"}, "id"),
            ("member.delete", {}, "id"),
            ("session.revoke", {"member": "nobody"}, "member"),
            ("session.revoke", {"member": "nobody", "device": ""}, "device"),
            ("token.issue", {"member": "nobody"}, "member"),
            ("no.such", {}, "cmd"),
            ("message.send", {}, "cmd"),
        ):
            error = await refused(op, cmd, **params)
            assert (error["code"], error["field"], op.status) == ("invalid", field, 400), cmd


async def test_a_batch_does_each_by_itself_in_order() -> None:
    async with running_node() as server, operator(server) as op:
        commands: list[Any] = [
            {"cmd": "member.put", "params": {"id": "ada", "name": "Ada"}},
            {"cmd": "member.put", "params": {"id": "grace"}},
            {"cmd": "connection.put", "params": {"a": "ada", "b": "grace"}},
            {"cmd": "member.put", "params": {"id": "grace", "name": "Grace"}},
            {"cmd": "connection.put", "params": {"a": "ada", "b": "grace"}},
            {"cmd": "batch", "params": {"commands": []}},
            {"cmd": "no.such"},
            {},
            {"cmd": "token.issue", "params": {"member": "ada"}},
            {"cmd": 5, "params": {}},
            {"cmd": "member.put", "params": []},
        ]
        results = (await op.call("batch", commands=commands))["results"]
        assert [one.get("error", {}).get("code", "done") for one in results] == [
            "done", "invalid", "invalid", "done", "done", "invalid", "invalid", "invalid", "done",
            "invalid", "invalid",
        ]  # fmt: skip
        token = results[8]["result"]["token"]
        async with CarefulPeer(server.ws, token) as ada:
            await ada.connect()
            (listed,) = (await ada.call("connection.list"))["members"]
            assert listed["member"] == "grace"


async def test_a_batch_has_at_most_a_thousand() -> None:
    async with running_node() as server, operator(server) as op:
        none = [{"cmd": f"no.{n}"} for n in range(999)]
        some = [*none, {"cmd": "member.put", "params": {"id": "m", "name": "M"}}]
        results = (await op.call("batch", commands=some))["results"]
        assert [one.get("error", {}).get("code") for one in results] == ["invalid"] * 999 + [None]
        wrongs: tuple[object, ...] = ([*some, some[0]], {}, "x", None)
        for wrong in wrongs:
            error = await refused(op, "batch", commands=wrong)
            assert (error["code"], error["field"]) == ("invalid", "commands")


async def test_without_the_key_nobody_operates() -> None:
    async with running_node() as server:
        await server.people("ada")
        for headers in (
            {}, {"x-api-key": ""}, {"x-api-key": "wrong"}, {"x-api-key": server.admin_key + "x"},
            {"x-api-key": server.admin_key[:-1]},
            {"authorization": f"Bearer {server.admin_key}"},
            {"authorization": f"Bearer {server.token('ada')}"},
        ):  # fmt: skip
            async with HttpPeer(server.base) as http:
                answer = await http.post("/admin/v1/member.put", b"{}", **headers)
                assert (answer["error"]["code"], http.status) == ("unauthenticated", 401)
        async with HttpPeer(server.base, server.token("ada")) as ada:
            assert (await refused(ada, "member.put", id="eve", name="E"))["code"] == "invalid"
