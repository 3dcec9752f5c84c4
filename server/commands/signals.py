"""Commands of reading and typing: one's own watermark, and the signals that others may get.

rules: receipts and typing are one switch, reciprocal; never above 50 participants, nor between
who cannot write to each other.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from server.commands import results
from server.commands.command import Command, Id, Params, Seq
from server.commands.facts import FenceHead, Roster
from server.commands.own_view import was_read
from server.commands.places import BOTH, Place, place, writable
from server.commands.work import Work
from server.domain import contact, conversations
from server.domain.rows import Member, Topic

Map = dict[str, Any]


class Read(Params, frozen=True):
    """receipt.read: seen up to this sequence number."""

    conversation: Id
    seq: Seq


def _audience(me: Member, where: Place, work: Work) -> int | None:
    """The topic that a signal of the caller's goes to, or None where nobody may have one.

    rules: one switch, reciprocal; nothing above 50 participants or between who cannot write.
    """
    if not me.receipts or not where.view.current:
        return None
    if where.other is None:
        roster = work.need(Roster, where.row.key)
        small = conversations.has_signals(len(roster.roles), work.policy)
        return where.row.topic if small else None
    if contact.way(me, where.other, where.pair) is None or not where.other.receipts:
        return None
    return where.other.topic


def read(me: Member, p: Read, work: Work) -> Map:
    """Move one's own watermark forward; with the switch on, and where receipts are, show it."""
    where = place(me, work.ids.conversation_key(p.conversation), work)
    work.want((Topic, me.topic), (FenceHead, 0), *((Topic, key) for key in where.topics))
    audience = _audience(me, where, work)
    last = where.row.seq if where.view.seq < 0 else where.view.seq
    mine = where.mine
    seq = min(p.seq, last)
    if seq > mine.read:
        mine = replace(mine, read=seq)
        data = {"conversation": p.conversation, "read": seq}
        work.emit(me.topic, "read.moved", data, conversation=where.row.key, refs={"read": seq})
    # Shown only by reading now, with the switch on: what was read before stays unsaid.
    shows = me.receipts and _may_show(me, where, work)
    if shows and seq > mine.shown and seq > where.mine.read:
        mine = replace(mine, shown=seq, shown_ms=work.now_ms)
        if audience is not None:
            work.signal(
                audience,
                "receipt.read",
                {"conversation": p.conversation, "member": me.id, "seq": seq,
                 "seen_at": work.now_ms},
                me.id,
            )  # fmt: skip
    if mine is not where.mine:
        work.put(mine)
    was_read(me, where, seq, work)
    return {"read": mine.read}


def _may_show(me: Member, where: Place, work: Work) -> bool:
    """Whether reading here is shown at all, whoever has their switch on."""
    if not where.view.current:
        return False
    if where.other is not None:
        return contact.way(me, where.other, where.pair) is not None
    roster = work.need(Roster, where.row.key)
    return conversations.has_signals(len(roster.roles), work.policy)


class Typing(Params, frozen=True):
    """typing.start and typing.stop."""

    conversation: Id


def _typing(me: Member, p: Typing, work: Work, name: str) -> Map:
    where = place(me, work.ids.conversation_key(p.conversation), work)
    writable(me, where)
    work.want((FenceHead, 0), *((Topic, key) for key in where.topics))
    audience = _audience(me, where, work)
    if audience is not None:
        lasts = work.policy.typing_ms if name == "typing.started" else 0
        data: Map = {"conversation": p.conversation, "member": me.id}
        if lasts:
            data["expires_in_ms"] = lasts
        work.signal(audience, name, data, me.id, lasts)
    return {}


def typing_start(me: Member, p: Typing, work: Work) -> Map:
    """Say that one is typing: lasts 6 s unless renewed, is never stored."""
    return _typing(me, p, work, "typing.started")


def typing_stop(me: Member, p: Typing, work: Work) -> Map:
    """Say that one has stopped typing."""
    return _typing(me, p, work, "typing.stopped")


COMMANDS = (
    Command(
        name="receipt.read", params=Read, run=read, kind="write", rate="signal", locks=BOTH,
        doc="Mark a conversation read up to a message; never moves back.",
        result=results.ReadUpTo, errors=("unreachable",),
    ),
    Command(
        name="typing.start", params=Typing, run=typing_start, kind="write", rate="signal",
        locks=BOTH, doc="Say that one is typing, for 6 s.", result=results.Done,
        errors=("unreachable",),
    ),
    Command(
        name="typing.stop", params=Typing, run=typing_stop, kind="write", rate="signal",
        locks=BOTH, doc="Say that one has stopped typing.", result=results.Done,
        errors=("unreachable",),
    ),
)  # fmt: skip
