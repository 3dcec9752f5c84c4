"""All that is a member's, in sections, a page at a time: for the member, or for the operator.

A section is a function in `SECTIONS` that gives some items and from where to go on. It shows what
the member may see by their own commands and nothing else: nobody else's reading, no original of a
changed message, nothing of who blocks them; of a conversation that they left, what it was then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from server.commands import groups, purse, reading, results, views
from server.commands.command import PAGE, Command, Limit, MemberRef, Nothing, Page, Params
from server.commands.facts import Handle
from server.commands.places import place
from server.commands.snapshot import Snapshot
from server.domain.rows import WAITING, Invitation, Member
from server.errors import Invalid, Unreachable

Map = dict[str, Any]
PLACES = 50  # conversations looked into for one page of messages; most have few


class Part(msgspec.Struct, frozen=True):
    """Some items of a section, and its cursor behind them; None when it is over."""

    items: list[Map]
    after: str | None = None


Section = Callable[[Member, str | None, int, Snapshot], Part]


class _NoCursor(Exception):
    """What was given as `before` is none of this section's."""


def _profile(me: Member, before: str | None, limit: int, snapshot: Snapshot) -> Part:
    seen = snapshot.rights.last_seen(me.key)
    item = {"id": me.id, "name": me.name, "headline": me.headline, "avatar": me.avatar,
            "plan": me.plan, "facets": me.facets}  # fmt: skip
    return Part([{**item, "last_active": seen} if seen else item])


def _settings(me: Member, before: str | None, limit: int, snapshot: Snapshot) -> Part:
    return Part([views.settings(me)])


def _devices(me: Member, before: str | None, limit: int, snapshot: Snapshot) -> Part:
    """Those of tokens that have not ended; of the tokens nothing."""
    found = snapshot.rights.devices_of(me.key, before or "", limit + 1)
    items: list[Map] = [{"device": name, "tokens_end": ends} for name, ends in found[:limit]]
    return Part(items, found[limit - 1][0] if len(found) > limit else None)


def _others(which: str) -> Section:
    def section(me: Member, before: str | None, limit: int, snapshot: Snapshot) -> Part:
        after = None
        if before is not None:
            key = snapshot.ids.member_key(before)
            after = snapshot.find(Member, key) if key is not None else None
            if after is None:
                raise _NoCursor
        rows = snapshot.others(me.key, which, after, limit + 1)
        more = snapshot.ids.member(rows[limit - 1].key) if len(rows) > limit else None
        return Part([views.profile(row) for row in rows[:limit]], more)

    return section


# A sender is not told that theirs was ignored, refused or ended by a block; one that was taken back
# is nobody's but its sender's.
_SENT = {**dict.fromkeys(WAITING, "open"), "accepted": "accepted", "withdrawn": "over"}
_RECEIVED = {"pending": "open", "ignored": "ignored", "refused": "refused", "accepted": "accepted"}


def _invitations(me: Member, before: str | None, limit: int, snapshot: Snapshot) -> Part:
    key = None
    if before is not None and (key := snapshot.ids.invitation_key(before)) is None:
        raise _NoCursor
    rows = snapshot.rights.invitations_of(me.key, key, limit + 1)
    items: list[Map] = []
    for row in rows[:limit]:
        state = _state(me, row)
        if state is not None:
            items.append({**views.invitation(row, snapshot), "state": state})
    more = snapshot.ids.invitation(rows[limit - 1].key) if len(rows) > limit else None
    return Part(items, more)


def _state(me: Member, row: Invitation) -> str | None:
    return (_SENT if row.sender == me.key else _RECEIVED).get(row.state)


def _key(before: str, snapshot: Snapshot) -> int:
    key = snapshot.ids.conversation_key(before)
    if key is None:
        raise _NoCursor
    return key


def _conversations(me: Member, before: str | None, limit: int, snapshot: Snapshot) -> Part:
    """Each as the member sees it, with their own reading; without others' receipts."""
    after = _key(before, snapshot) if before is not None else 0
    parts = snapshot.rights.conversations_of(me.key, after, limit + 1)
    items: list[Map] = []
    for part in parts[:limit]:
        asked = reading.Get(conversation=snapshot.ids.conversation(part.conversation))
        try:
            item = reading.get(me, asked, snapshot)
        except Unreachable:  # what they had of it is not theirs to see
            continue
        for participant in item["participants"]:
            participant.pop("shown", None)
        items.append({**item, "shown": part.shown, "shown_at": part.shown_ms})
    more = snapshot.ids.conversation(parts[limit - 1].conversation) if len(parts) > limit else None
    return Part(items, more)


def _place(before: str | None, snapshot: Snapshot) -> tuple[int, int]:
    """A cursor that is a conversation and a number in it; the first of all without one."""
    if before is None:
        return 0, 0
    conversation, _, seq = before.partition(".")
    if not (seq.isascii() and seq.isdigit() and len(seq) < 16):
        raise _NoCursor
    return _key(conversation, snapshot), int(seq)


