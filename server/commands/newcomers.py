"""From whom the changes of an earlier message are kept: viewers, and those who see a conversation
from their joining on."""

from __future__ import annotations

from server.commands.facts import Newcomers, Viewers
from server.commands.work import Work
from server.domain import conversations
from server.domain.rows import Conversation, Member, Message, Participant


def before_whom(where: Conversation, message: Message, work: Work) -> tuple[Member, ...]:
    """Those here to whom this message is from before their present stay: its changes are not
    theirs to see."""
    keys = work.need(Viewers, where.key).members if where.viewers else []
    if where.rev:  # else nobody has come since it began
        keys = [*keys, *work.need(Newcomers, where.key).members]
    work.want(*((Participant, (where.key, key)) for key in keys))
    apart = []
    for key in keys:
        view = conversations.view(where, work.find(Participant, (where.key, key)))
        if view is None or not view.sees_seq(message.seq) or view.moment_of(message.seq) >= 0:
            apart.append(key)
    work.glance(*((Member, key) for key in apart))
    return tuple(work.seen(Member, key) for key in apart)
