"""Commands on what somebody opened without being connected: accept, decline, close.

A request is the first message of a fellow group member, or an InMail. Until it is answered its
sender learns nothing; to write back accepts it too.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from server.commands import reach, results
from server.commands.command import Command, Id, Params
from server.commands.facts import FenceHead
from server.commands.places import BOTH, place
from server.commands.work import Work
from server.domain import contact, relations
from server.domain.rows import Member, Pair, Topic
from server.errors import Refused, Unreachable

Map = dict[str, Any]


class Request(Params, frozen=True):
    """request.accept and request.decline; conversation.close."""

    conversation: Id


def _pair(me: Member, p: Request, work: Work) -> tuple[int, Member, Pair]:
    """A one_to_one between whom things may pass. Raises `Unreachable`, `Refused` for others."""
    where = place(me, work.ids.conversation_key(p.conversation), work)
    if where.other is None or where.pair is None:
        raise Refused("not_a_request", "This is no conversation between two.")
    if not contact.visible(where.other, where.pair):
        raise Unreachable
    work.want(*((Topic, key) for key in where.topics), (FenceHead, 0))
    return where.row.key, where.other, where.pair


def _answer(me: Member, p: Request, work: Work, *, accepted: bool) -> Map:
    key, other, pair = _pair(me, p, work)
    open_request = pair.stage == contact.PENDING and pair.approach in contact.REQUESTS
    if not open_request or pair.approacher == me.key:
        raise Refused("already_answered", "There is no request here for you to answer.")
    reach.answer(other, me, pair, key, work, accepted=accepted)
    return {}


def accept(me: Member, p: Request, work: Work) -> Map:
    """Open the conversation both ways."""
    return _answer(me, p, work, accepted=True)


def decline(me: Member, p: Request, work: Work) -> Map:
    """Close the conversation to its sender."""
    return _answer(me, p, work, accepted=False)


def close(me: Member, p: Request, work: Work) -> Map:
    """End what an approach has opened, for the other from then on: both are told."""
    key, other, pair = _pair(me, p, work)
    if relations.connected(pair):
        raise Refused("connected", "Between connections it stays open: remove the connection.")
    if pair.stage == contact.PENDING and pair.approach in contact.REQUESTS:
        raise Refused("request_pending", "A request is accepted or declined.")
    if pair.stage in (contact.OPEN, contact.PENDING):
        work.put(replace(pair, stage=contact.CLOSED, approacher=other.key))
        for member in (other, me):
            if member.alive:
                data = {"conversation": p.conversation}
                work.emit(member.topic, "conversation.closed", data, conversation=key)
        work.fence("parted", me, other=other)
    elif pair.stage == contact.CLOSED and pair.approacher == me.key:
        work.put(replace(pair, approacher=contact.NEITHER))  # it was closed to the caller alone
    else:
        work.as_before()
    return {}


_ERRORS = ("unreachable", "refused")
COMMANDS = (
    Command(
        name="request.accept", params=Request, run=accept, kind="write", rate="change",
        locks=BOTH, doc="Accept a message request or InMail.", result=results.Done,
        errors=_ERRORS,
    ),
    Command(
        name="request.decline", params=Request, run=decline, kind="write", rate="change",
        locks=BOTH, doc="Decline it: the conversation is closed to its sender.",
        result=results.Done, errors=_ERRORS,
    ),
    Command(
        name="conversation.close", params=Request, run=close, kind="write", rate="change",
        locks=BOTH, doc="Close to the other what an answered request has opened.",
        result=results.Done, errors=_ERRORS,
    ),
)  # fmt: skip
