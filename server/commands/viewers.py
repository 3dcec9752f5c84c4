"""Mentions, and the viewers that they make in a group's conversation.

rules: a group member who is mentioned beyond the participants reads from that message on and does
nothing more; every participant sees that they can. Mentions of anybody else are ignored silently.
"""

from __future__ import annotations

from msgspec.structs import replace

from server.commands import access
from server.commands.facts import FenceHead, Handle, Memberships, Viewers
from server.commands.group_talk import belongs
from server.commands.places import Place
from server.commands.roster_changes import change_roster, tell_joined
from server.commands.work import Work
from server.domain import conversations, relations
from server.domain.rows import (
    Conversation,
    GroupMember,
    Member,
    Pair,
    Participant,
    Topic,
)


def mentioned(
    me: Member, mentions: tuple[str, ...], where: Place, work: Work
) -> tuple[list[int], Conversation]:
    """Those of the mentioned who are here, or thereby become viewers; and the conversation then."""
    work.want(*((Handle, member) for member in mentions))
    named = [row for m in dict.fromkeys(mentions) if (row := access.named(m, work)) is not None]
    if where.of_two:
        return [m.key for m in named if m.key in (where.row.low, where.row.high)], where.row
    key = where.row.key
    work.want(*((Participant, (key, member.key)) for member in named))
    parts = {member.key: work.find(Participant, (key, member.key)) for member in named}
    here = {member for member, part in parts.items() if part is not None and part.role}
    into = where.row
    if where.row.group:
        new = _viewers_to_be(me, [m for m in named if m.key not in here], where.row, work)
        into = _admit(new, where.row, work) if new else where.row
        here |= {member.key for member in new}
    return [member.key for member in named if member.key in here], into


def _viewers_to_be(me: Member, others: list[Member], row: Conversation, work: Work) -> list[Member]:
    """Those of these that a mention may show the conversation to, as far as there is room."""
    work.want(
        *((Topic, member.topic) for member in others),
        *((GroupMember, (row.group, member.key)) for member in others),
        *((Pair, relations.ident(me.key, member.key)) for member in others),
    )
    found = [member for member in others if belongs(me, member, row.group, work)]
    return found[: max(0, work.policy.viewers_per_conversation - row.viewers)]


def _admit(members: list[Member], row: Conversation, work: Work) -> Conversation:
    work.want(
        (FenceHead, 0),
        *((Participant, (row.key, member.key)) for member in members),
        *((Memberships, member.key) for member in members),
    )
    row = replace(row, rev=row.rev + 1, viewers=row.viewers + len(members))
    changes = [[member.key, "added", conversations.VIEWER] for member in members]
    pos = change_roster(row, changes, (), work)
    for member in members:
        before = work.find(Participant, (row.key, member.key))
        work.put(
            conversations.join(row, pos, member.key, before, conversations.VIEWER, whole=False)
        )
        tell_joined(row, pos, member, work)
    return row


def names(where: Place, work: Work) -> tuple[str, ...]:
    """All viewers by id: a signal is for none of them."""
    keys = work.need(Viewers, where.row.key).members if where.row.viewers else []
    work.glance(*((Member, key) for key in keys))
    return tuple(work.seen(Member, key).id for key in keys)
