"""One answer for whoever and whatever cannot be reached: the same bytes, whatever the cause."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgpack

from server.commands import table
from tests.support.careful_peer import CarefulPeer, HttpPeer, careful
from tests.support.peer_client import Refusal
from tests.support.running import Running, running_node

NOBODY = "nobody"
UNKNOWN_ID = "A" * 22

Case = tuple[str, dict[str, Any], str]
"""A command, its parameters, and why what it names cannot be reached."""


@dataclass
class Scene:
    """Ada among people of all kinds, and what they have said out of her reach."""

    server: Running
    ada: CarefulPeer
    hers: dict[str, Any]
    """Places and messages that were hers to reach once: with `blocker`, with `parted`, `left`."""
    foreign: dict[str, Any]
    """A conversation, a message and an invitation among others."""


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    async with running_node() as server:
        await server.people("ada", "blocker", "blocked", "parted", "deleted", "friend", "linus")
        await server.people("stranger", "refuser", "other", connected=False)
        for a, b in (("stranger", "other"), ("other", "friend"), ("stranger", "friend")):
            await server.operate("connection.put", a=a, b=b)
        async with careful(
            server, "ada", "blocker", "friend", "stranger", "other", "refuser", "parted"
        ) as (ada, blocker, friend, stranger, other, refuser, parted):
            hers: dict[str, Any] = {}
            for name in ("blocker", "blocked", "parted", "deleted"):
                sent = await ada.call("message.send", to=name, body="hi", client_id=name)
                hers[name] = sent
            room = await ada.call("conversation.start", members=["friend", "blocker", "linus"])
            hers["left"] = await ada.call(
                "message.send", conversation=room["conversation"], body="x", client_id="left"
            )
            hers["by parted"] = await parted.call(
                "message.send", to="ada", body="hi", client_id="1"
            )
            invited = await refuser.call("invitation.send", to="ada")
            hers["gone invitation"] = invited["invitation"]
            await refuser.call("invitation.withdraw", invitation=invited["invitation"])

            theirs = await stranger.call("message.send", to="other", body="hi", client_id="1")
            several = await stranger.call("conversation.start", members=["other", "friend"])
            said = await stranger.call(
                "message.send", conversation=several["conversation"], body="hi", client_id="2"
            )
            await server.people("late", connected=False)
            asked = await stranger.call("invitation.send", to="late")
            foreign = {**asked, "pair": theirs, "room": said}

            await blocker.call("block.add", member="ada")
            await ada.call("block.add", member="blocked")
            await ada.call("connection.remove", member="parted")
            await ada.call("conversation.leave", conversation=room["conversation"])
            await server.operate("member.delete", id="deleted")
            yield Scene(server, ada, hers, foreign)


def members_out_of_reach(*, own_block: bool = True) -> list[str]:
    return [NOBODY, "blocker", "deleted", *(["blocked"] if own_block else [])]


def of_members() -> Iterator[Case]:
    for member in members_out_of_reach():
        yield "invitation.send", {"to": member}, member
        yield "connection.remove", {"member": member}, member
        yield "explain", {"to": member}, member
    for member in members_out_of_reach(own_block=False):
        yield "block.add", {"member": member}, member
        yield "block.remove", {"member": member}, member
    for member in (*members_out_of_reach(), "parted", "stranger"):
        yield "message.send", {"to": member, "body": "x", "client_id": f"to {member}"}, member
        yield "conversation.start", {"members": ["friend", member]}, member
        yield "conversation.start", {"members": [member]}, f"alone {member}"
    yield "conversation.start", {"members": ["friend"], "group": UNKNOWN_ID}, "no group"


def of_conversations(scene: Scene) -> Iterator[Case]:
    pair = scene.foreign["pair"]["conversation"]
    room = scene.foreign["room"]["conversation"]
    left = scene.hers["left"]["conversation"]
    unknown = (UNKNOWN_ID, "", "x", scene.hers["blocker"]["message"], pair[:-1] + "-")
    never = [("unknown", u) for u in unknown if u] + [("foreign pair", pair), ("foreign", room)]
    closed = [("left", left)]
    parted = [(name, scene.hers[name]["conversation"])
              for name in ("blocker", "blocked", "parted", "deleted")]  # fmt: skip
    for why, place in never:
        for cmd, more in (
            ("conversation.get", {}), ("conversation.history", {}), ("receipt.read", {"seq": 1}),
            ("conversation.set", {"muted": True}), ("conversation.clear", {}),
            ("draft.set", {"body": "x"}), ("message.search", {"query": "x"}),
            ("report.send", {"reason": "spam"}),
            ("request.accept", {}), ("request.decline", {}),
            ("conversation.close", {}),
        ):  # fmt: skip
            yield cmd, {"conversation": place, **more}, why
    for why, place in never + closed:
        for cmd, rest in (
            ("conversation.add", {"member": "friend"}), ("conversation.leave", {}),
            ("conversation.remove", {"member": "friend"}), ("conversation.rename", {"title": "t"}),
        ):  # fmt: skip
            yield cmd, {"conversation": place, **rest}, why
    for why, place in never + closed + parted:
        yield "message.send", {"conversation": place, "body": "x", "client_id": f"in {why}"}, why
        yield "typing.start", {"conversation": place}, why
        yield "typing.stop", {"conversation": place}, why


def of_messages(scene: Scene) -> Iterator[Case]:
    never = [
        ("unknown", UNKNOWN_ID), ("no message", scene.foreign["pair"]["conversation"]),
        ("foreign pair", scene.foreign["pair"]["message"]),
        ("foreign", scene.foreign["room"]["message"]),
    ]  # fmt: skip
    hers = [(name, scene.hers[name]["message"])
            for name in ("blocker", "blocked", "parted", "deleted", "left")]  # fmt: skip
    for why, message in never + hers:
        yield "message.edit", {"message": message, "body": "x"}, why
        yield "message.react", {"message": message, "emoji": "👍"}, why
        yield "message.unreact", {"message": message, "emoji": "👍"}, why
        if why != "parted":  # what is one's own may be taken back from a former connection
            yield "message.delete", {"message": message}, why
    for why, message in never:
        yield "report.send", {
            "conversation": scene.hers["left"]["conversation"], "reason": "spam",
            "message": message,
        }, why  # fmt: skip
        yield "message.send", {
            "to": "friend", "body": "x", "client_id": f"re {why}", "reply_to": message
        }, f"reply to {why}"  # fmt: skip


def of_invitations(scene: Scene) -> Iterator[Case]:
    for why, invitation in (
        ("unknown", UNKNOWN_ID), ("foreign", scene.foreign["invitation"]),
        ("withdrawn", scene.hers["gone invitation"]),
    ):  # fmt: skip
        for verb in ("accept", "ignore", "refuse", "withdraw"):
            yield f"invitation.{verb}", {"invitation": invitation}, why


def of_rosters(scene: Scene, place: str) -> Iterator[Case]:
    for member in (*members_out_of_reach(), "parted", "stranger"):
        yield "conversation.add", {"conversation": place, "member": member}, member
    for member in (NOBODY, "deleted", "stranger"):
        yield "conversation.remove", {"conversation": place, "member": member}, member


async def test_whatever_cannot_be_reached_is_answered_with_the_same_bytes() -> None:
    async with scene() as at, HttpPeer(at.server.base, at.server.token("ada")) as http:
        room = await at.ada.call("conversation.start", members=["friend", "linus"])
        cases = [
            *of_members(), *of_conversations(at), *of_messages(at), *of_invitations(at),
            *of_rosters(at, room["conversation"]),
        ]  # fmt: skip
        answers: dict[bytes, list[str]] = {}
        bodies: dict[bytes, list[str]] = {}
        for cmd, params, why in cases:
            case = f"{cmd} {why}"
            frame = await at.ada.raw_answer(
                msgpack.packb({"id": "same", "cmd": cmd, "params": params}), "same"
            )
            answers.setdefault(frame, []).append(case)
            try:
                await http.call(cmd, **params)
            except Refusal:
                assert http.status == 403, case
            bodies.setdefault(http.raw, []).append(case)
        assert list(answers.values()) == [[f"{cmd} {why}" for cmd, _, why in cases]]
        assert len(bodies) == 1, list(bodies.values())[1:]
        (frame,) = answers
        error = msgpack.unpackb(frame)["error"]
        assert (error["code"], error["retryable"]) == ("unreachable", False)
        assert set(error) == {"code", "message", "retryable"}
        covered = {cmd for cmd, _, _ in cases}
        promised = {c.name for c in table.MEMBER.values() if "unreachable" in c.errors}
        assert covered == promised
        assert len(cases) > 150


async def test_headers_tell_no_more_than_the_body() -> None:
    async with scene() as at, HttpPeer(at.server.base, at.server.token("ada")) as http:
        seen = set()
        for member in (*members_out_of_reach(), "stranger"):
            try:
                await http.call("message.send", to=member, body="x", client_id=f"again {member}")
            except Refusal:
                seen.add(tuple((k, v) for k, v in http.headers.items() if k != "date"))
        assert len(seen) == 1


async def test_presence_says_of_who_cannot_be_reached_what_it_says_of_nobody() -> None:
    async with scene() as at:
        asked = [NOBODY, "blocker", "blocked", "parted", "deleted", "stranger", "refuser"]
        members = (await at.ada.call("presence.get", members=asked))["members"]
        assert all(members[member] == members[NOBODY] for member in asked)


async def test_what_was_said_before_stays_readable_and_looks_the_same() -> None:
    async with scene() as at:
        looks = []
        for name in ("blocker", "blocked", "parted"):
            place = at.hers[name]["conversation"]
            got = await at.ada.call("conversation.get", conversation=place)
            assert got["last"]["body"] == "hi"
            looks.append((got["state"], [sorted(p) for p in got["participants"]]))
        assert looks[0] == looks[1] == looks[2]