def _messages(me: Member, before: str | None, limit: int, snapshot: Snapshot) -> Part:
    """What they may read, conversation by conversation, in order."""
    key, after = _place(before, snapshot)
    items: list[Map] = []
    # The conversation of the cursor is gone on with; it is none where that was its end.
    parts = snapshot.rights.conversations_of(me.key, key - 1, PLACES + 1)
    for part in parts[:PLACES]:
        conversation = snapshot.ids.conversation(part.conversation)
        asked = reading.History(
            conversation=conversation,
            after=after if part.conversation == key else 0,
            limit=limit - len(items),
        )
        try:
            page = reading.history(me, asked, snapshot)
        except Unreachable:
            continue
        items += page["messages"]
        if page["more"] or len(items) >= limit:
            last = page["messages"][-1]["seq"] if page["messages"] else asked.after
            return Part(items, f"{conversation}.{last}")
    if len(parts) > PLACES:
        return Part(items, f"{snapshot.ids.conversation(parts[PLACES].conversation)}.0")
    return Part(items)


def _reactions(me: Member, before: str | None, limit: int, snapshot: Snapshot) -> Part:
    """Their own, where they may see the message; those taken back are gone."""
    wanted = limit + snapshot.policy.reactions_per_member
    rows, more = snapshot.rights.reactions_of(me.key, _place(before, snapshot), wanted)
    if len(rows) == wanted:
        # A message's are not divided: what may have been cut off comes with the next page.
        rows = [row for row in rows if row[:2] != rows[-1][:2]] or rows
        more = rows[-1][:2]
    items: list[Map] = []
    for key, seq, row in rows:
        try:
            where = place(me, key, snapshot)
        except Unreachable:
            continue
        if where.view.sees_seq(seq):
            item = {"conversation": snapshot.ids.conversation(key), "seq": seq, "emoji": row.emoji}
            items.append({**item, "message": snapshot.ids.message(row.message)})
    if more is None:
        return Part(items)
    return Part(items, f"{snapshot.ids.conversation(more[0])}.{more[1]}")


def _groups(me: Member, before: str | None, limit: int, snapshot: Snapshot) -> Part:
    """The groups that one is in, with one's role."""
    return Part(groups.own(me, Nothing(), snapshot)["groups"])


def _credits(me: Member, before: str | None, limit: int, snapshot: Snapshot) -> Part:
    """The ledger of one's credits."""
    try:
        page = purse.own(me, Page(limit=limit, before=before), snapshot)
    except Invalid:
        raise _NoCursor from None
    return Part(page["entries"], page.get("next"))


def _reports(me: Member, before: str | None, limit: int, snapshot: Snapshot) -> Part:
    """What one has reported and said about it; the copies that a report keeps are not one's own."""
    key = None
    if before is not None and (key := snapshot.ids.report_key(before)) is None:
        raise _NoCursor
    rows = snapshot.reports_of(me.key, key, limit + 1)
    items: list[Map] = []
    for row in rows[:limit]:
        item: Map = {"report": snapshot.ids.report(row.key),
                     "conversation": snapshot.ids.conversation(row.conversation),
                     "reason": row.reason, "text": row.text, "at": row.at_ms}  # fmt: skip
        items.append(
            {**item, "message": snapshot.ids.message(row.message)} if row.message else item
        )
    return Part(items, items[-1]["report"] if len(rows) > limit else None)


SECTIONS: dict[str, Section] = {
    "profile": _profile,
    "settings": _settings,
    "devices": _devices,
    "connections": _others("connected"),
    "blocks": _others("blocked"),
    "invitations": _invitations,
    "groups": _groups,
    "credits": _credits,
    "conversations": _conversations,
    "messages": _messages,
    "reactions": _reactions,
    "reports": _reports,
}
FIRST = next(iter(SECTIONS))


class Export(Params, frozen=True):
    """export: one page; the first without parameters, then what the last one gave as `next`."""

    section: Annotated[str, Meta(description=", ".join(SECTIONS))] = FIRST
    before: Annotated[str, Meta(max_length=64)] | None = None
    limit: Limit = PAGE


class ExportMember(Export, frozen=True, kw_only=True):
    """member.export: of whom."""

    id: MemberRef


def export(me: Member, p: Export, snapshot: Snapshot) -> Map:
    """A page of what is a member's, and where the next one begins."""
    section = SECTIONS.get(p.section)
    if section is None:
        raise Invalid(f"section is one of {', '.join(SECTIONS)}.", field="section")
    try:
        part = section(me, p.before, min(p.limit, PAGE), snapshot)
    except _NoCursor:
        raise Invalid("before is not what this section gave as next.", field="before") from None
    out: Map = {"section": p.section, "items": part.items, "at_ms": snapshot.now_ms}
    if part.after is not None:
        out["next"] = {"section": p.section, "before": part.after}
    else:
        names = list(SECTIONS)
        following = names[names.index(p.section) + 1 :]
        if following:
            out["next"] = {"section": following[0]}
    return out


def export_member(operator: None, p: ExportMember, snapshot: Snapshot) -> Map:
    """The same for the operator; also of a deleted member, until they are erased."""
    handle = snapshot.find(Handle, p.id)
    row = snapshot.find(Member, handle.member) if handle is not None and handle.member else None
    if row is None:
        raise Invalid("id: there is no such member.", field="id")
    return export(row, p, snapshot)


OWN = (
    Command(
        name="export", params=Export, run=export, kind="read", rate="export",
        doc="All that is one's own, a page at a time.", result=results.Exported,
        errors=("unknown_outcome",),
    ),
)  # fmt: skip
COMMANDS = (
    Command(
        name="member.export", params=ExportMember, run=export_member, kind="read", rate="none",
        operator=True, doc="All that is a member's, a page at a time.", result=results.Exported,
        errors=("unknown_outcome",),
    ),
)  # fmt: skip
