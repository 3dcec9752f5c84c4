"""Many sessions come back at once: what is read together, what is shared, and what is not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest
from msgspec.structs import replace

from server.commands import access
from server.commands.outcome import PASSED, Event
from server.commands.work import Facts
from server.domain.policy import DEFAULT
from server.domain.rows import Member
from server.protocol.codec import MSGPACK
from server.realtime import log_pages, topics
from server.realtime.framing import Framed
from server.realtime.log_pages import Page, Wanted
from tests.support.fake_wire import payloads
from tests.unit.realtime.rig import Rig, listener, rig

Ask = Callable[[Any], Awaitable[Any]]


async def room(made: Rig, *members: str) -> tuple[str, str]:
    """A conversation of these; its id and its topic."""
    await made.people(*members)
    found = await made.run(
        members[0], "conversation.start", members=list(members[1:]), client_id="r"
    )
    return found["conversation"], f"conversation:{found['conversation']}"


async def nothing(_read: int) -> None:
    """Nothing happens."""


def watched(made: Rig, then: Callable[[int], Awaitable[None]] = nothing) -> list[int]:
    """The reads of pages from now on, one by one; `then` happens between each and its answer."""
    ask, reads = made.here.replays.ask, list[int]()
    assert ask is not None

    async def late(question: Any) -> Any:
        answer = await ask(question)
        if question.__qualname__.startswith("seen."):  # and not a comparison of heads
            reads.append(1)
            await then(len(reads))
        return answer

    made.here.replays.ask = late
    return reads


async def test_those_who_come_back_together_are_read_for_together(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        members = ["ada", *(f"m{n}" for n in range(12))]
        place, topic = await room(made, *members)
        for _ in range(5):
            await made.send("ada", conversation=place)
        asked = watched(made)
        made.gate.clear()
        back = [await made.attend(made.here, m, {f"member:{m}": 0, topic: 1}) for m in members]
        made.gate.set()
        await made.quiet()
        assert len(asked) <= 4  # the first alone, then the others, a topic at a time
        given = [[one for one in listener(s).given if one["topic"] == topic] for s in back]
        assert [one["pos"] for one in given[0]] == [2, 3, 4, 5]
        assert all(one == given[0] for one in given)
        await made.send("ada", conversation=place)
        await made.quiet()
        assert all(listener(s).positions(topic) == [2, 3, 4, 5, 6] for s in back)


async def test_what_comes_while_a_page_is_read_needs_no_other_read(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        place, topic = await room(made, "ada", "bob", "cyd")
        await made.send("ada", conversation=place)

        async def talk(_: int) -> None:
            for _ in range(3):
                await made.send("ada", conversation=place)

        reads = watched(made, talk)
        own = (await made.attend(made.here, "ada")).opened_pos
        bob = await made.attend(made.here, "bob", {"member:bob": own, topic: 0})
        await made.quiet()
        assert len(reads) == 1
        await made.send("ada", conversation=place)
        await made.quiet()
        assert listener(bob).positions(topic) == [1, 2, 3, 4, 5]


async def test_more_than_is_kept_is_read_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "TAIL", 2)
    async with rig(tmp_path) as made:
        place, topic = await room(made, "ada", "bob", "cyd")
        await made.send("ada", conversation=place)

        async def talk(read: int) -> None:
            for _ in range(3 if read == 1 else 0):
                await made.send("ada", conversation=place)

        reads = watched(made, talk)
        own = (await made.attend(made.here, "ada")).opened_pos
        bob = await made.attend(made.here, "bob", {"member:bob": own, topic: 0})
        await made.quiet()
        assert len(reads) == 2
        assert listener(bob).positions(topic) == [1, 2, 3, 4]


async def test_who_is_removed_while_their_page_is_read_has_nothing_of_what_is_kept(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path) as made:
        place, topic = await room(made, "ada", "bob", "cyd")
        await made.send("ada", conversation=place)

        async def remove(read: int) -> None:
            if read == 1:
                await made.send("ada", conversation=place)
                await made.run("ada", "conversation.remove", conversation=place, member="bob")
                await made.send("ada", conversation=place)

        watched(made, remove)
        own = (await made.attend(made.here, "ada")).opened_pos
        bob = await made.attend(made.here, "bob", {"member:bob": own, topic: 0})
        cyd = await made.attend(made.here, "cyd", {"member:cyd": own, topic: 0})
        await made.quiet()
        assert listener(bob).positions(topic) == []  # `conversation.left` tells it to read
        assert listener(cyd).positions(topic) == [1, 2, 3, 4]


async def test_who_sees_less_is_given_less_by_the_same_question(tmp_path: Path) -> None:
    policy = replace(DEFAULT, visible_to_newcomers="from_joining")
    async with rig(tmp_path, policy) as made:
        place, topic = await room(made, "ada", "bob", "cyd", "dan")
        await made.run("ada", "conversation.remove", conversation=place, member="dan")
        await made.run("ada", "conversation.remove", conversation=place, member="cyd")
        message = await made.send("ada", conversation=place)
        await made.run("ada", "conversation.add", conversation=place, member="cyd")
        await made.run("ada", "message.edit", message=message["message"], body="another")
        asked = [Wanted(member, topic, 0) for member in ("ada", "bob", "cyd", "dan", "nobody")]
        pages = await made.store.read(log_pages.seen(asked))
        ada, bob, cyd, dan, nobody = [page for page in pages if page is not None]
        assert ada is bob
        assert [one.event.pos for one in ada.events] == [1, 2, 3, 4, 5]
        assert ada.events[2].event.data["body"] == "another"
        assert [one.event.pos for one in cyd.events] == [1, 5]
        assert [one.event.pos for one in dan.events] == []
        assert [page.over for page in (ada, cyd, dan, nobody)] == [False, False, True, True]


async def test_no_question_asks_for_more_than_is_good_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_pages, "EVENTS_AT_ONCE", 4)
    async with rig(tmp_path) as made:
        place, topic = await room(made, "ada", "bob", "cyd")
        for _ in range(6):
            await made.send("ada", conversation=place)
        asked = [Wanted("ada", topic, 0), Wanted("bob", topic, 0), Wanted("cyd", topic, 1)]
        pages = await made.store.read(log_pages.seen(asked))
        assert pages[0] is pages[1] is not None
        assert pages[2] is None
        made.gate.clear()
        back = [await made.attend(made.here, m, {f"member:{m}": 0, topic: n})
                for n, m in enumerate(("ada", "bob", "cyd"))]  # fmt: skip
        made.gate.set()
        await made.quiet()
        assert [listener(s).positions(topic)[0] for s in back] == [1, 2, 3]
        assert all(listener(s).positions(topic)[-1] == 6 for s in back)


async def test_one_that_cannot_be_read_is_not_its_neighbours_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with rig(tmp_path) as made:
        place, topic = await room(made, "ada", "bob", "cyd")
        await made.send("ada", conversation=place)
        named = access.named

        def broken(member: str, facts: Facts) -> Member | None:
            if member == "bob":
                raise LookupError(member)
            return named(member, facts)

        made.gate.clear()
        ada, bob, cyd = [
            await made.attend(made.here, m, {f"member:{m}": 0, topic: 0})
            for m in ("ada", "bob", "cyd")
        ]
        monkeypatch.setattr(access, "named", broken)
        made.gate.set()
        await made.quiet()
        assert listener(bob).code == 4010
        assert listener(ada).positions(topic) == listener(cyd).positions(topic) == [1]
        assert "could not be given what it missed" in caplog.text


async def test_who_is_gone_is_not_read_for(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        place, topic = await room(made, "ada", "bob", "cyd")
        await made.send("ada", conversation=place)
        made.gate.clear()
        for _ in range(5):
            one = await made.attend(made.here, "bob", {"member:bob": 0, topic: 0})
            await asyncio.sleep(0)
            made.here.leave(one)
        asked = watched(made)
        made.gate.set()
        await made.quiet()
        assert len(asked) <= 1
        assert not len(made.here.replays.reader)
        assert not made.here.topics


def test_from_whom_an_event_is_kept_has_another_page_than_the_others() -> None:
    events = [Framed(Event("conversation:c", pos, "message.edited", {"body": str(pos)},
                           apart=("bob",) if pos == 2 else ())) for pos in (1, 2, 3)]  # fmt: skip
    page = Page(events, 3)

    def given(member: str) -> list[Any]:
        parts = page.parts(member, MSGPACK)
        frames = b"".join(part.item.frame for part in parts)
        return [msgpack.unpackb(payload) for _, payload in payloads(frames)]

    assert [one["event"] for one in given("ada")] == ["message.edited"] * 3
    assert [one["event"] for one in given("bob")] == ["message.edited", PASSED, "message.edited"]
    assert [one["pos"] for one in given("bob")] == [1, 2, 3]
    assert given("bob")[1]["data"] == {}
    assert page.parts("ada", MSGPACK) is page.parts("cyd", MSGPACK)
