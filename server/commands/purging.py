"""Removing what messages say, for good: by their age, or because their sender is erased.

A message's row stays, as a tombstone without anything that somebody wrote: so the numbers of a
conversation stay dense, and replays, `last`, unread counts and repeats go on as before. Earlier
texts and reactions go. Whoever left the conversation before sees the tombstone as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from server.commands import newcomers, views
from server.commands.command import Command, Params
from server.commands.holds import is_held
from server.commands.places import counted
from server.commands.results import Done
from server.commands.work import Work
from server.domain import rights
from server.domain.rights import Expiry
from server.domain.rows import Conversation, Creation, Member, Message, Reaction, Revision, Topic

Map = dict[str, Any]


def topics_of(row: Message, work: Work) -> list[int]:
    """The topics that a message's events go to: of those who are still there."""
    where = work.need(Conversation, row.conversation)
    if where.topic:
        return [where.topic]
    both = [work.need(Member, key) for key in (where.low, where.high)]
    return [member.topic for member in both if member.alive]


def tell(name: str, row: Message, work: Work, reacted: Iterable[Reaction] = ()) -> None:
    """Tell of a message as it is now, with these reactions, whoever may see it. It was gathered."""
    where = work.need(Conversation, row.conversation)
    data = views.message(row, work, reacted, counted=counted(where, work))
    apart = newcomers.before_whom(where, row.seq, work)
    for topic in topics_of(row, work):
        work.emit(topic, name, data, conversation=where.key, message=row.key, apart=apart)


def next_pos(row: Message, work: Work) -> int:
    """Where the next event of a message comes in its conversation's own log; 0 without one."""
    where = work.need(Conversation, row.conversation)
    return work.need(Topic, where.topic).head + 1 if where.topic else 0


def gather(keys: list[int], work: Work) -> list[Message]:
    """These messages, with the topics of their events claimed."""
    work.want(*((Message, key) for key in keys))
    found = [row for key in keys if (row := work.find(Message, key)) is not None]
    places = {row.conversation for row in found}
    work.want(*((Conversation, key) for key in places))
    of_two = [one for key in places if not (one := work.need(Conversation, key)).topic]
    work.want(*((Member, key) for one in of_two for key in (one.low, one.high)))
    work.want(*((Topic, topic) for row in found for topic in topics_of(row, work)))
    return found


def purge(found: list[Message], work: Work) -> None:
    """Remove what these messages say, and tell whoever may see them. They were gathered."""
    found = [row for row in found if not rights.is_empty(row)]
    if not found:
        return
    work.want(*((Member, row.sender) for row in found))
    keys = [row.key for row in found]
    work.drop(Revision, message=keys)
    work.drop(Reaction, message=keys)
    for row in found:
        bare = rights.emptied(row, work.now_ms)
        work.put(bare)
        # At no position: to nobody is it as it was before.
        work.put(Revision(bare.key, bare.rev, 0))
        if not row.deleted_at:
            tell("message.deleted", bare, work)


class Expire(Params, frozen=True):
    """message.expire: a step of retention, `keys` the messages up to number `until`."""

    conversation: int
    keys: list[int]
    until: int


def expire(operator: None, p: Expire, work: Work) -> Map:
    """Remove messages of one conversation that are older than they are kept."""
    before_ms = rights.expired_before_ms(work.policy, work.now_ms)
    if is_held("conversation", p.conversation, work):
        return {"held": True}
    found = [row for row in gather(p.keys, work) if row.sent_at < before_ms]
    senders = {row.sender for row in found}
    work.want(*((Member, key) for key in senders))
    work.want(*((Topic, work.need(Member, key).topic) for key in senders))
    made = [(row.sender, row.client_id) for row in found if row.client_id]
    work.want((Expiry, p.conversation), *((Creation, ident) for ident in made))
    for ident in made:  # what it created is told again; what it said cannot be found out from it
        creation = work.find(Creation, ident)
        if creation is not None:
            work.put(replace(creation, digest=b""))
    purge(found, work)
    known = work.find(Expiry, p.conversation)
    work.put(Expiry(p.conversation, max(p.until, known.seq if known is not None else 0)))
    return {}


# A job goes through the same transaction as everything else, but nobody may call it.
INTERNAL = (
    Command(
        name="message.expire", params=Expire, run=expire, kind="write", rate="none",
        operator=True, locks=("holds", "conversation or both members", "member:each sender"),
        doc="A step of retention.", result=Done,
    ),
)  # fmt: skip
