"""Erasing a member: what is asked for at once, and the steps that remove what was theirs.

It begins as a deletion. When their parts have ended they are hidden: shown to nobody by id or
name. Then what is theirs goes, in idempotent steps of at most 200 that go on after a crash; what is
under hold stays, out of sight, and the erasure with it. `STEPS` is where a kind of row that is one
member's own is erased.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from server.commands import audit, departed, purging, results, views
from server.commands.command import Command, Params
from server.commands.facts import FenceHead, Handle, Named, Passed, Reactions
from server.commands.holds import changes, is_held
from server.commands.operator import OneMember, delete_member
from server.commands.purse import OPERATOR
from server.commands.work import Work
from server.domain import relations, rights
from server.domain.own_view import Draft, Own
from server.domain.reports import Report
from server.domain.rights import LATEST, Departed, Erasure, LastSeen
from server.domain.rows import (
    Conversation,
    Creation,
    Credit,
    DeviceToken,
    Entry,
    Fence,
    GroupMember,
    Invitation,
    Member,
    Message,
    Pair,
    Participant,
    Reaction,
    Refusal,
    Revision,
    Row,
    Tally,
    Topic,
    Wallet,
)
from server.errors import Invalid

Map = dict[str, Any]

# Kinds of which a member has few: they go at once. Those of which there may be many have a step.
OWN: tuple[type[Row], ...] = (
    DeviceToken, Refusal, LastSeen, Own, Draft, GroupMember, Tally, Wallet, Credit,
)  # fmt: skip


def erase(operator: None, p: OneMember, work: Work) -> Map:
    """End a member as `member.delete` does, and have what is theirs removed."""
    work.want((Handle, p.id), (FenceHead, 0))
    handle = work.need(Handle, p.id)
    if not handle.member:
        raise Invalid("id: there is no such member.", field="id")
    row = work.need(Member, handle.member)
    work.want((Erasure, row.key), (Topic, row.topic))
    if work.find(Erasure, row.key) is not None:
        work.as_before()
        return {}
    if row.alive:
        delete_member(None, p, work)
    else:
        work.as_before()
    log = work.find(Topic, row.topic)
    head = log.head if log is not None else 0
    whole = work.policy.erase_messages == "tombstone"
    work.put(Erasure(row.key, row.topic, head, work.now_ms, whole=whole))
    return {}


class Step(Params, frozen=True):
    """member.scrub: one step of an erasure, of the kind `what`, on these keys."""

    member: int
    what: str
    keys: list[Any]


def scrub(operator: None, p: Step, work: Work) -> Map:
    """One idempotent step; {"held": true} where a hold forbids it."""
    work.want((Erasure, p.member), (Member, p.member))
    gone, row = work.find(Erasure, p.member), work.need(Member, p.member)
    if gone is None:  # another node has finished
        return {}
    work.want((Topic, row.topic))
    whatever_is_held = BEFORE_HIDDEN.get(p.what) or OUT_OF_SIGHT.get(p.what)
    if whatever_is_held is not None:
        whatever_is_held(gone, row, p.keys, work)
        return {}
    if is_held("anything" if p.what == IDENTITY else "member", row.key, work):
        return {"held": True}
    if p.what == IDENTITY and p.keys != [changes(work)]:
        return {"held": True}  # something was, when the steps before came to it
    STEPS[p.what](gone, row, p.keys, work)
    return {}


def _hide(gone: Erasure, row: Member, keys: list[Any], work: Work) -> None:
    if not row.erased_ms:
        work.put(replace(row, erased_ms=work.now_ms, erased_whole=gone.whole))


def _reset(gone: Erasure, row: Member, keys: list[int], work: Work) -> None:
    """What a log said of them it says of nobody now: who was away while it did reads anew."""
    work.want(*((Topic, key) for key in keys))
    for key in keys:
        topic = work.need(Topic, key)
        work.put(replace(topic, floor=topic.head))


def _hidden(gone: Erasure, row: Member, keys: list[Any], work: Work) -> None:
    work.put(replace(gone, hidden=True))


def _withdraw(gone: Erasure, row: Member, keys: list[int], work: Work) -> None:
    """What is held goes out of sight as if they had deleted it: its texts are kept unseen."""
    for message in purging.gather(keys, work):
        if message.sender == row.key and not message.deleted_at:
            bare = replace(message, body="", rev=message.rev + 1, deleted_at=work.now_ms)
            pos = purging.next_pos(message, work)
            work.put(bare)
            work.put(Revision(bare.key, bare.rev, pos, message.body, message.edited_at))
            purging.tell("message.deleted", bare, work)


Do = Callable[[Erasure, Member, list[Any], Work], None]
BEFORE_HIDDEN: dict[str, Do] = {"hide": _hide, "topics": _reset, "hidden": _hidden}
OUT_OF_SIGHT: dict[str, Do] = {"withdraw": _withdraw}


def _outside_holds(found: list[Message], work: Work) -> list[Message]:
    places = {row.conversation for row in found}
    held = {key for key in places if is_held("conversation", key, work)}
    return [row for row in found if row.conversation not in held]


def _messages(gone: Erasure, row: Member, keys: list[int], work: Work) -> None:
    """As was decided, their messages stay without a name or become tombstones. What they had
    deleted goes either way: nobody sees it."""
    found = _outside_holds(purging.gather(keys, work), work)
    theirs = [message for message in found if message.sender == row.key]
    goes = [message for message in theirs if gone.whole or message.deleted_at]
    purging.purge(goes, work)
    for message in theirs:
        if message not in goes:
            work.put(replace(message, client_id=""))


def _reports(gone: Erasure, row: Member, keys: list[int], work: Work) -> None:
    """What goes goes from open reports too: a copy is a copy. The reports themselves, and what
    others said in them, are others'."""
    work.want(*((Report, key) for key in keys))
    found = [report for key in keys if (report := work.find(Report, key)) is not None]
    held = {key for key in {r.conversation for r in found} if is_held("conversation", key, work)}
    work.want(*((Message, one.message) for report in found for one in report.exhibits))
    work.want(*((Member, report.reporter) for report in found))
    work.want(*((Topic, work.need(Member, report.reporter).topic) for report in found))
    for report in found:
        left = [
            one for one in report.exhibits
            if one.sender != row.key
            or not (gone.whole or work.need(Message, one.message).deleted_at)
        ]  # fmt: skip
        if report.conversation not in held and len(left) < len(report.exhibits):
            work.put(replace(report, exhibits=left))


