"""`message.search`: whatever one may see is found, on every store alike, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from server.domain.policy import Policy
from tests.support.careful_peer import WAYS, Speaker, careful, refused, speaking
from tests.support.clocks import Clock
from tests.support.running import running_node
from tests.support.shapes import MESSAGE, fits

NARROW = Policy(search_messages=40)


async def say(one: Speaker, place: str, body: str, **more: Any) -> str:
    sent = await one.call(
        "message.send", conversation=place, body=body, client_id=f"{place} {body}"[-64:], **more
    )
    message: str = sent["message"]
    return message


async def found(one: Speaker, query: str, **params: Any) -> list[str]:
    """The texts of one page."""
    page = await one.call("message.search", query=query, **params)
    assert fits(page["messages"], [MESSAGE])
    assert ("next" in page) == page["more"]
    return [message["body"] for message in page["messages"]]


async def pages(one: Speaker, query: str, **params: Any) -> list[list[str]]:
    """The texts of all pages."""
    out: list[list[str]] = []
    more: dict[str, Any] = {}
    while True:
        page = await one.call("message.search", query=query, **params, **more)
        out.append([message["body"] for message in page["messages"]])
        if not page["more"]:
            return out
        more = {"before": page["next"]}


@pytest.mark.parametrize("way", WAYS)
async def test_every_word_has_to_occur_in_any_order_and_case(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with speaking(server, way, "ada", "grace") as (ada, grace):
            place = (await ada.call("conversation.start", members=["grace"]))["conversation"]
            for body in ("The roof, on Friday", "friday: the ROOF again", "roof", "a%b_c"):
                await say(grace, place, body)
            await say(grace, place, "see above", subject="Roofing")
            both = ["friday: the ROOF again", "The roof, on Friday"]
            for one in (ada, grace):
                assert await found(one, "FRIDAY roof") == both
                assert await found(one, " roof \n friday ") == both
                assert await found(one, "roof") == ["see above", "roof", *both]
                assert await found(one, "above roofing") == ["see above"]
                assert await found(one, "oo fri") == both  # anywhere in a word
                assert await found(one, "%") == await found(one, "a%b_c") == ["a%b_c"]
                assert await found(one, "axb") == await found(one, "roof monday") == []


async def test_texts_of_any_script_are_found_alike_on_every_store() -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with careful(server, "ada") as (ada,):
            place = (await ada.call("conversation.start", members=["grace"]))["conversation"]
            texts = (
                "ÄRGER in der STRASSE", "Ärger in der Straße", "Cafe\u0301", "Café", "ПРИВЕТ",
                "東京タワー", "Kelvin \u212a", "nul \u0000 behind", "mark \u001a0", "ASCII alone",
                "İstanbul", "👍🏽 good",
            )  # fmt: skip
            for text in texts:
                await say(ada, place, text)
            for query, expected in (
                ("ärger strasse", texts[:2]), ("STRASSE", texts[:2]), ("straße", texts[:2]),
                ("CAFÉ", texts[2:4]), ("cafe\u0301", texts[2:4]), ("привет", (texts[4],)),
                ("京タ", (texts[5],)), ("k", (texts[6], texts[7], texts[8])[::1]),
                ("behind", (texts[7],)), ("\u0000", (texts[7],)), ("\u001a0", (texts[8],)),
                ("alone", (texts[9],)), ("ALONE ascii", (texts[9],)), ("stanbul", (texts[10],)),
                ("👍", (texts[11],)), ("é", texts[2:4]), ("ä", texts[:2]),
            ):  # fmt: skip
                if query == "k":
                    expected = (texts[6], texts[8])
                assert await found(ada, query) == list(expected)[::-1], query


@pytest.mark.parametrize("way", ["http+msgpack", "http+json"])
async def test_nothing_is_found_that_one_may_not_see(way: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus", "eve")
        async with (
            careful(server, "ada", "linus") as (ada, linus),
            speaking(server, way, "grace", "eve") as (grace, eve),
        ):
            start = await ada.call("conversation.start", members=["grace", "linus"])
            room = start["conversation"]
            pair = (await ada.call("conversation.start", members=["linus"]))["conversation"]
            await say(ada, pair, "secret between two")
            kept = await say(ada, room, "secret plan")
            gone = await say(ada, room, "secret to be deleted")
            edited = await say(ada, room, "secret first text")
            await ada.call("message.delete", message=gone)
            everything = ["secret first text", "secret plan"]
            assert await found(grace, "secret") == everything
            assert await found(eve, "secret") == []
            error = await refused(eve, "message.search", query="secret", conversation=room)
            assert error["code"] == "unreachable"

            await grace.call("conversation.leave", conversation=room)
            # What happens now is not hers: texts stay for her as they were.
            await ada.call("message.edit", message=edited, body="altered wording")
            await ada.call("message.delete", message=kept)
            await say(ada, room, "secret after she left")
            for params in ({}, {"conversation": room}):
                assert await found(grace, "secret", **params) == everything
                for query in ("altered", "after", "wording", "deleted"):
                    assert await found(grace, query, **params) == []
            page = await grace.call("message.search", query="plan")
            history = await grace.call("conversation.history", conversation=room)
            assert page["messages"] == [history["messages"][0]]
            assert page["at"] == {**history["at"], **page["at"]}
            assert await found(linus, "secret") == [
                "secret after she left", "secret between two"
            ]  # fmt: skip
            assert await found(linus, "altered") == ["altered wording"]

            # Who comes back sees it all, and what they have cleared no more.
            await ada.call("conversation.add", conversation=room, member="grace")
            assert await found(grace, "altered") == ["altered wording"]
            assert await found(grace, "plan") == []
            await grace.call("conversation.clear", conversation=room)
            assert await found(grace, "secret") == await found(grace, "altered") == []
            await say(ada, room, "secret anew")
            assert await found(grace, "secret") == ["secret anew"]
            await ada.call("block.add", member="linus")
            assert await found(linus, "secret between") == ["secret between two"]


async def test_it_goes_on_from_where_it_left_off_newest_first() -> None:
    async with running_node(policy=NARROW) as server:
        clock = Clock.of(server)
        people = [f"p{n}" for n in range(7)]
        await server.people("ada", *people)
        async with careful(server, "ada") as (ada,):
            places = [
                (await ada.call("conversation.start", members=[name]))["conversation"]
                for name in people
            ]
            several = await ada.call("conversation.start", members=people[:2])
            places.append(several["conversation"])
            bodies = []
            # Some at the same moment, one conversation much longer than the others.
            for n in range(150):
                place = places[0] if n % 3 else places[n % len(places)]
                body = f"n{n:03} {'odd' if n % 2 else 'even'} {'rare' if n % 30 == 0 else ''}"
                await say(ada, place, body)
                bodies.append(body)
                if n % 4 == 0:
                    clock.move(0.01)
            newest_first = bodies[::-1]
            odd = [body for body in newest_first if "odd" in body]
            for limit in (1, 7, 50, 200):
                parts = await pages(ada, "odd", limit=limit)
                flat = [body for part in parts for body in part]
                assert sorted(flat) == sorted(odd)
                assert all(len(part) <= limit for part in parts)
                times = [(int(body[1:4]) + 3) // 4 for body in flat]
                assert times == sorted(times, reverse=True)
            rare = await pages(ada, "rare", limit=50)
            assert [b for part in rare for b in part] == [b for b in newest_first if "rare" in b]
            assert len(rare) >= 150 // 40  # no more than the policy's number is looked through
            assert any(not part for part in await pages(ada, "nowhere"))
            for place in places:
                alone = await pages(ada, "n", conversation=place, limit=9)
                history = await ada.call("conversation.history", conversation=place, limit=200)
                texts = [m["body"] for m in history["messages"]][::-1]
                assert [b for part in alone for b in part][: len(texts)] == texts


async def test_what_comes_while_one_turns_pages_moves_nothing() -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "linus")
        async with careful(server, "ada", "grace") as (ada, grace):
            places = [
                (await ada.call("conversation.start", members=[name]))["conversation"]
                for name in ("grace", "linus")
            ]
            for n in range(20):
                await say(ada, places[n % 2], f"word {n:02}")
            page = await ada.call("message.search", query="word", limit=5)
            await asyncio.gather(*(say(grace, places[0], f"word new {n}") for n in range(30)))
            await ada.call("conversation.clear", conversation=places[0])
            rest = await ada.call("message.search", query="word", before=page["next"])
            # What was cleared meanwhile is gone; the other conversation goes on where it was.
            seen = [m["body"] for m in page["messages"] + rest["messages"]]
            assert [b for b in seen if int(b[-2:]) % 2] == [
                f"word {n:02}" for n in range(19, 0, -2)
            ]
            assert not any("new" in body for body in seen)


async def test_what_a_search_may_ask() -> None:
    async with running_node() as server:
        await server.people("ada", "grace", "eve")
        async with careful(server, "ada", "grace", "eve") as (ada, grace, eve):
            place = (await ada.call("conversation.start", members=["grace"]))["conversation"]
            other = (await grace.call("conversation.start", members=["eve"]))["conversation"]
            foreign = await say(grace, other, "not hers")
            own = await say(ada, place, "word")
            for params, field in (
                ({}, "query"), ({"query": ""}, "query"), ({"query": " \n"}, "query"),
                ({"query": 1}, "query"), ({"query": "q" * 201}, "query"),
                ({"query": "x", "limit": 0}, "limit"), ({"query": "x", "before": 1}, "before"),
                ({"query": "x", "before": "nonsense"}, "before"),
                ({"query": "x", "before": foreign}, "before"),
                ({"query": "x", "before": "A" * 22}, "before"),
                ({"query": "x", "conversation": 1}, "conversation"),
            ):  # fmt: skip
                error = await refused(ada, "message.search", **params)
                assert (error["code"], error["field"]) == ("invalid", field), params
            assert await found(ada, "w " * 100) == ["word"]
            assert await found(ada, " ".join(f"w{n}" for n in range(50))) == []
            assert await found(ada, "word", before=own, limit=1_000_000) == ["word"]
            assert await found(eve, "word") == []
