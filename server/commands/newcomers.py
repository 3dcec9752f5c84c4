"""From whom what is said of an earlier message is kept: viewers, and participants who see a
conversation from their joining on."""

from __future__ import annotations

from server.commands.facts import Newcomers, Viewers
from server.commands.work import Work
from server.domain import conversations
from server.domain.rows import Conversation, Member, Participant


def before_whom(where: Conversation, seq: int, work: Work) -> tuple[Member, ...]:
    """Those here to whom the message with this number is from before their present stay: its
    changes are not theirs to see."""
    viewing = work.need(Viewers, where.key).members if where.viewers else []
    return (*_of(viewing, where, seq, work), *late(where, seq, work))


def late(where: Conversation, seq: int, work: Work) -> tuple[Member, ...]:
    """The participants among them."""
    joined = work.need(Newcomers, where.key).members if where.newcomers else []
    return _of(joined, where, seq, work)


def _of(keys: list[int], where: Conversation, seq: int, work: Work) -> tuple[Member, ...]:
    work.want(*((Participant, (where.key, key)) for key in keys))
    apart = []
    for key in keys:
        view = conversations.view(where, work.find(Participant, (where.key, key)))
        if view is None or not view.follows(seq):
            apart.append(key)
    work.glance(*((Member, key) for key in apart))
    return tuple(work.seen(Member, key) for key in apart)
