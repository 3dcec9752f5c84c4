"""What the oracle says that a read must answer now: inbox, one conversation, its history, lists.

To whoever's access has ended everything is as of their last position. Imports nothing from server.
"""

from __future__ import annotations

from typing import Any

from tests.support.oracle_credits import ledger
from tests.support.oracle_own import marks_of, shows, told
from tests.support.oracle_things import Answer, Map, Message, No, Talk, at_moment
from tests.support.oracle_ways import anew, standing
from tests.support.oracle_world import World

PAGE = 200
KINDS = ("direct", "open_profile", "group", "inmail")


def read(world: World, me: str, cmd: str, params: Map) -> Answer:
    """A read's answer for a member whose token counts."""
    try:
        return Answer(_READS[cmd](world, me, **params))
    except No as no:
        return Answer(no.more, no.code)


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


def _shown(world: World, me: str, talk: Talk) -> list[Map]:
    """What they see of a conversation's messages: each as of the last moment that is theirs."""
    return [
        world.message_map(m, world.moment_of(me, talk, m.pos, world.now))
        for m in _visible(world, me, talk)
    ]


def _history(
    world: World, me: str, conversation: str, before: int | None = None, after: int | None = None,
    limit: int = 50,
) -> Map:  # fmt: skip
    if before is not None and after is not None:
        raise No("invalid")
    talk = _place(world, me, conversation)
    found = _shown(world, me, talk)
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
    visible = _shown(world, me, talk)
    read_to = talk.read.get(me, 0)
    unread = [
        m for m in visible
        if m["seq"] > read_to and m["sender"] != me and "deleted_at" not in m
    ]  # fmt: skip
    roster, viewers = at_moment(talk.rosters, then), at_moment(talk.watchers, then)
    out: Map = {
        "id": talk.id,
        "kind": talk.kind,
        "title": at_moment(talk.titles, then),
        "last": visible[-1] if visible else None,
        "seq": sum(1 for m in talk.messages if m.versions[0].moment <= then),
        "read": read_to,
        "unread": len(unread),
        "state": _state(world, me, talk),
        "at": _at(world, me, talk),
        "participant_count": len(roster),
        "participants": [],
        **told(world, me, talk, world.now),
    }
    if draft := marks_of(me, talk, world.now).draft:
        out["draft"] = draft
    if len(roster) <= world.rules.signals_up_to:
        out["participants"] = [
            *(_participant(world, me, talk, one) for one in roster),
            *({**_participant(world, me, talk, one), "role": "viewer"} for one in viewers),
        ]
    return out


def _state(world: World, me: str, talk: Talk) -> str:
    """A block never shows by it."""
    if not talk.two:
        return "open" if me in talk.present else "closed"
    bond = world.bond(*talk.roster)
    if bond.approach is None or bond.connected:
        return "open"
    if bond.approach.request:
        return "request"
    return "closed" if bond.approach.stage == "closed" else "open"


def _participant(world: World, me: str, talk: Talk, other: str) -> Map:
    person = world.people[other]
    here = me in talk.present  # who is out is not told who leads the group
    leads = talk.group and here and world.groups[talk.group].leads(other)
    entry: Map = {
        "member": other, "name": person.name, "role": "manager" if leads else "participant",
    }  # fmt: skip
    shown = talk.shown.get(other, 0)
    both = world.people[me].receipts and person.receipts
    open_now = world.carries(*talk.roster) if talk.two else world.small(talk)
    if (
        shown and both and open_now and me in talk.roster
        and world.follows(me, talk.messages[shown - 1])
    ):  # fmt: skip
        entry["shown"] = shown
    return entry


def _list(world: World, me: str, limit: int = 50, filter: str = "all") -> Map:  # noqa: A002
    talks = world.visible_talks(me)[::-1]  # of those active at one time, the newest first
    talks.sort(key=lambda talk: _active(world, me, talk), reverse=True)
    if filter == "requests":
        talks = [talk for talk in talks if talk.two and _asked(world, me, talk)]
    whole = [
        one for talk in talks
        if shows(world, me, talk, filter, (one := _get(world, me, talk.id))["unread"])
    ]  # fmt: skip
    page = whole[: min(limit, PAGE)]
    return {"conversations": page, "more": len(page) < len(whole), "at": _at(world, me)}


def _search(world: World, me: str, query: str, conversation: str, limit: int = 50) -> Map:
    """In one conversation, whose order is that of its numbers."""
    talk = _place(world, me, conversation)
    seen = _shown(world, me, talk)
    found = [
        m for m in seen
        if "deleted_at" not in m
        and all(w in f"{m.get('subject', '')}\n{m['body']}".lower() for w in query.lower().split())
    ]  # fmt: skip
    return {"messages": found[::-1][:limit], "at": _at(world, me, talk)}


def _asked(world: World, me: str, talk: Talk) -> bool:
    """Whether a request in it waits for this member's answer."""
    bond = world.bond(*talk.roster)
    met = bond.approach
    return met is not None and met.request and met.sender != me and not bond.connected


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
        or (one.sender == me and one.state not in ("accepted", "withdrawn"))
    ]  # fmt: skip
    return {"invitations": found, "at": _at(world, me)}


def _explain(world: World, me: str, to: str) -> Map:
    if to == me:
        raise No("invalid")
    if to not in world.people or world.bond(me, to).blockers:
        raise No("unreachable")
    now = standing(world, me, to)
    if now.kind or now.waits:
        ways = {kind: Map(allowed=kind == now.kind, cost=0, needs=[]) for kind in KINDS}
        if now.waits:
            for kind in KINDS[1:]:
                ways[kind]["needs"] = ["wait"]
    else:
        found = anew(world, me, to)
        ways = {
            kind: Map(allowed=now.anew and found.ways.get(kind, False), cost=0, needs=[])
            for kind in KINDS
        }
        # Who declined is told of like a stranger who takes nothing.
        if now.anew and found.fellows and not found.left:
            ways["group"]["needs"] = ["wait"]
        ways["inmail"]["cost"] = world.rules.cost
        if not found.paying:
            ways["inmail"]["needs"] = ["upgrade"]
        elif found.balance < world.rules.cost:
            ways["inmail"]["needs"] = ["buy credits"]
    if now.kind != "direct":
        ways["direct"]["needs"] = ["connect"]
    return {"ways": [{"kind": kind, **way} for kind, way in ways.items()]}


def _credits(world: World, me: str) -> Map:
    lines = ledger(world.people[me].deeds, world.ms, world.rules)
    entries = [line.map() for line in lines[::-1]]
    return {"balance": world.balance(me), "entries": entries, "more": False, "at": _at(world, me)}


def _groups(world: World, me: str) -> Map:
    mine = [group for group in world.groups.values() if me in group.roles]
    listed = [
        {"group": group.id, "name": group.name, "role": group.roles[me],
         "size": len(group.roles)}
        for group in sorted(mine, key=lambda group: (group.name, group.id))
    ]  # fmt: skip
    return {"groups": listed, "at": _at(world, me)}


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
    "credits.get": _credits,
    "group.list": _groups,
}
