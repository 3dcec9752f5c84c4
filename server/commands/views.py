"""What rows look like on the wire: the maps that results and events carry.

The same functions serve the live event, its replay from the log and every read, so that the
three cannot differ. They tell no secrets by themselves: whoever calls has authorised the reader.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from server.commands.facts import Reactions
from server.commands.work import Facts
from server.domain import own_view
from server.domain.own_view import Own
from server.domain.rights import ERASED
from server.domain.rows import Conversation, Invitation, Member, Message, Reaction

Map = dict[str, Any]
SETTINGS = ("receipts", "active_status", "inmail", "sponsored", "open_profile")


def member_id(key: int, facts: Facts) -> str:
    """A member's wire id by key."""
    row = facts.find(Member, key)
    return shown(row)["member"] if row is not None else ""


def shown(row: Member) -> Map:
    """Who somebody is to others: {member, name}; an erased one is nobody in particular."""
    if row.erased_ms:
        return {"member": ERASED, "name": ""}
    return {"member": row.id, "name": row.name}


def out_of_sight_ms(key: int, facts: Facts) -> int:
    """Since when what a member wrote is out of sight, if it is; else 0. It may be there still:
    there are steps to its removal, and a hold puts it off."""
    row = facts.find(Member, key)
    return row.erased_ms if row is not None and row.erased_whole else 0


def profile(row: Member) -> Map:
    """A member as lists show them: {member, name, headline, avatar}."""
    if row.erased_ms:
        return {**shown(row), "headline": "", "avatar": ""}
    return {**shown(row), "headline": row.headline, "avatar": row.avatar}


def settings(row: Member) -> Map:
    """All settings: {receipts, active_status, inmail, sponsored, open_profile}."""
    return {name: getattr(row, name) for name in SETTINGS}


def marks(own: Own | None, last: int) -> Map:
    """One's own marks on a conversation whose last message is `last`: {muted, starred, archived,
    unread_mark, reported, archived_seq?, cleared_seq?}."""
    out: Map = {
        "muted": own is not None and own.muted,
        "starred": own is not None and own.starred,
        "archived": own_view.archived(own, last),
        "unread_mark": own is not None and own.unread,
        "reported": own is not None and own.reported,
    }
    if own is not None:
        # As they were stored: whoever hears of a later message works out the rest.
        for name in ("archived_seq", "cleared_seq"):
            if getattr(own, name) != own_view.NEVER:
                out[name] = getattr(own, name)
    return out


def invitation(row: Invitation, facts: Facts) -> Map:
    """An invitation: {invitation, from, to, note, sent_at}."""
    return {
        "invitation": facts.ids.invitation(row.key),
        "from": member_id(row.sender, facts),
        "to": member_id(row.recipient, facts),
        "note": row.note,
        "sent_at": row.sent_at,
    }


def reactions(rows: Iterable[Reaction], facts: Facts, *, counted: bool = False) -> list[Map]:
    """Reactions by emoji in the order they first came: members, or above 50 a count."""
    by_emoji: dict[str, list[str]] = {}
    rows = (row for row in rows if not out_of_sight_ms(row.member, facts))
    for row in sorted(rows, key=lambda r: r.added_rev):
        by_emoji.setdefault(row.emoji, []).append(member_id(row.member, facts))
    if counted:
        return [{"emoji": emoji, "count": len(who)} for emoji, who in by_emoji.items()]
    return [{"emoji": emoji, "members": who} for emoji, who in by_emoji.items()]


def present(rows: Iterable[Reaction]) -> list[Reaction]:
    """The reactions that have not been taken back."""
    return [row for row in rows if not row.removed_rev]


def emojis(rows: Iterable[Reaction], member: int) -> list[str]:
    """One member's present emojis on a message, in the order added."""
    mine = (row for row in present(rows) if row.member == member)
    return [row.emoji for row in sorted(mine, key=lambda r: r.added_rev)]


def message(
    row: Message, facts: Facts, reacted: Iterable[Reaction] = (), *, counted: bool = False
) -> Map:
    """A message, or its tombstone once it is deleted; `reacted` are its present reactions."""
    ids = facts.ids
    deleted_at = row.deleted_at or out_of_sight_ms(row.sender, facts)
    out: Map = {
        "conversation": ids.conversation(row.conversation),
        "message": ids.message(row.key),
        "seq": row.seq,
        "sender": member_id(row.sender, facts),
        "sent_at": row.sent_at,
        "rev": row.rev,
    }
    if deleted_at:
        out["deleted_at"] = deleted_at
        return out
    out["kind"] = row.kind
    out["body"] = row.body
    out["client_id"] = row.client_id
    out["reactions"] = reactions(reacted, facts, counted=counted) if reacted else []
    if row.edited_at:
        out["edited_at"] = row.edited_at
    if row.subject:
        out["subject"] = row.subject
    if row.reply_to:
        out["reply_to"] = ids.message(row.reply_to)
    if row.mentions:
        out["mentions"] = [member_id(key, facts) for key in row.mentions]
    return out


def message_now(row: Message, facts: Facts, *, counted: bool = False) -> Map:
    """A message with the reactions that it has now."""
    known = facts.find(Reactions, row.key)
    return message(row, facts, present(known.reactions) if known else (), counted=counted)


def reacted(row: Message, member: int, rows: Iterable[Reaction], facts: Facts) -> Map:
    """`message.reacted`: all of one member's emojis on a message; none once it is deleted."""
    return {
        "conversation": facts.ids.conversation(row.conversation),
        "message": facts.ids.message(row.key),
        "rev": row.rev,
        "member": member_id(member, facts),
        "emojis": [] if row.deleted_at else emojis(rows, member),
    }


def roster_change(
    conversation: Conversation, rev: int, changes: list[list[Any]], count: int, facts: Facts
) -> Map:
    """`roster.changed`; `changes` are [member key, change, role], none above 50 participants."""
    out: Map = {
        "conversation": facts.ids.conversation(conversation.key),
        "rev": rev,
        "participant_count": count,
    }
    if count <= facts.policy.signals_up_to:
        out["changes"] = []
        for key, change, role in changes:
            row = facts.find(Member, key)
            if row is not None:
                out["changes"].append({**shown(row), "change": change, "role": role})
    return out
