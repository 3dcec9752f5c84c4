"""How somebody comes into a conversation of more than two, and how they go.

A change is an event of the conversation's own log, and told to those concerned on their own
topics; an end of access stands behind a fence.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from server.commands import views
from server.commands.facts import FenceHead, Memberships
from server.commands.places import Place
from server.commands.work import Work
from server.domain import conversations
from server.domain.ids import conversation_topic
from server.domain.rows import Conversation, Member, Participant, Topic
from server.errors import Refused

Changes = list[list[Any]]
"""Who came or went: [member key, "added" or "removed" or "left", role] each."""


def found(me: Member, others: list[Member], title: str, group: int, work: Work) -> Conversation:
    """A new conversation of the caller and these; founders have no roster event."""
    key = work.new_key()
    topic = Topic(
        work.new_key(), conversation_topic(work.ids.conversation(key)), changed_ms=work.now_ms
    )
    row = Conversation(
        key, conversations.GROUP if group else conversations.SEVERAL, topic.key, 0, 0,
        work.now_ms, me.key, title=title, active_ms=work.now_ms, group=group,
        size=len(others) + 1,
    )  # fmt: skip
    work.put(topic)
    work.put(row)
    for member in (me, *others):
        work.put(conversations.join(row, 0, member.key, None, whole=True))
        tell_joined(row, 0, member, work)
    return row


def room(count: int, work: Work) -> None:
    """Raises `Refused` for more participants than a conversation has."""
    if count > work.policy.participants_per_conversation:
        raise Refused(
            "participants_per_conversation",
            f"A conversation has at most {work.policy.participants_per_conversation} participants.",
        )


def bring_in(row: Conversation, members: list[Member], work: Work, *, limited: bool) -> None:
    """Make participants of those who are none, viewers included: newcomers, `limited` to as many
    as a conversation has, or those whom it was announced to. Raises `Refused`.

    rules: a newcomer sees the whole history, or what follows, as the policy says.
    """
    whole = not limited or work.policy.visible_to_newcomers == "full"
    work.want(
        (FenceHead, 0), (Topic, row.topic),
        *((Participant, (row.key, member.key)) for member in members),
        *((Memberships, member.key) for member in members),
        *((Topic, member.topic) for member in members),
    )  # fmt: skip
    before = {m.key: work.find(Participant, (row.key, m.key)) for m in members}
    viewing = {key for key, part in before.items() if part and part.role == conversations.VIEWER}
    new = [m for m in members if m.key in viewing or not (part := before[m.key]) or not part.role]
    if not new:
        return
    size = row.size + len(new)
    if limited:
        room(size, work)
    row = replace(
        row, rev=row.rev + 1, size=size, viewers=row.viewers - len(viewing),
        newcomers=row.newcomers + (0 if whole else len(new)),
    )  # fmt: skip
    pos = change_roster(row, [[m.key, "added", conversations.PARTICIPANT] for m in new], (), work)
    for member in new:
        part = before[member.key]
        if part is not None and member.key in viewing:
            part = conversations.leave(row, pos, part)
        work.put(conversations.join(row, pos, member.key, part, whole=whole))
        tell_joined(row, pos, member, work)


def tell_joined(row: Conversation, pos: int, member: Member, work: Work) -> None:
    """Tell a member that they are in: their sessions follow its topic from `pos` on."""
    topic = work.need(Topic, row.topic).name
    data = {"conversation": work.ids.conversation(row.key), "topic": topic, "pos": pos}
    work.emit(member.topic, "conversation.joined", data, conversation=row.key, refs={"pos": pos})


def change_roster(row: Conversation, changes: Changes, ended: tuple[str, ...], work: Work) -> int:
    """Store a conversation whose roster has changed, and say so in its log; answers where."""
    work.put(row)
    data = views.roster_change(row, row.rev, changes, row.size, work)
    refs: dict[str, object] = {"rev": row.rev, "changes": changes, "count": row.size}
    return work.emit(
        row.topic, "roster.changed", data, ended=ended, conversation=row.key, refs=refs
    )


def end_part(where: Place, member: Member, change: str, work: Work) -> None:
    """End a participant's or viewer's access: in the log, on their own topic, behind a fence."""
    key = where.row.key
    work.want(
        (Participant, (key, member.key)), (Topic, where.row.topic), (Topic, member.topic),
        (Memberships, member.key), (FenceHead, 0),
    )  # fmt: skip
    part = work.need(Participant, (key, member.key))
    viewer = part.role == conversations.VIEWER
    row = replace(
        where.row, rev=where.row.rev + 1, size=where.row.size - (not viewer),
        viewers=where.row.viewers - viewer, newcomers=where.row.newcomers - (part.since_pos > 0),
    )  # fmt: skip
    pos = change_roster(row, [[member.key, change, part.role]], (member.id,), work)
    work.put(conversations.leave(row, pos, part))
    if member.alive:
        data = {
            "conversation": work.ids.conversation(key),
            "topic": work.need(Topic, row.topic).name,
            "pos": pos - 1,
        }
        refs: dict[str, object] = {"pos": pos - 1}
        work.emit(member.topic, "conversation.left", data, conversation=key, refs=refs)
    work.fence("removed", member, conversation=row, pos=pos - 1)
