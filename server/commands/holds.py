"""Legal holds: what lies under one is neither erased nor removed by its age.

A hold on a conversation covers its messages. One on a member covers what is theirs, and every
conversation that they are or were in, with what others wrote there. Who removes anything takes the
holds' lock, asks, and removes in the same transaction.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from server.commands import audit, results
from server.commands.command import PAGE, Command, Id, MemberRef, Page, Params, text
from server.commands.facts import Handle, Held
from server.commands.snapshot import Snapshot
from server.commands.views import member_id
from server.commands.work import Facts, Work
from server.domain.rights import HOLDS, Hold
from server.domain.rows import Conversation, Member, Topic
from server.errors import Invalid

Map = dict[str, Any]
REASON = 500


def is_held(what: str, key: int, work: Work) -> bool:
    """Whether a "conversation" or a "member" is under hold, or "anything" that a member had a part
    in; true until the commit."""
    work.want((Topic, HOLDS), (Held, (what, key)))
    return work.need(Held, (what, key)).held


class PutHold(Params, frozen=True):
    """hold.put: on a member or on a conversation, exactly one of the two."""

    reason: Annotated[str, Meta(min_length=1, max_length=REASON)]
    member: MemberRef | None = None
    conversation: Id | None = None


def put(operator: None, p: PutHold, work: Work) -> Map:
    """Put a hold; several may be on the same."""
    if (p.member is None) == (p.conversation is None):
        raise Invalid("Give exactly one of member and conversation.", field="member")
    text(p.reason, REASON, "reason")
    work.want((Topic, HOLDS))
    member = conversation = 0
    if p.member is not None:
        handle = work.find(Handle, p.member)
        if handle is None or not handle.member:
            raise Invalid("member: there is no such member.", field="member")
        member = handle.member
    else:
        key = work.ids.conversation_key(p.conversation or "")
        row = work.find(Conversation, key) if key is not None else None
        if row is None:
            raise Invalid("conversation: there is no such conversation.", field="conversation")
        conversation = row.key
    hold = Hold(work.new_key(), member, conversation, p.reason, work.now_ms)
    work.put(hold)
    _changed("hold.put", hold, work)
    return {"hold": work.ids.hold(hold.key)}


def changes(facts: Facts) -> int:
    """How often a hold has been put or lifted."""
    row = facts.find(Topic, HOLDS)
    return row.head if row is not None else 0


def _changed(cmd: str, hold: Hold, work: Work) -> None:
    """Count a change and note it; the reason is the operator's own words, and is not noted."""
    work.put(Topic(HOLDS, "holds", changes(work) + 1))
    detail = {"hold": work.ids.hold(hold.key)}
    if hold.conversation:
        audit.write(
            cmd, work, detail={**detail, "conversation": work.ids.conversation(hold.conversation)}
        )
    else:
        audit.write(cmd, work, work.need(Member, hold.member).id, detail=detail)


class LiftHold(Params, frozen=True):
    """hold.delete: by the id that `hold.put` answered."""

    hold: Id


def delete(operator: None, p: LiftHold, work: Work) -> Map:
    """Lift one hold; what waited for the last of them goes on."""
    key = work.ids.hold_key(p.hold)
    work.want((Topic, HOLDS))
    row = work.find(Hold, key) if key is not None else None
    if row is None:
        raise Invalid("hold: there is no such hold.", field="hold")
    work.drop(Hold, key=[row.key])
    _changed("hold.delete", row, work)
    return {}


def listed(operator: None, p: Page, snapshot: Snapshot) -> Map:
    """The holds in force, the newest first."""
    before = None
    if p.before is not None and (before := snapshot.ids.hold_key(p.before)) is None:
        raise Invalid("before is not what an earlier list gave as next.", field="before")
    limit = min(p.limit, PAGE)
    rows = snapshot.rights.holds(before, limit + 1)
    snapshot.want(*((Member, row.member) for row in rows if row.member))
    holds = [_hold(row, snapshot) for row in rows[:limit]]
    out: Map = {"holds": holds, "more": len(rows) > limit}
    if out["more"]:
        out["next"] = holds[-1]["hold"]
    return out


def _hold(row: Hold, snapshot: Snapshot) -> Map:
    out: Map = {"hold": snapshot.ids.hold(row.key), "reason": row.reason, "at_ms": row.at_ms}
    if row.conversation:
        return {**out, "conversation": snapshot.ids.conversation(row.conversation)}
    return {**out, "member": member_id(row.member, snapshot)}


COMMANDS = (
    Command(
        name="hold.put", params=PutHold, run=put, kind="write", rate="none", operator=True,
        locks=("holds",), doc="Keep what is a member's, or a conversation, from being removed.",
        result=results.Held,
    ),
    Command(
        name="hold.delete", params=LiftHold, run=delete, kind="write", rate="none", operator=True,
        locks=("holds",), doc="Lift a hold.", result=results.Done,
    ),
    Command(
        name="hold.list", params=Page, run=listed, kind="read", rate="none", operator=True,
        doc="The holds in force.", result=results.Holds,
    ),
)  # fmt: skip
