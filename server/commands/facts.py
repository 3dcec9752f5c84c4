"""What decisions know: rows by identity, and the few indexes over them.

`World` holds the facts that have been read so far, in memory, between the store and the
decisions; `Missing` is how a decision asks for more. A batch decides its commands in order, each
on the world that the one before it left, so a fact is read once and set-based for all of them.
The store owns a world, loads what is missing, and writes what was put. No I/O here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from server.domain.conversations import VIEWER
from server.domain.own_view import Draft, Own
from server.domain.reports import Report
from server.domain.rights import Audit, Departed, Erasure, Expiry, Hold, LastSeen
from server.domain.rows import (
    Admission,
    Creation,
    Credit,
    DeviceToken,
    Entry,
    Fence,
    Group,
    GroupMember,
    LiveSession,
    Member,
    Message,
    Pair,
    Participant,
    Reaction,
    Refusal,
    Revision,
    Row,
    Tally,
    Wallet,
)

R = TypeVar("R", bound=Row)
Ident = Any
Want = tuple[type[Row], Ident]


class Handle(Row, frozen=True):
    """Index: the member who bears an id (0: nobody ever did)."""

    identity = ("id",)
    id: str
    member: int


class Named(Row, frozen=True):
    """Index: the topic of a name (0: there never was one)."""

    identity = ("name",)
    name: str
    topic: int


class Viewers(Row, frozen=True):
    """Index: the present viewers of a conversation, in order of key."""

    identity = ("conversation",)
    conversation: int
    members: list[int]


class Newcomers(Row, frozen=True):
    """Index: the present participants of a conversation who see it from some position on."""

    identity = ("conversation",)
    conversation: int
    members: list[int]


class Memberships(Row, frozen=True):
    """Index: the conversations of more than two that a member is in now, in order of key."""

    identity = ("member",)
    member: int
    conversations: list[int]


class Reactions(Row, frozen=True):
    """Index: all reactions a message ever had, in order of revision."""

    identity = ("message",)
    message: int
    reactions: list[Reaction]


class Devices(Row, frozen=True):
    """Index: the jti of tokens that one device of a member has connected with: jti → expiry."""

    identity = ("member", "device")
    member: int
    device: str
    jtis: dict[str, int]


class Tokens(Row, frozen=True):
    """Index: the jti of every token that a member has connected with: jti → expiry."""

    identity = ("member",)
    member: int
    jtis: dict[str, int]


class Sessions(Row, frozen=True):
    """Index: the sessions of a member on all nodes, where there are several."""

    identity = ("member",)
    member: int
    sessions: list[LiveSession]


class GroupNamed(Row, frozen=True):
    """Index: the group of an id (0: there never was one)."""

    identity = ("id",)
    id: str
    group: int


class GroupsOf(Row, frozen=True):
    """Index: the groups that a member is in now, role by group key."""

    identity = ("member",)
    member: int
    roles: dict[int, str]


class Lots(Row, frozen=True):
    """Index: the entries of a member's ledger that have credits left."""

    identity = ("member",)
    member: int
    lots: list[Credit]


class Connections(Row, frozen=True):
    """Index: how many connections a member has."""

    identity = ("member",)
    member: int
    count: int


class Newest(Row, frozen=True):
    """Index: the last `count` messages of a conversation up to a seq, by key, the newest first."""

    identity = ("conversation", "until", "count")
    conversation: int
    until: int
    count: int
    messages: list[int]


class Texts(Row, frozen=True):
    """Index: the changes of a message's text until it was at `rev`, ascending."""

    identity = ("message", "rev")
    message: int
    rev: int
    changes: list[Revision]


class OpenReports(Row, frozen=True):
    """Index: the reports of one member that no operator has closed."""

    identity = ("reporter",)
    reporter: int
    reports: list[Report]


class FenceHead(Row, frozen=True):
    """Index: the position of the last fence, under identity 0."""

    identity = ("zero",)
    zero: int
    seq: int


class Held(Row, frozen=True):
    """Index: whether a hold covers a "conversation" or a "member" (see `commands.holds`), or
    "anything" that a member had a part in."""

    identity = ("what", "key")
    what: str
    key: int
    held: bool


class Passed(Row, frozen=True):
    """Index: the last fence that every node has applied, under identity 0."""

    identity = ("zero",)
    zero: int
    seq: int


_PASSING = (Entry, Message, Revision, Creation, Reaction, Reactions, DeviceToken, Refusal, Fence,
            LiveSession, Sessions, Tokens, Credit, Lots, Tally, Admission, Connections, Newest,
            Texts, OpenReports, Report, Own, Draft, Wallet, GroupMember, Audit, Departed, Erasure,
            Expiry, Hold, Held, LastSeen, Passed)  # fmt: skip


