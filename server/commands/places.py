"""Where a command takes place: a conversation as its caller stands in it, found and authorised.

Every command on a conversation or a message goes through `place`, so that what is unknown,
foreign or lost is refused in one spot, in the same words.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from server.commands.facts import Roster
from server.commands.snapshot import Snapshot
from server.commands.work import Facts, Work
from server.domain import contact, conversations
from server.domain.own_view import Draft, Own, seen_of
from server.domain.rows import Conversation, Member, Message, Pair, Participant
from server.errors import Unreachable

BOTH = ("member:caller", "member:other or conversation")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation as its caller stands in it, found and authorised by `place`."""

    row: Conversation
    mine: Participant
    view: conversations.View
    topics: tuple[int, ...]
    other: Member | None = None  # of a one_to_one
    pair: Pair | None = None
    own: Own | None = None  # its caller's marks, where it was found by `viewed`

    @property
    def of_two(self) -> bool:
        """Whether this is a one_to_one, whose events go to both members' topics."""
        return self.row.kind == conversations.ONE_TO_ONE


def place(me: Member, key: int | None, facts: Facts) -> Place:
    """The conversation of this key, if the caller is or was in it. Raises `Unreachable`."""
    if key is None:
        raise Unreachable
    facts.want((Conversation, key), (Participant, (key, me.key)))
    row = facts.find(Conversation, key)
    mine = facts.find(Participant, (key, me.key))
    if row is None or mine is None:
        raise Unreachable
    view = conversations.view(row, mine)
    if view is None:
        raise Unreachable
    if row.kind != conversations.ONE_TO_ONE:
        return Place(row=row, mine=mine, view=view, topics=(row.topic,))
    pair_of = (row.low, row.high)
    other_key = row.high if me.key == row.low else row.low
    facts.want((Pair, pair_of), (Member, other_key))
    pair = facts.find(Pair, pair_of)
    other = facts.find(Member, other_key)
    assert other is not None
    topics = (me.topic, other.topic)
    return Place(row=row, mine=mine, view=view, topics=topics, other=other, pair=pair)


def viewed(me: Member, key: int | None, facts: Facts) -> Place:
    """The same with the caller's own marks, and without what they have cleared: for whatever
    shows or goes by a message. A send needs none of it. Raises `Unreachable`."""
    where = place(me, key, facts)
    own = facts.find(Own, (where.row.key, me.key))
    return replace(where, view=seen_of(where.view, own), own=own)


def all_at_once(me: Member, keys: Iterable[int], facts: Facts) -> None:
    """Read what `viewed` will ask about these conversations, a statement a kind of row."""
    idents = [(key, me.key) for key in keys]
    facts.want(
        *((Conversation, key) for key, _ in idents),
        *((kind, ident) for ident in idents for kind in (Participant, Own, Draft)),
    )
    rows = [facts.find(Conversation, key) for key, _ in idents]
    pairs = [(row.low, row.high) for row in rows if row is not None and row.low]
    facts.want(*((Pair, pair) for pair in pairs), *((Member, key) for two in pairs for key in two))


def writable(me: Member, where: Place) -> str:
    """The kind that a message from the caller has here now. Raises `Unreachable` if none."""
    if not where.view.current:
        raise Unreachable
    if where.row.kind != conversations.ONE_TO_ONE:
        return "direct"
    way = contact.way(me, where.other, where.pair)
    if way is None:
        raise Unreachable
    return way.kind


def seen_message(me: Member, message_id: str, facts: Facts) -> tuple[Message, Place]:
    """A message that the caller may see, and where it is. Raises `Unreachable`."""
    key = facts.ids.message_key(message_id)
    row = facts.find(Message, key) if key is not None else None
    if row is None:
        raise Unreachable
    where = viewed(me, row.conversation, facts)
    if not where.view.sees_seq(row.seq):
        raise Unreachable
    return row, where


def counted(where: Place, facts: Facts) -> bool:
    """Whether the conversation is so large that reactions are counts."""
    if where.of_two:
        return False
    roster = facts.find(Roster, where.row.key)
    return roster is not None and len(roster.roles) > facts.policy.signals_up_to


def counted_at(conversation: int, pos: int, snapshot: Snapshot) -> bool:
    """Whether it was so large as of a position of its topic."""
    there = [p for p in snapshot.participants(conversation) if conversations.present_at(p, pos)]
    return len(there) > snapshot.policy.signals_up_to


def open_one_to_one(
    me: Member, other: Member, pair: Pair, work: Work
) -> tuple[Conversation, Participant]:
    """Make the pair's one conversation, and both parts in it."""
    row = Conversation(
        work.new_key(), conversations.ONE_TO_ONE, 0, pair.low, pair.high, work.now_ms, me.key,
        active_ms=work.now_ms,
    )  # fmt: skip
    mine = Participant(row.key, me.key, "participant", [])
    work.put(row)
    work.put(mine)
    work.put(Participant(row.key, other.key, "participant", []))
    work.put(replace(pair, conversation=row.key))
    return row, mine
