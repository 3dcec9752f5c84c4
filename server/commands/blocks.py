"""Blocking: nothing new passes between two members, either way, and the other is never told."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from server.commands import results
from server.commands.command import Command, Page, other_than
from server.commands.connections import PAIR, Peer, by_name, found, pair_of, part
from server.commands.snapshot import Snapshot
from server.commands.work import Work
from server.domain import contact, relations
from server.domain.rows import Invitation, Member, Pair
from server.errors import Refused, Unreachable

Map = dict[str, Any]


def _blocked_by_me(me: Member, member: str, work: Work) -> tuple[Member, Pair]:
    """Raises `Unreachable` for who does not exist, or blocks the caller."""
    other, pair = found(me, member, work)
    if relations.of(pair, other.key, "blocks"):
        raise Unreachable
    return other, pair_of(me, other, work)


def block(me: Member, p: Peer, work: Work) -> Map:
    """End the connection and let nothing new pass, either way; the other is never told."""
    other_than(me, p.member, "member")
    other, pair = _blocked_by_me(me, p.member, work)
    if relations.of(pair, me.key, "blocks"):
        work.as_before()
        return {}
    unblocked = relations.of(pair, me.key, "unblocked_ms")
    if unblocked and work.now_ms - unblocked < work.policy.reblock_after_ms:
        raise Refused("reblock_after", "You unblocked them less than 48 hours ago.")
    # To the other, theirs goes on waiting, as one that was ignored: it must not show the block.
    for sender, receiver, state in ((me, other, "withdrawn"), (other, me, "blocked")):
        key = relations.of(pair, sender.key, "invitation")
        if key:
            row = work.need(Invitation, key)
            work.put(replace(row, state=state))
            if row.state == "pending":
                data = {"invitation": work.ids.invitation(key), "member": sender.id}
                work.emit(
                    receiver.topic, "invitation.withdrawn", data, member=sender.key,
                    refs={"key": key},
                )  # fmt: skip
    were_connected = relations.connected(pair)
    pair = part(me, other, relations.mark(pair, me.key, invitation=0), work)
    work.put(relations.mark(replace(pair, stage=contact.closing(pair)), me.key, blocks=True))
    work.emit(
        me.topic, "block.changed", {"member": other.id, "blocked": True}, member=other.key,
        refs={"blocked": True},
    )  # fmt: skip
    if not were_connected:
        work.fence("parted", me, other=other)
    return {}


def unblock(me: Member, p: Peer, work: Work) -> Map:
    """Lift one's own block; it does not reconnect."""
    other_than(me, p.member, "member")
    other, pair = _blocked_by_me(me, p.member, work)
    if not relations.of(pair, me.key, "blocks"):
        return {}
    work.put(relations.mark(pair, me.key, blocks=False, unblocked_ms=work.now_ms))
    work.emit(
        me.topic, "block.changed", {"member": other.id, "blocked": False}, member=other.key,
        refs={"blocked": False},
    )  # fmt: skip
    return {}


def list_blocks(me: Member, p: Page, snapshot: Snapshot) -> Map:
    """Whom one blocks, by name."""
    return by_name(me, p, "blocked", snapshot)


_ANSWERS = ("unreachable", "refused")
COMMANDS = (
    Command(
        name="block.add", params=Peer, run=block, kind="write", rate="change", locks=PAIR,
        doc="Block a member.", result=results.Done, errors=_ANSWERS,
    ),
    Command(
        name="block.remove", params=Peer, run=unblock, kind="write", rate="change", locks=PAIR,
        doc="Lift one's block.", result=results.Done, errors=("unreachable",),
    ),
    Command(
        name="block.list", params=Page, run=list_blocks, kind="read", rate="read",
        doc="Whom one blocks.",
        result=results.Members,
    ),
)  # fmt: skip
