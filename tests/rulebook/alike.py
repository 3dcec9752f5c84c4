"""Who cannot be reached, for every cause there is: what is asked of them, and what it costs.

`timing` and `test_alike` both ask for the same things; a cause that one of them could tell from
another would tell a stranger of a block, of a deletion, or of a setting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgpack
from sqlalchemy import Engine, event

from server.domain.policy import Policy
from tests.support.careful_peer import CarefulPeer, careful
from tests.support.running import Running

MEMBERS = ("unknown", "blocker", "parted blocker", "blocked", "deleted", "private", "decliner")
"""Causes for which a member cannot be reached."""

GONE = ("unknown", "blocker", "parted blocker", "deleted")
"""Those of whom there is nothing that a member may know."""

SOMEBODY_ELSE = "somebody else"
"""The cause of what is asked first, so that what all of a kind ask for has been read."""

HOUSE_RULES = Policy(reinvite_after_ms=0)

MADE_UP = "A" * 22
PLANS = ("basic", "career")


Frames = dict[str, dict[str, Any]]
"""Commands by what is asked and why it cannot be reached."""


async def strangers(server: Running, mark: str) -> Frames:
    """Sam, of this plan, and members and conversations out of reach; answers what to ask. It takes
    a server with `HOUSE_RULES`."""
    plan = mark.split("-")[0]
    sam = f"sam.{mark}"
    names = {cause: f"{cause.replace(' ', '-')}.{mark}" for cause in (*MEMBERS, "refuser")}
    await server.operate("member.put", id=sam, name="Sam", plan=plan)
    for cause, name in names.items():
        if cause != "unknown":
            settings = {"inmail": False}
            await server.operate("member.put", id=name, name=cause, settings=settings)
    both = [names["decliner"], names["private"]]
    met = ("decliner", "private", "blocker", "parted blocker", "blocked", "deleted")
    group = f"g.{mark}"
    await server.operate("connection.put", a=sam, b=names["parted blocker"])
    await server.operate(
        "group.put", id=group, name="G", owner=sam, members=[names[one] for one in met]
    )
    async with careful(
        server, sam, names["blocker"], names["parted blocker"], *both, names["refuser"]
    ) as (asker, blocker, parted, decliner, private, refuser):
        said = {"to": names["decliner"], "body": "x", "client_id": mark}
        asked = await asker.call("message.send", **said)
        await decliner.call("request.decline", conversation=asked["conversation"])
        pair = await private.call("message.send", **said)
        await blocker.call("block.add", member=sam)
        await parted.call("block.add", member=sam)
        await asker.call("block.add", member=names["blocked"])
        invited = await asker.call("invitation.send", to=names["refuser"])
        await refuser.call("invitation.refuse", invitation=invited["invitation"])
        await asker.call("invitation.withdraw", invitation=invited["invitation"])
        room = await asker.call(
            "conversation.start", members=[names["decliner"]], group=group, title="Room"
        )
    await server.operate("member.delete", id=names["deleted"])
    await server.operate("group.remove", group=group, member=names["private"])
    places = {"unknown": MADE_UP[:-1] + "-", "made up": MADE_UP, "foreign": pair["conversation"]}
    frames = {
        f"conversation.get: {cause}": _frame("conversation.get", conversation=place)
        for cause, place in places.items()
    }
    names[SOMEBODY_ELSE] = f"somebody-else.{mark}"
    for what, (causes, to) in _asked_of_members(group, room["conversation"]).items():
        for cause in (SOMEBODY_ELSE, *causes):
            frames[f"{what}: {cause}"] = to(names[cause])
    return frames


def _asked_of_members(
    group: str, room: str
) -> dict[str, tuple[tuple[str, ...], Callable[[str], dict[str, Any]]]]:
    """By what it is called: the causes for which it comes to nothing, and the command. `room` is a
    conversation of the group."""

    def one(cmd: str, name: str = "member", **more: Any) -> Callable[[str], dict[str, Any]]:
        return lambda member: _frame(cmd, **{name: member}, **more)

    def several(cmd: str, **more: Any) -> Callable[[str], dict[str, Any]]:
        return lambda member: _frame(cmd, members=[member], **more)

    there = tuple(cause for cause in MEMBERS if cause not in ("private", "decliner"))
    strange = (*there, "private")
    return {
        "message.send": (MEMBERS, send),
        "explain": (there, one("explain", "to")),  # it tells what would open a way to the others
        "invitation.send": ((*there, "refuser"), one("invitation.send", "to")),
        "connection.remove": (there, one("connection.remove")),
        "block.add": (GONE, one("block.add")),
        "block.remove": (GONE, one("block.remove")),
        "conversation.start": (MEMBERS, several("conversation.start")),
        "conversation.start in a group": (strange, several("conversation.start", group=group)),
        "conversation.add": (strange, one("conversation.add", conversation=room)),
        "conversation.remove": (strange, one("conversation.remove", conversation=room)),
        "presence.get": (MEMBERS, several("presence.get")),
    }


def _frame(cmd: str, **params: Any) -> dict[str, Any]:
    return {"cmd": cmd, "params": params}


def send(name: str) -> dict[str, Any]:
    return _frame("message.send", to=name, body="x", max_cost=1, client_id=f"to {name}")


async def ask(sam: CarefulPeer, frame: dict[str, Any]) -> bytes:
    """The answer's bytes."""
    return await sam.raw_answer(msgpack.packb({"id": "same", **frame}), "same")


@contextmanager
def statements() -> Iterator[list[str]]:
    """The texts of all statements that any store is given meanwhile."""
    told: list[str] = []

    def before(_c: Any, _d: Any, statement: str, *_: Any) -> None:
        told.append(statement)

    event.listen(Engine, "before_cursor_execute", before)
    try:
        yield told
    finally:
        event.remove(Engine, "before_cursor_execute", before)