class Missing(Exception):
    """A decision needs these facts first; it is run again when they are there."""

    def __init__(self, wants: list[Want]) -> None:
        super().__init__("facts to read first")
        self.wants = wants


class World:
    """Facts by type and identity. None is a fact too: there is no such row.

    Kept across batches only where this process is the store's one writer; a failed write must
    `forget` everything. What is written once and seldom read again is forgotten after its batch;
    of the rest, everything is beyond `limit` facts.
    """

    def __init__(self, limit: int = 100_000) -> None:
        self._limit = limit
        self.known: dict[type[Row], dict[Ident, Row | None]] = {}

    def of(self, kind: type[R]) -> dict[Ident, R | None]:
        """All known facts of one type."""
        found = self.known.get(kind)
        if found is None:
            found = self.known[kind] = {}
        return found  # type: ignore[return-value]

    def learn(self, kind: type[Row], ident: Ident, row: Row | None) -> None:
        """A fact as the store has it."""
        self.of(kind)[ident] = row

    def forget(self) -> None:
        """Everything is to be read anew."""
        self.known.clear()

    def trim(self) -> None:
        """Between batches: keep what the next will need, within the bound."""
        for kind in _PASSING:
            self.known.pop(kind, None)
        if sum(map(len, self.known.values())) > self._limit:
            self.forget()

    def apply(self, row: Row) -> None:
        """A decision's new version of a row: later decisions see it, and so do the indexes."""
        kind, ident = type(row), row.ident
        facts = self.of(kind)
        before = facts.get(ident)
        facts[ident] = row
        follow = self._indexed.get(kind)
        if follow is not None:
            follow(self, row, before)

    def _named(self, row: Member, _: Member | None) -> None:
        self.learn(Handle, row.id, Handle(row.id, row.key))

    def _group_named(self, row: Group, _: Group | None) -> None:
        self.learn(GroupNamed, row.id, GroupNamed(row.id, row.key))

    def _covered(self, _: Hold, __: Hold | None) -> None:
        self.known.pop(Held, None)

    def _joined_or_left(self, row: Participant, _: Participant | None) -> None:
        viewers = self.of(Viewers).get(row.conversation)
        if viewers is not None:
            now = _with(viewers.members, row.member, belongs=row.role == VIEWER)
            self.learn(Viewers, row.conversation, Viewers(row.conversation, now))
        late = self.of(Newcomers).get(row.conversation)
        if late is not None:
            now = _with(late.members, row.member, belongs=row.since_pos > 0)
            self.learn(Newcomers, row.conversation, Newcomers(row.conversation, now))
        mine = self.of(Memberships).get(row.member)
        if mine is not None and row.spans:
            places = _with(mine.conversations, row.conversation, belongs=bool(row.role))
            self.learn(Memberships, row.member, Memberships(row.member, places))

    def _connected(self, row: Pair, before: Pair | None) -> None:
        was = before is not None and before.connected_ms > 0
        change = (row.connected_ms > 0) - was
        counts = self.of(Connections)
        for member in (row.low, row.high) if change else ():
            known = counts.get(member)
            if known is not None:
                self.learn(Connections, member, Connections(member, known.count + change))

    def _grouped(self, row: GroupMember, _: GroupMember | None) -> None:
        known = self.of(GroupsOf).get(row.member)
        if known is not None:
            roles = {key: role for key, role in known.roles.items() if key != row.group}
            if row.role:
                roles[row.group] = row.role
            self.learn(GroupsOf, row.member, GroupsOf(row.member, roles))

    def _opened(self, row: LiveSession, _: LiveSession | None) -> None:
        known = self.of(Sessions).get(row.member)
        if known is not None:
            others = [other for other in known.sessions if other.id != row.id]
            self.learn(Sessions, row.member, Sessions(row.member, [*others, row]))

    def _reacted(self, row: Reaction, before: Reaction | None) -> None:
        known = self.of(Reactions).get(row.message)
        if known is not None:
            kept = [r for r in known.reactions if r is not before and r.ident != row.ident]
            self.learn(Reactions, row.message, Reactions(row.message, [*kept, row]))

    # How the indexes over a kind go on when one of its rows changes: with its new version and the
    # one before, where that is known.
    _indexed: ClassVar[dict[type[Row], Callable[[World, Any, Any], None]]] = {
        Member: _named,
        Participant: _joined_or_left,
        Reaction: _reacted,
        LiveSession: _opened,
        Pair: _connected,
        GroupMember: _grouped,
        Group: _group_named,
        Hold: _covered,
    }


def _with(keys: list[int], key: int, *, belongs: bool) -> list[int]:
    """These in order, with this one or without it."""
    others = [one for one in keys if one != key]
    return sorted([*others, key]) if belongs else others
