"""Reports: a member's, of a message or a conversation; and the operator's list of them.

rules: the reporter stays anonymous, and nobody is told. A report keeps copies: what happens to the
messages later changes nothing about it, and it shows nothing that its reporter could not see. Once
it is closed the copies are gone.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta
from msgspec.structs import replace

from server.commands import creations, own_view, results, views
from server.commands.command import ClientId, Command, Id, Limit, Params, client_id, text
from server.commands.facts import Newest, OpenReports, Texts
from server.commands.places import BOTH, Place, place
from server.commands.snapshot import Snapshot
from server.commands.work import Facts, Work
from server.domain.own_view import Own, last_seq
from server.domain.reports import Exhibit, Report, exhibit
from server.domain.rows import Conversation, Creation, Member, Message, Topic
from server.errors import Invalid, Refused, Unreachable

Map = dict[str, Any]
PAGE = 50  # reports carry texts: fewer than of other things fit into an answer


class Send(Params, frozen=True):
    """report.send."""

    conversation: Id
    reason: Literal["spam", "fraud", "harassment", "threat", "impersonation", "other"]
    message: Annotated[Id, Meta(description="The one that is meant.")] | None = None
    text: Annotated[str, Meta(description="One's own words.")] = ""
    client_id: ClientId | None = None


def _meant(where: Place, message: str, work: Work) -> list[Message]:
    """The reported message. Raises `Unreachable`."""
    row = work.find(Message, work.ids.message_key(message) or 0)
    if row is None or row.conversation != where.row.key or not where.view.sees_seq(row.seq):
        raise Unreachable
    return [row]


def _latest(where: Place, work: Work) -> list[Message]:
    """The last messages that the reporter may see of a conversation reported as a whole."""
    last = last_seq(where.row, where.mine)
    keys = work.need(Newest, (where.row.key, last, work.policy.report_messages)).messages
    work.want(*((Message, key) for key in keys))
    rows = [work.need(Message, key) for key in reversed(keys)]
    return [row for row in rows if where.view.sees_seq(row.seq)]


def send(me: Member, p: Send, work: Work) -> Map:
    """Report a message or a conversation; it moves out of one's own inbox.

    What one has reported and no operator has closed yet is not reported a second time.
    """
    text(p.text, work.policy.report_characters, "text", empty=True)
    client_id(p.client_id)
    work.want((Topic, me.topic), (OpenReports, me.key))
    if p.client_id is not None:
        work.want((Creation, (me.key, p.client_id)))
    made = creations.made(me.key, p.client_id, "report.send", p, work)
    if made is not None:
        return {"report": work.ids.report(made), "duplicate": True}
    # Not without what one has cleared: one has seen it, and may have cleared it for what it was.
    where = place(me, work.ids.conversation_key(p.conversation), work)
    work.want(*((Topic, key) for key in where.topics))
    messages = _latest(where, work) if p.message is None else _meant(where, p.message, work)
    meant = 0 if p.message is None else messages[0].key
    reports = work.need(OpenReports, me.key).reports
    same = next((r for r in reports if (r.conversation, r.message) == (where.row.key, meant)), None)
    if same is None and len(reports) >= work.policy.open_reports_per_member:
        raise Refused("open_reports", "You have reported much that nobody has looked at yet.")
    if same is None:
        work.want(*((Texts, (row.key, row.rev)) for row in messages))
        exhibits = [
            exhibit(
                row,
                work.need(Texts, (row.key, row.rev)).changes,
                where.view.moment_of(row.seq),
                work.policy.report_versions,
            )
            for row in messages
        ]
        kept = Report(
            work.new_key(), me.key, where.row.key, meant, p.reason, p.text, work.now_ms, exhibits
        )
        work.put(kept)
        work.put(OpenReports(me.key, [*reports, kept]))
    else:
        kept = same
    creations.remember(me.key, p.client_id, "report.send", p, kept.key, work)
    own = work.find(Own, (where.row.key, me.key)) or Own(where.row.key, me.key)
    own_view.store(me, where, own, replace(own, reported=True), work)
    return {"report": work.ids.report(kept.key), "duplicate": same is not None}


class Page(Params, frozen=True):
    """report.list."""

    limit: Annotated[Limit, Meta(description="More than 50 is taken as 50.")] = 20
    before: Annotated[str, Meta(max_length=64)] | None = None


def _exhibit(row: Exhibit, facts: Facts) -> Map:
    out: Map = {
        "message": facts.ids.message(row.message),
        "seq": row.seq,
        "sender": views.member_id(row.sender, facts),
        "sent_at": row.sent_at,
        "texts": [{"body": version.body, "at": version.at_ms} for version in row.versions],
        "left_out": row.left_out,
    }
    if row.subject:
        out["subject"] = row.subject
    if row.deleted_at:
        out["deleted_at"] = row.deleted_at
    return out


def _report(row: Report, facts: Facts) -> Map:
    conversation = facts.find(Conversation, row.conversation)
    out: Map = {
        "report": facts.ids.report(row.key),
        "reporter": views.member_id(row.reporter, facts),
        "conversation": facts.ids.conversation(row.conversation),
        "kind": conversation.kind if conversation is not None else "",
        "reason": row.reason,
        "text": row.text,
        "at": row.at_ms,
        "exhibits": [_exhibit(one, facts) for one in row.exhibits],
    }
    if row.message:
        out["message"] = facts.ids.message(row.message)
    return out


def listed(operator: None, p: Page, snapshot: Snapshot) -> Map:
    """Open reports, the newest first."""
    limit = min(p.limit, PAGE)
    before = None
    if p.before is not None:
        before = snapshot.find(Report, snapshot.ids.report_key(p.before) or 0)
        if before is None:
            raise Invalid("before is not what an earlier list gave as next.", field="before")
    found = snapshot.reports(before, limit + 1)
    rows, more = found[:limit], len(found) > limit
    senders = {one.sender for row in rows for one in row.exhibits}
    snapshot.want(
        *((Member, key) for key in senders | {row.reporter for row in rows}),
        *((Conversation, row.conversation) for row in rows),
    )
    out: Map = {"reports": [_report(row, snapshot) for row in rows], "more": more}
    if more:
        out["next"] = snapshot.ids.report(rows[-1].key)
    return out


class Close(Params, frozen=True):
    """report.close."""

    report: Id


def close(operator: None, p: Close, work: Work) -> Map:
    """Close a report and forget its copies; closed again, it stays so."""
    row = work.find(Report, work.ids.report_key(p.report) or 0)
    if row is None:
        raise Invalid("report: there is no such report.", field="report")
    reporter = work.need(Member, row.reporter)
    work.want((Topic, reporter.topic), (OpenReports, row.reporter))
    if not row.closed_ms:
        work.put(replace(row, closed_ms=work.now_ms, exhibits=[], text=""))
        still = [one for one in work.need(OpenReports, row.reporter).reports if one.key != row.key]
        work.put(OpenReports(row.reporter, still))
    return {}


COMMANDS = (
    Command(
        name="report.send", params=Send, run=send, kind="write", rate="change", locks=BOTH,
        doc="Report a message or a conversation to the operator; nobody else is told.",
        result=results.Reported, errors=("unreachable", "refused", "client_id_reused"),
    ),
)  # fmt: skip
OPERATOR = (
    Command(
        name="report.list", params=Page, run=listed, kind="read", rate="none", operator=True,
        doc="Open reports, the newest first, with what was reported.", result=results.Reports,
    ),
    Command(
        name="report.close", params=Close, run=close, kind="write", rate="none", operator=True,
        locks=("member:reporter",), doc="Close a report, and forget the texts that it kept.",
        result=results.Done,
    ),
)  # fmt: skip
