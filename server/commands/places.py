"""Where a command takes place: a conversation as its caller stands in it, found and authorised.

Every command on a conversation or a message goes through `place`, so that what is unknown,
foreign or lost is refused in one spot, in the same words.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from server.commands.snapshot import Snapshot
from server.commands.work import Facts, Work
from server.domain import contact, conversations
from server.domain.groups import MANAGING
from server.domain.own_view import Draft, Own, seen_of
from server.domain.rows import Conversation, GroupMember, Member, Message, Pair, Participant
from server.errors import Refused, Unreachable

_NOWHERE = 0  # what no conversation or message has: read in place of one that does not exist
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
    key = key or _NOWHERE
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


def writable(me: Member, where: Place, facts: Facts) -> None:
    """Raises `Unreachable` or `Refused` unless the caller may say something here now, beyond a
    first message to somebody, or change what they said."""
    if where.other is None:
        present(where)
        if where.row.group:
            group_writable(me, where, facts)
        return
    now = _standing(me, where)
    if now.waits or (now.answers and contact.is_request(where.pair)):
        raise Refused("request_pending", "This request has no answer yet.")
    if not now.kind:
        raise Unreachable


def reactable(me: Member, where: Place, facts: Facts) -> None:
    """The same for a reaction: in a group's large conversation everybody reacts, few write."""
    if where.other is not None:
        writable(me, where, facts)
        return
    present(where)


def present(where: Place) -> None:
    """Raises `Unreachable` for who is no longer in it, `Refused` for who only views it."""
    if not where.view.current:
        raise Unreachable
    if where.mine.role == conversations.VIEWER:
        raise Refused("viewer", "You can read this conversation, and do nothing more.")


def group_writable(me: Member, where: Place, facts: Facts) -> None:
    """Raises `Refused` where only the group's owner and managers write."""
    large = not conversations.has_signals(where.row.size, facts.policy)
    if large and not manages(me, where.row.group, facts):
        raise Refused("managers_only", "Only the group's owner and managers write here.")


def manages(member: Member, group: int, facts: Facts) -> bool:
    """Whether a member is a group's owner or one of its managers now."""
    part = facts.find(GroupMember, (group, member.key))
    return part is not None and part.role in MANAGING


def _standing(me: Member, where: Place) -> contact.Standing:
    if not contact.visible(where.other, where.pair) or where.other is None:
        raise Unreachable
    return contact.standing(me, where.other, where.pair)


def carries_signals(me: Member, where: Place, facts: Facts) -> bool:
    """Whether receipts and typing pass here at all, whoever has their switch on."""
    if not where.view.current or where.mine.role == conversations.VIEWER:
        return False
    if where.other is not None:
        return contact.signals_pass(me, where.other, where.pair)
    return conversations.has_signals(where.row.size, facts.policy)


def seen_message(me: Member, message_id: str, facts: Facts) -> tuple[Message, Place]:
    """A message that the caller may see, and where it is. Raises `Unreachable`."""
    row = facts.find(Message, facts.ids.message_key(message_id) or _NOWHERE)
    where = viewed(me, row.conversation if row is not None else None, facts)
    if row is None or not where.view.sees_seq(row.seq):
        raise Unreachable
    return row, where


def counted(row: Conversation, facts: Facts) -> bool:
    """Whether the conversation is so large that reactions are counts."""
    return row.size > facts.policy.signals_up_to


def counted_at(conversation: int, pos: int, snapshot: Snapshot) -> bool:
    """Whether it was so large as of a position of its topic."""
    roles = [conversations.role_at(p, pos) for p in snapshot.participants(conversation)]
    return roles.count(conversations.PARTICIPANT) > snapshot.policy.signals_up_to


def open_one_to_one(
    me: Member, other: Member, pair: Pair, work: Work
) -> tuple[Conversation, Participant, Pair]:
    """Make the pair's one conversation, and both parts in it."""
    row = Conversation(
        work.new_key(), conversations.ONE_TO_ONE, 0, pair.low, pair.high, work.now_ms, me.key,
        active_ms=work.now_ms,
    )  # fmt: skip
    mine = Participant(row.key, me.key, conversations.PARTICIPANT, [])
    work.put(row)
    work.put(mine)
    work.put(Participant(row.key, other.key, conversations.PARTICIPANT, []))
    pair = replace(pair, conversation=row.key)
    work.put(pair)
    return row, mine, pair
