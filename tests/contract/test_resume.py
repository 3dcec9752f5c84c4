"""Going on from where a client was: what follows, what is reset, and that nothing is missing."""

from __future__ import annotations

from typing import Any

import httpx
import msgpack
import pytest

from server.domain.policy import DEFAULT
from tests.support import peer
from tests.support.careful_peer import ENCODINGS, CarefulPeer, careful, refused
from tests.support.running import Running, running_node


async def talk(one: CarefulPeer, count: int, start: int = 0, **where: str) -> list[str]:
    """Send so many messages, all at once; answers their ids in order."""
    answers = [
        await one.start("message.send", body=f"m{n}", client_id=f"{where}{n}", **where)
        for n in range(start, start + count)
    ]
    return [(await answer)["result"]["message"] for answer in answers]


async def bodies(one: CarefulPeer, count: int) -> list[str]:
    return [(await one.event("message.created"))["data"]["body"] for _ in range(count)]


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_what_was_missed_comes_after_the_result_and_then_what_is_live(encoding: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with careful(server, "ada", encoding=encoding) as (ada,):
            await talk(ada, 3, to="grace")
            async with CarefulPeer(server.ws, server.token("grace"), encoding) as grace:
                first = await grace.connect(resume={"member:grace": 2})
                assert first["topics"] == {"member:grace": 4}
                assert first["reset"] == []
                await talk(ada, 2, 3, to="grace")
                assert await bodies(grace, 4) == ["m1", "m2", "m3", "m4"]
                assert grace.positions["member:grace"] == 6


async def test_without_resume_a_session_is_live_from_the_heads() -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with careful(server, "ada") as (ada,):
            await talk(ada, 3, to="grace")
            async with careful(server, "grace") as (grace,):
                await talk(ada, 1, 3, to="grace")
                assert await bodies(grace, 1) == ["m3"]


async def test_at_the_head_nothing_follows_and_beyond_it_is_reset() -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        for pos, reset in ((1, []), (2, ["member:grace"]), (2**53 - 1, ["member:grace"])):
            async with CarefulPeer(server.ws, server.token("grace")) as grace:
                first = await grace.connect(resume={"member:grace": pos})
                assert first["reset"] == reset
                await grace.call("ping")
                assert grace.events == []


async def test_another_epoch_resets_everything_and_none_means_the_present_one() -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with careful(server, "ada") as (ada,):
            await talk(ada, 2, to="grace")
        async with CarefulPeer(server.ws, server.token("grace")) as grace:
            epoch = (await grace.connect(resume={"member:grace": 1}))["epoch"]
            assert await bodies(grace, 2) == ["m0", "m1"]
        async with CarefulPeer(server.ws, server.token("grace")) as grace:
            assert (await grace.connect(resume={"member:grace": 1}, epoch=epoch))["reset"] == []
            assert await bodies(grace, 2) == ["m0", "m1"]
        async with CarefulPeer(server.ws, server.token("grace")) as grace:
            first = await grace.connect(resume={"member:grace": 1}, epoch="another")
            assert first["reset"] == ["member:grace"]
            await grace.call("ping")
            assert grace.events == []


async def test_topics_that_are_not_named_or_not_ones_own_are_not_resumed() -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        async with careful(server, "ada") as (ada,):
            room = await ada.call("conversation.start", members=["grace", "linus"])
            await talk(ada, 2, conversation=room["conversation"])
            foreign = f"conversation:{room['conversation']}"
        async with CarefulPeer(server.ws, server.token("grace")) as grace:
            first = await grace.connect(resume={"member:grace": 2})
            assert first["reset"] == [foreign]
            assert (await grace.event("conversation.joined"))["data"]["topic"] == foreign
            await grace.call("ping")
            assert grace.events == []
        await server.people("eve")
        async with CarefulPeer(server.ws, server.token("eve")) as eve:
            first = await eve.connect(
                resume={foreign: 0, "member:grace": 0, "member:nobody": 0, "nonsense": 1,
                        "conversation:": 0, "": 0}
            )  # fmt: skip
            assert first["topics"] == {"member:eve": 0}
            assert first["reset"] == ["member:eve"]
            await eve.call("ping")
            assert eve.events == []
            assert b"\xa2m0" not in eve.bytes  # as a text: two letters may be in any id


async def test_the_last_5000_events_can_be_resumed() -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with careful(server, "ada") as (ada,):
            await talk(ada, 5_001, to="grace")
        async with CarefulPeer(server.ws, server.token("grace")) as grace:
            first = await grace.connect(resume={"member:grace": 2})
            assert first["reset"] == []
            assert await bodies(grace, 5_000) == [f"m{n}" for n in range(1, 5_001)]


async def test_what_lies_further_back_than_the_limit_is_reset() -> None:
    async with running_node(policy=type(DEFAULT)(resume_events=10)) as server:
        await server.people("ada", "grace")
        async with careful(server, "ada") as (ada,):
            await talk(ada, 11, to="grace")
            async with CarefulPeer(server.ws, server.token("grace")) as grace:
                assert (await grace.connect(resume={"member:grace": 2}))["reset"] == []
                assert await bodies(grace, 10) == [f"m{n}" for n in range(1, 11)]
            async with CarefulPeer(server.ws, server.token("grace")) as grace:
                first = await grace.connect(resume={"member:grace": 1})
                assert first["reset"] == ["member:grace"]
                await talk(ada, 1, 11, to="grace")
                assert await bodies(grace, 1) == ["m11"]


async def rooms(ada: CarefulPeer, count: int) -> list[str]:
    made = [
        await ada.start("conversation.start", members=["grace", "linus"], title=f"r{n}")
        for n in range(count)
    ]
    return [(await answer)["result"]["conversation"] for answer in made]


async def test_many_topics_are_resumed_at_once_and_all_are_live_afterwards() -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        async with careful(server, "ada") as (ada,):
            places = await rooms(ada, 12)
            for place in places:
                await talk(ada, 30, conversation=place)
            head = ada.positions["member:ada"]
            async with CarefulPeer(server.ws, server.token("grace")) as grace:
                resume = {f"conversation:{place}": 10 for place in places}
                first = await grace.connect(resume={"member:grace": 2, **resume})
                assert first["reset"] == []
                assert head
                for place in places:
                    await talk(ada, 1, 30, conversation=place)
                got: dict[str, list[str]] = {place: [] for place in places}
                for _ in range(12 * 21):
                    data = (await grace.event("message.created"))["data"]
                    got[data["conversation"]].append(data["body"])
                assert got == {place: [f"m{n}" for n in range(10, 31)] for place in places}


async def test_a_conversation_joined_meanwhile_is_found_on_the_way() -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        async with careful(server, "ada") as (ada,):
            (place,) = await rooms(ada, 1)
            await talk(ada, 1, conversation=place)
            async with CarefulPeer(server.ws, server.token("grace")) as grace:
                first = await grace.connect(resume={"member:grace": 2})
                topic = f"conversation:{place}"
                assert first["topics"][topic] == 1
                assert first["reset"] == [topic]
                assert (await grace.event("conversation.joined"))["data"]["pos"] == 0
                await talk(ada, 1, 1, conversation=place)
                assert await bodies(grace, 1) == ["m1"]


async def test_who_was_removed_meanwhile_gets_what_was_theirs_and_nothing_after() -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        async with careful(server, "ada") as (ada,):
            (place,) = await rooms(ada, 1)
            topic = f"conversation:{place}"
            kept = await talk(ada, 3, conversation=place)
            await ada.call("conversation.remove", conversation=place, member="grace")
            await ada.call("message.edit", message=kept[2], body="hidden edit")
            await ada.call("message.delete", message=kept[1])
            await ada.call("conversation.rename", conversation=place, title="hidden title")
            await talk(ada, 3, 3, conversation=place)
            async with CarefulPeer(server.ws, server.token("grace")) as grace:
                first = await grace.connect(resume={"member:grace": 3, topic: 1})
                assert topic not in first["topics"]
                assert await bodies(grace, 2) == ["m1", "m2"]
                left = await grace.event("conversation.left")
                assert left["data"] == {"conversation": place, "topic": topic, "pos": 3}
                await grace.call("ping")
                assert b"\xa2m3" not in grace.bytes
                assert b"hidden" not in grace.bytes
                assert grace.positions[topic] == 3


async def test_events_are_built_from_the_messages_as_they_are_now() -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with careful(server, "ada") as (ada,):
            ids = await talk(ada, 3, to="grace")
            await ada.call("message.edit", message=ids[0], body="edited")
            await ada.call("message.delete", message=ids[1])
            await ada.call("message.react", message=ids[2], emoji="👍")
            async with CarefulPeer(server.ws, server.token("grace")) as grace:
                await grace.connect(resume={"member:grace": 1})
                created = [(await grace.event("message.created"))["data"] for _ in range(3)]
                assert [m.get("body") for m in created] == ["edited", None, "m2"]
                assert created[1]["deleted_at"] > 0
                assert created[2]["reactions"] == [{"emoji": "👍", "members": ["ada"]}]
                edited = await grace.event("message.edited")
                assert edited["data"] == created[0]
                assert (await grace.event("message.deleted"))["data"] == created[1]
                assert (await grace.event("message.reacted"))["data"]["emojis"] == ["👍"]
                assert b"\xa2m1" not in grace.bytes


async def resume_in_parts(server: Running, ada: CarefulPeer, first: dict[str, Any]) -> None:
    places = await rooms(ada, 4)
    names = [f"conversation:{place}" for place in places]
    for place in places:
        await talk(ada, 3, conversation=place)
    async with CarefulPeer(server.ws, server.token("grace")) as grace:
        opened = await grace.connect(resume_more=True, **first)
        assert set(opened["topics"]) == {"member:grace", *names}
        assert opened["reset"] == []
        await talk(ada, 1, 3, conversation=places[0])
        part = await grace.call("resume", topics={names[0]: 1}, more=True)
        assert part == {"topics": {names[0]: 3}, "reset": []}
        part = await grace.call("resume", topics={names[1]: 99, "member:eve": 0}, more=True)
        assert part["reset"] == [names[1]]
        last = await grace.call("resume", topics={"member:grace": 6, names[2]: 3})
        assert set(last["topics"]) == {"member:grace", *names}
        assert set(last["reset"]) == {names[1], names[3]}
        got: dict[str, list[str]] = {place: [] for place in places}
        for place in places:
            await talk(ada, 1, 4, conversation=place)
        for _ in range(3 + 4):
            data = (await grace.event("message.created"))["data"]
            got[data["conversation"]].append(data["body"])
        assert list(got.values()) == [["m1", "m2", "m3", "m4"], ["m4"], ["m4"], ["m4"]]
        error = await refused(grace, "resume", topics={})
        assert error["code"] == "invalid"


async def test_more_topics_than_fit_are_resumed_in_parts() -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        async with careful(server, "ada") as (ada,):
            await resume_in_parts(server, ada, {"resume": {}})


async def test_the_first_part_may_name_no_topic_at_all() -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        async with careful(server, "ada") as (ada,):
            await resume_in_parts(server, ada, {})


async def test_resume_without_resume_more_is_invalid() -> None:
    async with running_node() as server:
        await server.people("ada")
        async with careful(server, "ada") as (ada,):
            assert (await refused(ada, "resume", topics={"member:ada": 0}))["code"] == "invalid"


async def test_the_epoch_and_the_positions_outlive_the_server(tmp_path: Any) -> None:
    async with running_node(data=tmp_path) as server:
        await server.people("ada", "grace")
        async with careful(server, "ada") as (ada,):
            await talk(ada, 3, to="grace")
            async with CarefulPeer(server.ws, server.token("grace")) as grace:
                epoch = (await grace.connect())["epoch"]
    async with running_node(data=tmp_path) as server:
        async with CarefulPeer(server.ws, server.token("grace")) as grace:
            first = await grace.connect(resume={"member:grace": 2}, epoch=epoch)
            assert (first["epoch"], first["reset"]) == (epoch, [])
            assert await bodies(grace, 2) == ["m1", "m2"]


async def test_a_page_of_the_longest_messages_is_resumed_too() -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with careful(server, "ada") as (ada,):
            for number in range(220):
                body = f"m{number} ".ljust(8_000, "ä")
                await ada.call("message.send", to="grace", body=body, client_id=str(number))
            async with CarefulPeer(server.ws, server.token("grace")) as grace:
                await grace.connect(resume={"member:grace": 1})
                assert [b.split()[0] for b in await bodies(grace, 220)] == [
                    f"m{n}" for n in range(220)
                ]


async def test_what_is_deleted_while_its_reader_is_slow_is_not_told_any_more() -> None:
    """Pages are read as the socket drains: what waits is as it is when its turn comes."""
    async with running_node() as server:
        await server.people("ada", "grace")
        async with careful(server, "ada") as (ada,):
            ids = []
            for number in range(300):
                body = f"m{number} ".ljust(8_000, "ä")
                sent = await ada.call("message.send", to="grace", body=body, client_id=str(number))
                ids.append(sent["message"])
            port = httpx.URL(server.base).port or 0
            async with peer.open_websocket(
                port, "subrosa.v1.msgpack", receive_buffer=4_096
            ) as slow:
                params = {"token": server.token("grace"), "resume": {"member:grace": 1}}
                frame = {"id": 1, "cmd": "connect", "params": params}
                await slow.send(peer.frame(peer.BINARY, msgpack.packb(frame)))
                await slow.frame()
                await slow.frame()  # it has begun, and cannot go on before this one reads
                for message in ids[250:]:
                    await ada.call("message.delete", message=message)
                told: list[str] = []
                while len(told) < 299:
                    first, payload = await slow.frame()
                    if first == peer.PING:
                        continue
                    data = msgpack.unpackb(payload)["data"]
                    told.append(data.get("body", "deleted ").split()[0])
                assert told == [f"m{n}" for n in range(1, 250)] + ["deleted"] * 50


async def test_commands_sent_before_connect_is_answered_are_all_answered() -> None:
    async with running_node() as server:
        await server.people("ada")
        async with CarefulPeer(server.ws, server.token("ada")) as ada:
            first = await ada.start("connect", token=server.token("ada"))
            pings = [await ada.start("ping") for _ in range(300)]
            assert "result" in await first
            assert ["result" in await ping for ping in pings] == [True] * 300


async def test_a_connect_that_is_refused_leaves_its_socket_readable() -> None:
    async with running_node() as server:
        await server.people("ada")
        server.node.store._limit = 0
        async with CarefulPeer(server.ws, server.token("ada")) as ada:
            first = await ada.start("connect", token=server.token("ada"))
            pings = [await ada.start("ping") for _ in range(300)]
            assert (await first)["error"]["code"] == "busy"
            for ping in pings:
                assert (await ping)["error"]["code"] == "unauthenticated"
            server.node.store._limit = 100
            await ada.connect()
