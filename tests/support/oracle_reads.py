"""What the oracle says that a read must answer now: inbox, one conversation, its history, lists.

To whoever's access has ended everything is as of their last position. Imports nothing from server.
"""

from __future__ import annotations

from typing import Any

from tests.support.oracle_own import marks_of, shows, told
from tests.support.oracle_world import Answer, Map, Message, No, Talk, World, at_moment

PAGE = 200


def read(world: World, me: str, cmd: str, params: Map) -> Answer:
    """A read's answer for a member whose token counts."""
    try:
        return Answer(_READS[cmd](world, me, **params))
    except No as no:
        return Answer({}, no.code)


def _place(world: World, me: str, conversation: str) -> Talk:
    talk = world.talks.get(conversation)
    if talk is None or talk not in world.visible_talks(me):
        raise No("unreachable")
    return talk


def _at(world: World, me: str, talk: Talk | None = None) -> Map:
    at = {f"member:{me}": world.head(f"member:{me}")}
    if talk is not None and not talk.two:
        at[talk.topic] = world.last_pos(me, talk)
    return at


def _visible(world: World, me: str, talk: Talk) -> list[Message]:
    cleared = marks_of(me, talk, world.now).cleared
    return [
        m for m in talk.messages
        if m.now.map["seq"] > cleared and (talk.two or world.sees(me, talk.topic, m.pos))
    ]  # fmt: skip


def _history(
    world: World, me: str, conversation: str, before: int | None = None, after: int | None = None,
    limit: int = 50,
) -> Map:  # fmt: skip
    if before is not None and after is not None:
        raise No("invalid")
    talk = _place(world, me, conversation)
    then = world.as_of(me, talk, world.now)
    found = [world.message_map(m, then) for m in _visible(world, me, talk)]
    if after is not None:
        found = [m for m in found if m["seq"] > after]
        page = found[: min(limit, PAGE)]
    else:
        found = [m for m in found if before is None or m["seq"] < before]
        page = found[-min(limit, PAGE) :]
    return {"messages": page, "more": len(page) < len(found), "at": _at(world, me, talk)}


def _get(world: World, me: str, conversation: str) -> Map:
    talk = _place(world, me, conversation)
    then = world.as_of(me, talk, world.now)
    visible = [world.message_map(m, then) for m in _visible(world, me, talk)]
    read_to = talk.read.get(me, 0)
    unread = [
        m for m in visible
        if m["seq"] > read_to and m["sender"] != me and "deleted_at" not in m
    ]  # fmt: skip
    roster = at_moment(talk.rosters, then)
    out: Map = {
        "id": talk.id,
        "kind": "one_to_one" if talk.two else "several",
        "title": at_moment(talk.titles, then),
        "last": visible[-1] if visible else None,
        "seq": sum(1 for m in talk.messages if m.versions[0].moment <= then),
        "read": read_to,
        "unread": len(unread),
        "state": "open" if me in talk.roster else "closed",
        "at": _at(world, me, talk),
        "participant_count": len(roster),
        "participants": [],
        **told(world, me, talk, world.now),
    }
    if draft := marks_of(me, talk, world.now).draft:
        out["draft"] = draft
    if len(roster) <= world.rules.signals_up_to:
        out["participants"] = [_participant(world, me, talk, one) for one in roster]
    return out


def _participant(world: World, me: str, talk: Talk, other: str) -> Map:
    person = world.people[other]
    entry: Map = {"member": other, "name": person.name, "role": "participant"}
    shown = talk.shown.get(other, 0)
    both = world.people[me].receipts and person.receipts
    open_now = world.way_open(*talk.roster) if talk.two else world.small(talk)
    if shown and both and open_now and me in talk.roster:
        entry["shown"] = shown
    return entry


def _list(world: World, me: str, limit: int = 50, filter: str = "all") -> Map:  # noqa: A002
    talks = world.visible_talks(me)[::-1]  # of those active at one time, the newest first
    talks.sort(key=lambda talk: _active(world, me, talk), reverse=True)
    whole = [
        one for talk in talks
        if shows(world, me, talk, filter, (one := _get(world, me, talk.id))["unread"])
    ]  # fmt: skip
    page = whole[: min(limit, PAGE)]
    return {"conversations": page, "more": len(page) < len(whole), "at": _at(world, me)}


def _search(world: World, me: str, query: str, conversation: str, limit: int = 50) -> Map:
    """In one conversation, whose order is that of its numbers."""
    talk = _place(world, me, conversation)
    then = world.as_of(me, talk, world.now)
    seen = [world.message_map(m, then) for m in _visible(world, me, talk)]
    found = [
        m for m in seen
        if "deleted_at" not in m
        and all(w in f"{m.get('subject', '')}\n{m['body']}".lower() for w in query.lower().split())
    ]  # fmt: skip
    return {"messages": found[::-1][:limit], "at": _at(world, me, talk)}


def _active(world: World, me: str, talk: Talk) -> int:
    return int(at_moment(talk.active, world.as_of(me, talk, world.now)))


def _connections(world: World, me: str) -> Map:
    others = [one for one in world.people if one != me and world.bond(me, one).connected]
    return _members(world, me, others)


def _blocks(world: World, me: str) -> Map:
    others = [one for one in world.people if one != me and me in world.bond(me, one).blockers]
    return _members(world, me, others)


def _members(world: World, me: str, others: list[str]) -> Map:
    found = sorted((world.people[one] for one in others), key=lambda p: (p.name, p.id))
    return {"members": [person.profile() for person in found], "at": _at(world, me)}


def _invitations(world: World, me: str) -> Map:
    found = [
        one.map() for one in world.invitations.values()
        if (one.to == me and one.state == "pending")
        or (one.sender == me and one.state in ("pending", "ignored", "refused"))
    ]  # fmt: skip
    return {"invitations": found, "at": _at(world, me)}


def _explain(world: World, me: str, to: str) -> Map:
    if to == me:
        raise No("invalid")
    if to not in world.people or world.bond(me, to).blockers:
        raise No("unreachable")
    # Everybody here is on the plan basic and in no group: there is no way but the direct one.
    if world.bond(me, to).connected:
        return {"ways": [_way("direct"), *map(_no_way, ("open_profile", "group", "inmail"))]}
    return {
        "ways": [
            _no_way("direct", "connect"), _no_way("open_profile"), _no_way("group"),
            {**_no_way("inmail", "upgrade"), "cost": 1},
        ]
    }  # fmt: skip


def _way(kind: str) -> Map:
    return {"kind": kind, "allowed": True, "cost": 0, "needs": []}


def _no_way(kind: str, *needs: str) -> Map:
    return {**_way(kind), "allowed": False, "needs": list(needs)}


def _settings(world: World, me: str) -> Map:
    return dict(world.people[me].settings[-1][1])


_READS: dict[str, Any] = {
    "conversation.history": _history,
    "conversation.get": _get,
    "conversation.list": _list,
    "message.search": _search,
    "connection.list": _connections,
    "block.list": _blocks,
    "invitation.list": _invitations,
    "explain": _explain,
    "settings.get": _settings,
}
