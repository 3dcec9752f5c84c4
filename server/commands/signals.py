"""Commands of reading and typing: one's own watermark, and the signals that others may get.

rules: receipts and typing are one switch, reciprocal; never above 50 participants, nor between
who cannot write to each other.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from server.commands import newcomers, results, viewers
from server.commands.command import Command, Id, Params, Seq
from server.commands.facts import FenceHead
from server.commands.own_view import was_read
from server.commands.places import BOTH, Place, carries_signals, place, writable
from server.commands.work import Work
from server.domain import contact
from server.domain.rows import Member, Topic

Map = dict[str, Any]


class Read(Params, frozen=True):
    """receipt.read: seen up to this sequence number."""

    conversation: Id
    seq: Seq


def _audience(me: Member, where: Place, work: Work) -> int | None:
    """The topic that a signal of the caller's goes to, or None where nobody may have one.

    rules: one switch, reciprocal.
    """
    if not me.receipts or not carries_signals(me, where, work):
        return None
    if where.other is None:
        return where.row.topic
    return where.other.topic if where.other.receipts else None


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
    shows = me.receipts and carries_signals(me, where, work)
    if shows and seq > mine.shown and seq > where.mine.read:
        mine = replace(mine, shown=seq, shown_ms=work.now_ms)
        if audience is not None:
            late = [member.id for member in newcomers.late(where.row, seq, work)]
            work.signal(
                audience,
                "receipt.read",
                {"conversation": p.conversation, "member": me.id, "seq": seq,
                 "seen_at": work.now_ms},
                me.id,
                apart=(*viewers.names(where, work), *late),
            )  # fmt: skip
    if mine is not where.mine:
        work.put(mine)
    was_read(me, where, seq, work)
    return {"read": mine.read}


class Typing(Params, frozen=True):
    """typing.start and typing.stop."""

    conversation: Id


def _typing(me: Member, p: Typing, work: Work, name: str) -> Map:
    where = place(me, work.ids.conversation_key(p.conversation), work)
    if not _recipient_of_request(me, where):
        writable(me, where, work)
    work.want((FenceHead, 0), *((Topic, key) for key in where.topics))
    audience = _audience(me, where, work)
    if audience is not None:
        lasts = work.policy.typing_ms if name == "typing.started" else 0
        data: Map = {"conversation": p.conversation, "member": me.id}
        if lasts:
            data["expires_in_ms"] = lasts
        work.signal(audience, name, data, me.id, lasts, viewers.names(where, work))
    return {}


def _recipient_of_request(me: Member, where: Place) -> bool:
    """Whoever has a request before them may type an answer, which its sender is not shown."""
    pair = where.pair
    visible = where.other is not None and contact.visible(where.other, pair)
    return visible and pair is not None and contact.is_request(pair) and pair.approacher != me.key


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
