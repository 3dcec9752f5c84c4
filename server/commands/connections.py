"""Commands on relations: invitations and connections.

All there is between two members is one `Pair` row, which changes only under both members' topics.
What a block would give away is answered as if the other did not exist.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from server.commands import creations, reach, results, views
from server.commands.command import (
    PAGE,
    ClientId,
    Command,
    Id,
    MemberRef,
    Page,
    Params,
    client_id,
    other_than,
    text,
)
from server.commands.facts import Connections, FenceHead, Handle, Want
from server.commands.snapshot import Snapshot
from server.commands.work import Work
from server.domain import contact, quotas, relations
from server.domain.credit import BASIC
from server.domain.rows import Creation, Invitation, Member, Pair, Topic
from server.errors import Invalid, Refused, Unreachable

Map = dict[str, Any]
PAIR = ("member:caller", "member:other")
_CURSOR = "before is not what an earlier list gave as next."


class Peer(Params, frozen=True):
    """A command about one other member."""

    member: MemberRef


def pair_of(me: Member, other: Member, work: Work) -> Pair:
    """What is between two members, under both their topics."""
    work.want(
        (Pair, relations.ident(me.key, other.key)),
        (Topic, me.topic),
        (Topic, other.topic),
        (FenceHead, 0),
    )
    found = work.find(Pair, relations.ident(me.key, other.key))
    return found if found is not None else relations.new(me.key, other.key)


def found(me: Member, member: str, work: Work) -> tuple[Member, Pair]:
    """Another member and what is between the two, which one's own topic guards as well. Raises
    `Unreachable` for nobody, after the same reads."""
    work.want((Handle, member), (Topic, me.topic))
    other, pair = reach.between(me, member, work)
    if other is None:
        raise Unreachable
    return other, pair or relations.new(me.key, other.key)


def _meet(me: Member, member: str, work: Work) -> tuple[Member, Pair]:
    """Another member between whom and the caller things may pass. Raises `Unreachable`."""
    other, pair = found(me, member, work)
    if not contact.visible(other, pair):
        raise Unreachable
    return other, pair


def connect_pair(a: Member, b: Member, pair: Pair, work: Work) -> None:
    """Make two members connections and tell both; an open invitation is thereby accepted."""
    for sender, recipient in ((a, b), (b, a)):
        key = relations.of(pair, sender.key, "invitation")
        if key:
            _accepted(sender, recipient, work.need(Invitation, key), work)
    work.put(
        replace(
            pair, connected_ms=work.now_ms, low_invitation=0, high_invitation=0,
            low_refuses=False, high_refuses=False, stage=contact.connecting(pair),
        )
    )  # fmt: skip
    for mine, theirs in ((a, b), (b, a)):
        work.emit(mine.topic, "connection.added", views.profile(theirs), member=theirs.key)


def _accepted(sender: Member, recipient: Member, row: Invitation, work: Work) -> None:
    work.put(replace(row, state="accepted"))
    data = {
        "invitation": work.ids.invitation(row.key), "member": recipient.id, "accepted": True,
    }  # fmt: skip
    refs: dict[str, object] = {"key": row.key, "accepted": True}
    for topic in (sender.topic, recipient.topic):
        work.emit(topic, "invitation.answered", data, member=recipient.key, refs=refs)


def part(a: Member, b: Member, pair: Pair, work: Work) -> Pair:
    """End a connection, where there is one, and tell both; answers the pair as it then is."""
    if not relations.connected(pair):
        work.as_before()
        return pair
    parted = replace(pair, connected_ms=0, stage=contact.closing(pair))
    work.put(parted)
    for mine, theirs in ((a, b), (b, a)):
        if mine.alive:
            work.emit(mine.topic, "connection.removed", {"member": theirs.id}, member=theirs.key)
    work.fence("parted", a, other=b)
    return parted


class Invite(Params, frozen=True):
    """invitation.send."""

    to: MemberRef
    note: str = ""
    client_id: ClientId | None = None


def invite(me: Member, p: Invite, work: Work) -> Map:
    """Ask somebody to connect; to who has asked oneself, it is the answer yes."""
    other_than(me, p.to, "to")
    client_id(p.client_id)
    paid = me.plan != BASIC
    policy = work.policy
    text(
        p.note,
        policy.note_characters_paid if paid else policy.note_characters_basic,
        "note",
        empty=True,
    )
    wants: list[Want] = [(Handle, p.to), (Topic, me.topic)]
    if p.client_id is not None:
        wants.append((Creation, (me.key, p.client_id)))
    work.want(*wants)
    made = creations.made(me.key, p.client_id, "invitation.send", p, work)
    if made is not None:
        return {"invitation": work.ids.invitation(made), "duplicate": True}
    other, pair = _meet(me, p.to, work)
    theirs = relations.of(pair, other.key, "invitation")
    if not theirs:
        _invitable(me, other, pair, work)
    pair = pair_of(me, other, work)
    if theirs:
        _answer(me, work.need(Invitation, theirs), "accepted", work)
        creations.remember(me.key, p.client_id, "invitation.send", p, theirs, work)
        return {"invitation": work.ids.invitation(theirs), "duplicate": False}
    _within_quotas(me, p.note, work)
    row = Invitation(work.new_key(), me.key, other.key, p.note, work.now_ms)
    work.put(row)
    work.put(relations.mark(pair, me.key, invitation=row.key))
    creations.remember(me.key, p.client_id, "invitation.send", p, row.key, work)
    work.emit(
        other.topic, "invitation.received", views.invitation(row, work), refs={"key": row.key}
    )
    return {"invitation": work.ids.invitation(row.key), "duplicate": False}


def _invitable(me: Member, other: Member, pair: Pair, work: Work) -> None:
    """Raises `Refused` or `Unreachable` for whom the caller cannot invite now."""
    if relations.connected(pair):
        raise Refused("already_connected", "You are connected.")
    if relations.of(pair, me.key, "invitation"):
        raise Refused("already_invited", "Your invitation is waiting for an answer.")
    withdrew = relations.of(pair, me.key, "withdrew_ms")
    if withdrew and work.now_ms - withdrew < work.policy.reinvite_after_ms:
        raise Refused("reinvite_after", "You withdrew an invitation to them within three weeks.")
    if relations.of(pair, other.key, "refuses"):
        raise Unreachable


def _within_quotas(me: Member, note: str, work: Work) -> None:
    """Count one more invitation. Raises `Refused` where that is one too many."""
    policy = work.policy
    if reach.counted(me, quotas.INVITATIONS, work) >= policy.invitations_per_week:
        raise Refused("invitations_per_week", "That was this week's last invitation.")
    with_note = bool(note) and me.plan == BASIC
    if with_note and reach.counted(me, quotas.NOTES, work) >= policy.notes_per_month_basic:
        raise Refused("notes_per_month", "That was this month's last invitation with a note.")
    _room_for_one(me, work)
    reach.count_one(me, quotas.INVITATIONS, work)
    if with_note:
        reach.count_one(me, quotas.NOTES, work)


def _room_for_one(me: Member, work: Work) -> None:
    """Raises `Refused` for a member who has as many connections as one can have."""
    if work.need(Connections, me.key).count >= work.policy.connections_per_member:
        raise Refused("connections_per_member", "You have as many connections as one can have.")


class Answer(Params, frozen=True):
    """A command on an invitation."""

    invitation: Id


def _open_invitation(me: Member, p: Answer, side: str, work: Work) -> Invitation:
    """A pending invitation of which the caller is the `side`. Raises `Unreachable`, `Refused`."""
    key = work.ids.invitation_key(p.invitation)
    row = work.find(Invitation, key) if key is not None else None
    if row is None or getattr(row, side) != me.key:
        raise Unreachable
    other_key = row.sender if side == "recipient" else row.recipient
    work.want((Member, other_key), (Pair, relations.ident(me.key, other_key)))
    pair = work.find(Pair, relations.ident(me.key, other_key))
    if not contact.visible(work.find(Member, other_key), pair):
        raise Unreachable
    # Its sender is not told that it was ignored, refused or blocked: to them it is pending.
    answered = {"recipient": ("accepted", "refused"), "sender": ("accepted", "withdrawn")}[side]
    if row.state in ("withdrawn", "blocked") and side == "recipient":
        raise Unreachable
    if row.state in answered:
        raise Refused("already_answered", "This invitation has been answered.")
    return row


def _answer(me: Member, row: Invitation, state: str, work: Work) -> None:
    sender = work.need(Member, row.sender)
    pair = pair_of(me, sender, work)
    if state == "accepted":
        _room_for_one(me, work)
        if work.need(Connections, sender.key).count >= work.policy.connections_per_member:
            raise Unreachable  # how many connections another has is theirs to know
        connect_pair(me, sender, relations.mark(pair, sender.key, invitation=row.key), work)
        return
    work.put(replace(row, state=state))
    if state == "refused":
        work.put(relations.mark(pair, me.key, refuses=True))
    data = {"invitation": work.ids.invitation(row.key), "member": me.id, "accepted": False}
    refs: dict[str, object] = {"key": row.key, "accepted": False}
    work.emit(me.topic, "invitation.answered", data, member=me.key, refs=refs)


def accept(me: Member, p: Answer, work: Work) -> Map:
    """Become a connection of who invited."""
    _answer(me, _open_invitation(me, p, "recipient", work), "accepted", work)
    return {}


def ignore(me: Member, p: Answer, work: Work) -> Map:
    """Put an invitation away; its sender is not told."""
    row = _open_invitation(me, p, "recipient", work)
    if row.state != "ignored":
        _answer(me, row, "ignored", work)
    return {}


def refuse(me: Member, p: Answer, work: Work) -> Map:
    """ "I don't know this person": nothing more from that sender, who is not told."""
    _answer(me, _open_invitation(me, p, "recipient", work), "refused", work)
    return {}


def withdraw(me: Member, p: Answer, work: Work) -> Map:
    """Take one's own invitation back; not to be sent again for three weeks."""
    row = _open_invitation(me, p, "sender", work)
    other = work.need(Member, row.recipient)
    pair = pair_of(me, other, work)
    work.put(replace(row, state="withdrawn"))
    work.put(relations.mark(pair, me.key, invitation=0, withdrew_ms=work.now_ms))
    if row.state == "pending":
        data = {"invitation": p.invitation, "member": me.id}
        work.emit(other.topic, "invitation.withdrawn", data, member=me.key, refs={"key": row.key})
    return {}