def _reactions(gone: Erasure, row: Member, keys: list[int], work: Work) -> None:
    """Where their messages go, their reactions to others' go too."""
    found = _outside_holds(purging.gather(keys, work), work)
    work.want(*((Reactions, message.key) for message in found))
    known = {m.key: work.need(Reactions, m.key).reactions for m in found}
    others = {key: [r for r in rows if r.member != row.key] for key, rows in known.items()}
    work.want(
        *((Member, message.sender) for message in found),
        *((Member, key) for message in found for key in message.mentions),
        *((Member, r.member) for rows in others.values() for r in rows),
    )
    work.drop(Reaction, message=[message.key for message in found], member=[row.key])
    for message in found:
        if len(views.present(known[message.key])) == len(views.present(others[message.key])):
            continue  # they had taken it back: nobody sees a difference
        changed = replace(message, rev=message.rev + 1)
        pos = purging.next_pos(message, work)
        work.put(changed)
        work.put(Revision(changed.key, changed.rev, pos))
        purging.tell("message.edited", changed, work, views.present(others[message.key]))


def _pairs(gone: Erasure, row: Member, keys: list[int], work: Work) -> None:
    """Nothing is left between them and others but the one conversation that they had."""
    idents = [relations.ident(row.key, other) for other in keys]
    work.want(*((Pair, ident) for ident in idents), *((Member, other) for other in keys))
    work.want(*((Topic, work.need(Member, other).topic) for other in keys))
    for ident in idents:
        pair = work.find(Pair, ident)
        if pair is not None:
            work.put(Pair(pair.low, pair.high, conversation=pair.conversation))


def _notes(gone: Erasure, row: Member, keys: list[int], work: Work) -> None:
    work.want(*((Invitation, key) for key in keys))
    found = [work.need(Invitation, key) for key in keys]
    work.want(*((Member, invitation.recipient) for invitation in found))
    work.want(*((Topic, work.need(Member, one.recipient).topic) for one in found))
    for invitation in found:
        work.put(replace(invitation, note=""))


