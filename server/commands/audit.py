"""The audit log: who did what about whom, written in the transaction of the act itself.

Every act that is listed here is noted by `note`, which the command table calls with the decision's
rows still in its hands; reads are noted by a write of their own before they are answered. Ids,
names of fields and counts are noted; never a token, a key, a text, a note or a device's name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from server.commands import results
from server.commands.access import named
from server.commands.command import MAX_INT, PAGE, Command, MemberRef, Page, Params
from server.commands.facts import Handle
from server.commands.snapshot import Snapshot
from server.commands.work import Work
from server.domain.rights import Audit, kept_since_ms
from server.domain.rows import Group, Member, Row
from server.errors import Invalid

Map = dict[str, Any]
Detail = Callable[[Any, Work], Map]


def _none(params: Any, work: Work) -> Map:
    return {}


class Act(msgspec.Struct, frozen=True):
    """How an act is noted: the parameters that hold ids of whom it is about, and what else of it
    is said. `gone`: a read that is answered for a deleted member too."""

    about: tuple[str, ...] = ()
    detail: Detail = _none
    outcome: str = "done"
    gone: bool = False


# What of a member's row is the house's own.
_INNER = {"key", "id", "topic", "refused_until_us", "devices_revoked", "erased_ms", "erased_whole"}


def _changed(params: Any, work: Work) -> Map:
    """The fields of a member that changed, by name."""
    rows = [row for row in work.put_rows.values() if isinstance(row, Member) and row.alive]
    fields: list[str] = []
    for row in rows:
        before = work.world.of(Member).get(row.key)
        if before is None:
            return {"made": True}
        names = (name for name in row.__struct_fields__ if name not in _INNER)
        fields += [name for name in names if _differ(name, row, before)]
    return {"fields": sorted(fields)}


def _group(params: Any, work: Work) -> Map:
    """Which group was put, and that it was made or what of it changed."""
    for row in work.put_rows.values():
        if isinstance(row, Group):
            before = work.world.of(Group).get(row.key)
            if before is None:
                return {"group": row.id, "made": True}
            fields = [name for name in ("name", "owner") if _differ(name, row, before)]
            return {"group": row.id, "fields": fields}
    return {}


def _differ(name: str, row: Row, before: Row) -> bool:
    return bool(getattr(row, name) != getattr(before, name))


def _joined(params: Any, work: Work) -> Map:
    return {"group": params.group, "role": params.role}


def _quit(params: Any, work: Work) -> Map:
    return {"group": params.group, "removed": True}


def _report(params: Any, work: Work) -> Map:
    return {"report": params.report}


def _scope(params: Any, work: Work) -> Map:
    return {"scope": "member" if params.device is None else "device"}


def _ttl(params: Any, work: Work) -> Map:
    return {"ttl": params.ttl}


def _section(params: Any, work: Work) -> Map:
    return {"section": params.section}


ACTS: dict[str, Act] = {
    "member.put": Act(("id",), _changed),
    "member.delete": Act(("id",)),
    "member.erase": Act(("id",), outcome="begun"),
    "connection.put": Act(("a", "b")),
    "connection.delete": Act(("a", "b")),
    "session.revoke": Act(("member",), _scope),
    "settings.set": Act((), _changed),
    # Of who else comes and goes by it there is an entry each: see `groups.step`.
    "group.put": Act(("owner",), _group),
    "group.add": Act(("member",), _joined),
    "group.remove": Act(("member",), _quit),
    "credits.grant": Act(("member",)),
    "report.close": Act((), _report),
    # Whom a member blocks is theirs alone.
    "block.add": Act(),
    "block.remove": Act(),
}
READS: dict[str, Act] = {
    "token.issue": Act(("member",), _ttl),
    "member.export": Act(("id",), _section, gone=True),
    "export": Act((), _section),
    "report.list": Act(),
    "credits.ledger": Act(("member",)),
}
SERVER = "server"


def note(cmd: str, params: Any, work: Work, act: Act | None = None) -> None:
    """Write an act beside what it put; one that changed nothing is none."""
    act = act or ACTS.get(cmd)
    if act is None or not (work.put_rows or cmd in READS):
        return
    ids = (getattr(params, name) for name in act.about)
    write(cmd, work, *ids, outcome=act.outcome, detail=act.detail(params, work))


def write(
    cmd: str,
    work: Work,
    *about: str,
    outcome: str = "done",
    detail: Map | None = None,
    by: str = "",
) -> None:
    """Write an entry, by who gave the command unless `by` says otherwise."""
    actor = work.caller.member
    who, other = (*about, "", "")[:2]
    by = by or ("member" if actor else "operator")
    work.put(Audit(work.new_key(), work.now_ms, by, actor, cmd, who, other, outcome, detail or {}))


class Reading(Params, frozen=True):
    """audit.read: a read that is about to be answered."""

    cmd: str
    params: Any


def read(caller: Member | None, p: Reading, work: Work) -> Map:
    """Note a read. Raises `Invalid` for one about who does not exist, which is not answered."""
    act = READS[p.cmd]
    for name in act.about:
        member = getattr(p.params, name)
        handle = work.find(Handle, member)
        if handle is None or not handle.member or not (act.gone or named(member, work)):
            raise Invalid(f"{name}: there is no such member.", field=name)
    note(p.cmd, p.params, work, act)
    return {}


class Trim(Params, frozen=True):
    """audit.trim: a step of keeping the log within its time."""

    keys: list[int]


def trim(operator: None, p: Trim, work: Work) -> Map:
    """Remove entries that are older than they are kept."""
    since_ms = kept_since_ms(work.policy.audit_days, work.now_ms)
    work.want(*((Audit, key) for key in p.keys))
    rows = [row for key in p.keys if (row := work.find(Audit, key)) is not None]
    old = [row.key for row in rows if row.at_ms < since_ms]
    work.drop(Audit, key=old)
    return {"removed": len(old)}


class ListActs(Page, frozen=True):
    """audit.list: what was done, the newest first."""

    member: MemberRef | None = None
    since_ms: Annotated[int, Meta(ge=0, le=MAX_INT)] = 0


def listed(operator: None, p: ListActs, snapshot: Snapshot) -> Map:
    """A page of the log: of all, or of one member, by them or about them."""
    limit = min(p.limit, PAGE)
    rows = snapshot.rights.acts(p.member, p.since_ms, _cursor(p.before), limit + 1)
    out: Map = {"entries": [_entry(row) for row in rows[:limit]], "more": len(rows) > limit}
    if out["more"]:
        out["next"] = f"{rows[limit - 1].at_ms}.{rows[limit - 1].key}"
    return out


def _cursor(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    at, _, key = text.partition(".")
    if not all(part.isascii() and part.isdigit() and len(part) < 19 for part in (at, key)):
        raise Invalid("before is not what an earlier list gave as next.", field="before")
    return int(at), int(key)


def _entry(row: Audit) -> Map:
    about = [who for who in (row.about, row.other) if who]
    out: Map = {"at_ms": row.at_ms, "by": row.by, "cmd": row.cmd, "outcome": row.outcome,
                "about": about, "detail": row.detail}  # fmt: skip
    if row.actor:
        out["member"] = row.actor
    return out


COMMANDS = (
    Command(
        name="audit.list", params=ListActs, run=listed, kind="read", rate="none", operator=True,
        doc="What operators did, and members where it matters, the newest first.",
        result=results.Acts,
    ),
)  # fmt: skip
INTERNAL = (
    Command(
        name="audit.read", params=Reading, run=read, kind="write", rate="none",
        doc="A read, noted.", result=results.Done,
    ),
    Command(
        name="audit.trim", params=Trim, run=trim, kind="write", rate="none", operator=True,
        doc="A step of keeping the audit log within its time.", result=results.Done,
    ),
)  # fmt: skip