def list_invitations(me: Member, p: Page, snapshot: Snapshot) -> Map:
    """Those received and not yet answered, and one's own that nobody has answered; newest first."""
    limit = min(p.limit, PAGE)
    before = None
    if p.before is not None and (before := snapshot.ids.invitation_key(p.before)) is None:
        raise Invalid(_CURSOR, field="before")
    rows = snapshot.invitations(me.key, before, limit + 1)
    snapshot.want(*((Member, key) for row in rows for key in (row.sender, row.recipient)))
    listed = [views.invitation(row, snapshot) for row in rows[:limit]]
    cursor = listed[-1]["invitation"] if len(rows) > limit else None
    return _page("invitations", listed, cursor, me, snapshot)


def _page(name: str, listed: list[Map], cursor: str | None, me: Member, s: Snapshot) -> Map:
    out: Map = {name: listed, "more": cursor is not None, "at": s.heads([me.topic])}
    if cursor is not None:
        out["next"] = cursor
    return out


def by_name(me: Member, p: Page, which: str, snapshot: Snapshot) -> Map:
    """One's connections or those one blocks, by name, a page at a time."""
    limit = min(p.limit, PAGE)
    after = None
    if p.before is not None:
        # No member's own id: with one made up, the answer would tell of whoever bears it.
        key = snapshot.ids.member_key(p.before)
        after = snapshot.find(Member, key) if key is not None else None
        if after is None:
            raise Invalid(_CURSOR, field="before")
    rows = snapshot.others(me.key, which, after, limit + 1)
    cursor = snapshot.ids.member(rows[limit - 1].key) if len(rows) > limit else None
    return _page("members", [views.profile(row) for row in rows[:limit]], cursor, me, snapshot)


