"""Loads what decisions ask for into a `World`: one statement for all facts of a kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from server.commands.facts import (
    Connections,
    Devices,
    FenceHead,
    GroupNamed,
    GroupsOf,
    Handle,
    Held,
    Ident,
    Lots,
    Memberships,
    Named,
    Newcomers,
    Passed,
    Reactions,
    Sessions,
    Tokens,
    Viewers,
    Want,
    World,
)
from server.domain.conversations import VIEWER
from server.domain.rows import (
    Credit,
    DeviceToken,
    Group,
    GroupMember,
    LiveSession,
    Member,
    Reaction,
    Row,
    Topic,
)
from server.store import reports, rights, tables
from server.store.lookups import Lookup, look_up
from server.store.rows import among, fetch


def load(connection: Connection, wants: Iterable[Want], world: World) -> None:
    """Learn these facts, absent ones included. What is known already is left as it is."""
    by_kind: dict[type[Row], dict[Ident, None]] = {}
    for kind, ident in wants:
        if ident not in world.of(kind):
            by_kind.setdefault(kind, {})[ident] = None
    indexed = [kind for kind in by_kind if kind in _INDEXES]
    kinds = [kind for kind in by_kind if kind not in _INDEXES]
    found = look_up(connection, [_lookup(kind, list(by_kind[kind])) for kind in kinds])
    for kind, rows in zip(kinds, found, strict=True):
        learn = _learn_named if kind in _NAMED else _learn
        learn(kind, by_kind[kind], rows, world)
    for kind in indexed:
        _INDEXES[kind](connection, list(by_kind[kind]), world)


# Indexes that name one row each: whose, by which column, and what they say of it.
_NAMED: dict[type[Row], tuple[type[Row], str]] = {
    Handle: (Member, "id"),
    Named: (Topic, "name"),
    GroupNamed: (Group, "id"),
}


def _lookup(kind: type[Row], idents: list[Ident]) -> Lookup:
    if kind in _NAMED:
        of, name = _NAMED[kind]
        return Lookup(of, (name,), idents)
    return Lookup(kind, kind.identity, idents)


def _learn(kind: type[Row], idents: Iterable[Ident], rows: Iterable[Row], world: World) -> None:
    found = {row.ident: row for row in rows}
    for ident in idents:
        world.learn(kind, ident, found.get(ident))


def _learn_named(
    kind: type[Row], idents: Iterable[Ident], rows: Iterable[Row], world: World
) -> None:
    of, name = _NAMED[kind]
    found = {getattr(row, name): row for row in rows}
    for ident in idents:
        row = found.get(ident)
        world.learn(kind, ident, kind(ident, row.ident if row is not None else 0))
        # A topic's row is to be wanted by itself: that is what claims the topic.
        if row is not None and of is not Topic and row.ident not in world.of(of):
            world.learn(of, row.ident, row)


def _viewers(connection: Connection, idents: list[Any], world: World) -> None:
    for ident, members in _parts(connection, idents, tables.participant.c.role == VIEWER):
        world.learn(Viewers, ident, Viewers(ident, members))


def _newcomers(connection: Connection, idents: list[Any], world: World) -> None:
    for ident, members in _parts(connection, idents, tables.participant.c.since_pos > 0):
        world.learn(Newcomers, ident, Newcomers(ident, members))


def _parts(
    connection: Connection, idents: list[Any], which: ColumnElement[bool]
) -> Iterable[tuple[int, list[int]]]:
    """Of each of these conversations those who have such a part in it, in order of key."""
    part = tables.participant.c
    found = connection.execute(
        select(part.conversation, part.member)
        .where(among(connection, part.conversation, idents), which)
        .order_by(part.member)
    )
    lists: dict[int, list[int]] = {ident: [] for ident in idents}
    for key, member in found:
        lists[key].append(member)
    return lists.items()


def _memberships(connection: Connection, idents: list[Any], world: World) -> None:
    part, conversation = tables.participant, tables.conversation
    found = connection.execute(
        select(part.c.member, part.c.conversation)
        .join(conversation, conversation.c.key == part.c.conversation)
        .where(
            among(connection, part.c.member, idents), part.c.role != "", conversation.c.topic != 0
        )
        .order_by(part.c.conversation)
    )
    lists: dict[int, list[int]] = {ident: [] for ident in idents}
    for member, key in found:
        lists[member].append(key)
    for ident, keys in lists.items():
        world.learn(Memberships, ident, Memberships(ident, keys))


def _reactions(connection: Connection, idents: list[Any], world: World) -> None:
    lists: dict[int, list[Reaction]] = {ident: [] for ident in idents}
    for row in fetch(connection, Reaction, among(connection, tables.reaction.c.message, idents)):
        lists[row.message].append(row)
    for ident, rows in lists.items():
        rows.sort(key=lambda row: row.added_rev)
        world.learn(Reactions, ident, Reactions(ident, rows))


def _devices(connection: Connection, idents: list[Any], world: World) -> None:
    token = tables.device_token
    members = {member for member, _ in idents}
    lists: dict[Any, dict[str, int]] = {ident: {} for ident in idents}
    devices = {device for _, device in idents}
    rows = fetch(
        connection,
        DeviceToken,
        among(connection, token.c.member, members),
        among(connection, token.c.device, devices),
    )
    for row in rows:
        if (row.member, row.device) in lists:
            lists[row.member, row.device][row.jti] = row.expires_ms
    for ident, jtis in lists.items():
        member, device = ident
        world.learn(Devices, ident, Devices(member, device, jtis))


def _tokens(connection: Connection, idents: list[Any], world: World) -> None:
    token = tables.device_token
    lists: dict[int, dict[str, int]] = {ident: {} for ident in idents}
    for row in fetch(connection, DeviceToken, among(connection, token.c.member, idents)):
        lists[row.member][row.jti] = row.expires_ms
    for ident, jtis in lists.items():
        world.learn(Tokens, ident, Tokens(ident, jtis))


def _sessions(connection: Connection, idents: list[Any], world: World) -> None:
    session = tables.live_session
    lists: dict[int, list[LiveSession]] = {ident: [] for ident in idents}
    for row in fetch(connection, LiveSession, among(connection, session.c.member, idents)):
        lists[row.member].append(row)
    for ident, rows in lists.items():
        world.learn(Sessions, ident, Sessions(ident, rows))


def _groups_of(connection: Connection, idents: list[Any], world: World) -> None:
    part = tables.group_member
    roles: dict[int, dict[int, str]] = {ident: {} for ident in idents}
    for row in fetch(
        connection, GroupMember, among(connection, part.c.member, idents), part.c.role != ""
    ):
        roles[row.member][row.group] = row.role
    for ident, mine in roles.items():
        world.learn(GroupsOf, ident, GroupsOf(ident, mine))


def _lots(connection: Connection, idents: list[Any], world: World) -> None:
    credit = tables.credit
    lists: dict[int, list[Credit]] = {ident: [] for ident in idents}
    for row in fetch(
        connection, Credit, among(connection, credit.c.member, idents), credit.c.left > 0
    ):
        lists[row.member].append(row)
    for ident, rows in lists.items():
        world.learn(Lots, ident, Lots(ident, rows))


def _connections(connection: Connection, idents: list[Any], world: World) -> None:
    pair = tables.pair
    counts = dict.fromkeys(idents, 0)
    for side in (pair.c.low, pair.c.high):
        found = connection.execute(
            select(side, func.count())
            .where(among(connection, side, idents), pair.c.connected_ms > 0)
            .group_by(side)
        )
        for ident, count in found:
            counts[ident] += count
    for ident, count in counts.items():
        world.learn(Connections, ident, Connections(ident, count))


def _fence_head(connection: Connection, idents: list[Any], world: World) -> None:
    seq = connection.scalar(select(func.max(tables.fence.c.seq))) or 0
    world.learn(FenceHead, 0, FenceHead(0, seq))


_INDEXES: dict[type[Row], Callable[[Connection, list[Any], World], None]] = {
    Viewers: _viewers,
    Newcomers: _newcomers,
    Memberships: _memberships,
    Reactions: _reactions,
    Devices: _devices,
    FenceHead: _fence_head,
    Sessions: _sessions,
    Tokens: _tokens,
    GroupsOf: _groups_of,
    Lots: _lots,
    Connections: _connections,
    **reports.INDEXES,
    Held: rights.learn_held,
    Passed: rights.learn_passed,
}
