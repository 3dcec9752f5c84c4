"""Who cannot be reached, for every cause there is: what is asked of them, and what it costs.

`timing` and `test_alike` both ask for the same things; a cause that one of them could tell from
another would tell a stranger of a block, of a deletion, or of a setting.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgpack
from sqlalchemy import Engine, event

from tests.support.careful_peer import CarefulPeer, careful
from tests.support.running import Running

MEMBERS = ("unknown", "blocker", "parted blocker", "blocked", "deleted", "private", "decliner")
"""Causes for which a member cannot be reached."""

MADE_UP = "A" * 22
PLANS = ("basic", "career")


Frames = dict[str, dict[str, Any]]
"""Commands by what is asked and why it cannot be reached."""


async def strangers(server: Running, mark: str) -> Frames:
    """Sam, of this plan, and members and conversations out of reach; answers what to ask."""
    plan = mark.split("-")[0]
    sam = f"sam.{mark}"
    names = {cause: f"{cause.replace(' ', '-')}.{mark}" for cause in MEMBERS}
    await server.operate("member.put", id=sam, name="Sam", plan=plan)
    for cause, name in names.items():
        if cause != "unknown":
            settings = {"inmail": False}
            await server.operate("member.put", id=name, name=cause, settings=settings)
    both = [names["decliner"], names["private"]]
    await server.operate("connection.put", a=sam, b=names["parted blocker"])
    await server.operate("group.put", id=f"g.{mark}", name="G", owner=sam, members=both)
    async with careful(
        server, sam, names["blocker"], names["parted blocker"], *both
    ) as (asker, blocker, parted, decliner, private):  # fmt: skip
        said = {"to": names["decliner"], "body": "x", "client_id": mark}
        asked = await asker.call("message.send", **said)
        await decliner.call("request.decline", conversation=asked["conversation"])
        pair = await private.call("message.send", **said)
        await blocker.call("block.add", member=sam)
        await parted.call("block.add", member=sam)
        await asker.call("block.add", member=names["blocked"])
    await server.operate("member.delete", id=names["deleted"])
    await server.operate("group.remove", group=f"g.{mark}", member=names["private"])
    places = {"unknown": MADE_UP[:-1] + "-", "made up": MADE_UP, "foreign": pair["conversation"]}
    return {
        **{f"message.send: {cause}": send(name) for cause, name in names.items()},
        **{f"explain: {cause}": _frame("explain", to=name) for cause, name in names.items()},
        **{f"conversation.get: {cause}": _frame("conversation.get", conversation=place)
           for cause, place in places.items()},
    }  # fmt: skip


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