def list_connections(me: Member, p: Page, snapshot: Snapshot) -> Map:
    """One's connections, by name."""
    return by_name(me, p, "connected", snapshot)


def remove_connection(me: Member, p: Peer, work: Work) -> Map:
    """End a connection; both histories stay."""
    other_than(me, p.member, "member")
    other, _ = _meet(me, p.member, work)
    part(me, other, pair_of(me, other, work), work)
    return {}


_ANSWERS = ("unreachable", "refused")
COMMANDS = (
    Command(
        name="invitation.send", params=Invite, run=invite, kind="write", rate="change", locks=PAIR,
        doc="Invite a member to connect.", result=results.Invited,
        errors=("unreachable", "refused", "client_id_reused"),
    ),
    Command(
        name="invitation.list", params=Page, run=list_invitations, kind="read", rate="read",
        doc="Open invitations, received and sent.",
        result=results.Invitations,
    ),
    Command(
        name="invitation.accept", params=Answer, run=accept, kind="write", rate="change",
        locks=PAIR, doc="Become connections.", result=results.Done, errors=_ANSWERS,
    ),
    Command(
        name="invitation.ignore", params=Answer, run=ignore, kind="write", rate="change",
        locks=PAIR, doc="Put it away; the sender is not told.", result=results.Done,
        errors=_ANSWERS,
    ),
    Command(
        name="invitation.withdraw", params=Answer, run=withdraw, kind="write", rate="change",
        locks=PAIR, doc="Take one's own back.", result=results.Done, errors=_ANSWERS,
    ),
    Command(
        name="invitation.refuse", params=Answer, run=refuse, kind="write", rate="change",
        locks=PAIR, doc="I don't know this person: no more from them.", result=results.Done,
        errors=_ANSWERS,
    ),
    Command(
        name="connection.list", params=Page, run=list_connections, kind="read", rate="read",
        doc="One's connections.",
        result=results.Members,
    ),
    Command(
        name="connection.remove", params=Peer, run=remove_connection, kind="write", rate="change",
        locks=PAIR, doc="End a connection.", result=results.Done, errors=("unreachable",),
    ),
)  # fmt: skip
