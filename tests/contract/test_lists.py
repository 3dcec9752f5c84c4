"""Lists in pages: `limit`, `before`, `more` and `next`, and history by `seq`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.careful_peer import (
    WAYS,
    CarefulPeer,
    HttpPeer,
    Speaker,
    careful,
    refused,
    speaking,
)
from tests.support.running import Running, running_node

MANY = 23


async def crowd(server: Running) -> list[str]:
    """Ada, and others whom she is connected with, blocks and has been invited by."""
    friends = [f"f{n:02}" for n in range(MANY)]
    blocked = [f"b{n:02}" for n in range(MANY)]
    asking = [f"i{n:02}" for n in range(MANY)]
    for member in ("ada", *friends, *blocked, *asking):
        await server.operate("member.put", id=member, name=member)
    for member in friends:
        await server.operate("connection.put", a="ada", b=member)
    async with careful(server, "ada") as (ada,):
        for member in blocked:
            await ada.call("block.add", member=member)
        for member in friends:
            await ada.call("message.send", to=member, body="hi", client_id=member)
    for member in asking:
        async with HttpPeer(server.base, server.token(member)) as one:
            await one.call("invitation.send", to="ada")
    return friends


async def pages(one: Speaker, cmd: str, field: str, limit: int, **params: Any) -> list[list[Any]]:
    """All pages of a list."""
    found: list[list[Any]] = []
    more: dict[str, Any] = {}
    while True:
        page = await one.call(cmd, limit=limit, **params, **more)
        found.append(page[field])
        assert type(page["more"]) is bool
        assert ("next" in page) == page["more"]
        if not page["more"]:
            return found
        assert type(page["next"]) is str
        more = {"before": page["next"]}


LISTS = {
    "connection.list": ("members", "member"),
    "block.list": ("members", "member"),
    "invitation.list": ("invitations", "invitation"),
    "conversation.list": ("conversations", "id"),
}


@pytest.mark.parametrize("way", WAYS)
async def test_every_list_comes_in_pages_without_gap_or_repeat(way: str) -> None:
    async with running_node() as server:
        await crowd(server)
        async with speaking(server, way, "ada") as (ada,):
            for cmd, (field, key) in LISTS.items():
                whole = (await ada.call(cmd, limit=200))[field]
                assert len({one[key] for one in whole}) == len(whole) == MANY, cmd
                assert await pages(ada, cmd, field, 500) == [whole]
                parts = await pages(ada, cmd, field, 5)
                assert [len(part) for part in parts] == [5, 5, 5, 5, 3], cmd
                assert [one for part in parts for one in part] == whole, cmd
                assert [len(p) for p in await pages(ada, cmd, field, MANY)] == [MANY]
                assert type((await ada.call(cmd))["more"]) is bool


async def test_what_a_list_may_be_asked() -> None:
    async with running_node() as server:
        await crowd(server)
        async with careful(server, "ada", "f00") as (ada, other):
            for cmd in LISTS:
                for params, field in (
                    ({"limit": 0}, "limit"), ({"limit": -1}, "limit"), ({"limit": "5"}, "limit"),
                    ({"limit": 1.5}, "limit"), ({"before": 5}, "before"),
                    ({"before": "nonsense"}, "before"), ({"before": ""}, "before"),
                    ({"before": "١.٢"}, "before"), ({"before": "1." + "A" * 22}, "before"),
                ):  # fmt: skip
                    error = await refused(ada, cmd, **params)
                    assert (error["code"], error["field"]) == ("invalid", field), (cmd, params)
                # Another's cursor gives nothing of theirs.
                cursor = (await ada.call(cmd, limit=3))["next"]
                field, key = LISTS[cmd]
                try:
                    mine = await other.call(cmd, before=cursor)
                except Exception as refusal:  # noqa: BLE001 - to refuse it is as good
                    assert str(refusal) == "invalid"
                else:
                    hers = {one[key] for one in (await ada.call(cmd, limit=200))[field]}
                    theirs = {one[key] for one in (await other.call(cmd, limit=200))[field]}
                    assert {one[key] for one in mine[field]} <= theirs
                    assert theirs - hers or not mine[field] or cmd == "conversation.list"


async def test_conversations_come_latest_first_and_by_filter() -> None:
    async with running_node() as server:
        friends = await crowd(server)
        async with careful(server, "ada", *friends[:3]) as (ada, *some):
            for one in some:
                await one.call("message.send", to="ada", body="news", client_id="news")
            listed = (await ada.call("conversation.list", limit=200))["conversations"]
            with_whom = [
                next(p["member"] for p in c["participants"] if p["member"] != "ada") for c in listed
            ]
            assert with_whom[:3] == ["f02", "f01", "f00"]
            unread = await pages(ada, "conversation.list", "conversations", 2, filter="unread")
            assert [c["unread"] for page in unread for c in page] == [1, 1, 1]
            assert [c["id"] for page in unread for c in page] == [c["id"] for c in listed[:3]]
            requests = await ada.call("conversation.list", filter="requests")
            assert (requests["conversations"], requests["more"]) == ([], False)
            assert set(requests["at"]) == {"member:ada"}
            error = await refused(ada, "conversation.list", filter="read")
            assert (error["code"], error["field"]) == ("invalid", "filter")


async def told(one: CarefulPeer, place: str, count: int) -> None:
    answers = [
        await one.start("message.send", conversation=place, body=f"m{n}", client_id=f"m{n}")
        for n in range(1, count + 1)
    ]
    for answer in answers:
        assert "result" in await answer


@pytest.mark.parametrize("way", WAYS)
async def test_history_is_read_both_ways_by_seq(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with careful(server, "ada") as (ada,), speaking(server, way, "grace") as (grace,):
            place = (await ada.call("conversation.start", members=["grace"]))["conversation"]
            assert (await grace.call("conversation.history", conversation=place)) == {
                "messages": [], "more": False, "at": {"member:grace": 1}
            }  # fmt: skip
            await told(ada, place, 450)

            async def seqs(**params: int) -> tuple[list[int], bool]:
                page = await grace.call("conversation.history", conversation=place, **params)
                assert page["at"] == {"member:grace": 451}
                return [m["seq"] for m in page["messages"]], page["more"]

            assert await seqs(limit=3) == ([448, 449, 450], True)
            assert await seqs(limit=500) == ([*range(251, 451)], True)
            assert await seqs(before=251, limit=200) == ([*range(51, 251)], True)
            assert await seqs(before=51, limit=200) == ([*range(1, 51)], False)
            assert await seqs(before=11, limit=10) == ([*range(1, 11)], False)
            assert await seqs(before=1) == ([], False)
            assert await seqs(before=0) == ([], False)
            assert await seqs(before=2**53 - 1, limit=1) == ([450], True)
            assert await seqs(after=0, limit=10) == ([*range(1, 11)], True)
            assert await seqs(after=0, limit=999) == ([*range(1, 201)], True)
            assert await seqs(after=445, limit=5) == ([*range(446, 451)], False)
            assert await seqs(after=450) == ([], False)
            assert await seqs(after=2**53 - 1) == ([], False)
            for params, field in (
                ({"before": 1, "after": 1}, "after"), ({"before": -1}, "before"),
                ({"after": "1"}, "after"), ({"limit": 0}, "limit"),
            ):  # fmt: skip
                error = await refused(grace, "conversation.history", conversation=place, **params)
                assert (error["code"], error["field"]) == ("invalid", field)