def _parts(gone: Erasure, row: Member, keys: list[int], work: Work) -> None:
    """How far they had read; that they were there stays, for who reads the conversation."""
    work.want(*((Participant, (key, row.key)) for key in keys), *((Conversation, k) for k in keys))
    rows = [work.need(Conversation, key) for key in keys]
    work.want(*((Member, key) for one in rows if not one.topic for key in (one.low, one.high)))
    for one in rows:
        topics = [one.topic] if one.topic else [
            work.need(Member, key).topic for key in (one.low, one.high)
        ]  # fmt: skip
        work.want(*((Topic, topic) for topic in topics))
        if not is_held("conversation", one.key, work):
            part = work.need(Participant, (one.key, row.key))
            work.put(replace(part, read=0, shown=0, shown_ms=0))


def _creations(gone: Erasure, row: Member, keys: list[str], work: Work) -> None:
    work.drop(Creation, caller=[row.key], client_id=keys)


def _grants(gone: Erasure, row: Member, keys: list[str], work: Work) -> None:
    """The operator's ids for what they were given."""
    work.want((Topic, OPERATOR))
    work.drop(Creation, caller=[OPERATOR], client_id=keys)


def _log(gone: Erasure, row: Member, keys: list[int], work: Work) -> None:
    work.drop(Entry, topic=[gone.topic], pos=[pos for pos in keys if pos <= gone.head])


def _own(gone: Erasure, row: Member, keys: list[Any], work: Work) -> None:
    for kind in OWN:
        work.drop(kind, member=[row.key])


def _fences(gone: Erasure, row: Member, keys: list[int], work: Work) -> None:
    """Their id in the ends of access, once every node has applied these."""
    work.want((Passed, 0), *((Fence, seq) for seq in keys))
    for seq in keys:
        fence = work.find(Fence, seq)
        if fence is not None and seq <= work.need(Passed, 0).seq:
            work.put(replace(fence, who="", device=""))


def _identity(gone: Erasure, row: Member, keys: list[Any], work: Work) -> None:
    """The last, where no hold has changed since the first: `keys` is the count of such changes.
    Id, name and the rest of the row go, and the log's name."""
    _own(gone, row, keys, work)
    work.drop(Report, reporter=[row.key])  # with what they show of conversations: none is held now
    work.drop(Erasure, member=[row.key])
    nobody = rights.nobody(row, f"{rights.ERASED}.{work.ids.message(row.key)}", work.now_ms)
    work.put(nobody)
    audit.write("member.erase", work, row.id, outcome="complete", by=audit.SERVER)
    if not row.topic:  # its id and its log have been somebody else's for long
        return
    log = work.need(Topic, row.topic)
    work.want((Departed, LATEST))
    latest = work.find(Departed, LATEST)
    head = max(log.head, latest.head if latest is not None else 0)
    work.put(Departed(LATEST, head, 0, 2**62))
    work.put(rights.departed(row, log.head, departed.secret(work.ids)))
    work.put(replace(log, name=f"erased.{log.key}", floor=log.head))
    work.put(Handle(row.id, 0))
    work.put(Named(log.name, 0))


IDENTITY = "identity"
# In this order; those named in the store's queries are given keys, a page at a time.
STEPS: dict[str, Do] = {
    "messages": _messages,
    "reports": _reports,
    "reactions": _reactions,
    "pairs": _pairs,
    "notes": _notes,
    "parts": _parts,
    "creations": _creations,
    "grants": _grants,
    "log": _log,
    "own": _own,
    "fences": _fences,
    IDENTITY: _identity,
}
KEYLESS = frozenset({"hide", "hidden", "own"})
WITH_MESSAGES = frozenset({"withdraw", "reactions"})  # only where their messages go

COMMANDS = (
    Command(
        name="member.erase", params=OneMember, run=erase, kind="write", rate="none",
        operator=True, locks=("member:named",), result=results.Done,
        doc="End a member and remove what is theirs; others' conversations stay readable.",
    ),
)  # fmt: skip
INTERNAL = (
    Command(
        name="member.scrub", params=Step, run=scrub, kind="write", rate="none", operator=True,
        locks=("holds", "member:gone", "those that the step changes"),
        doc="A step of an erasure.", result=results.Done,
    ),
)  # fmt: skip
