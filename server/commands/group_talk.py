"""Conversations of a group: its owner and managers start them, for some or for everybody.

An announcement to a large group is a job: what it decides commits at once, and its members come
in by small steps behind everything else (`conversation.admit`).
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from server.commands import access, results
from server.commands.command import Command, Params
from server.commands.facts import FenceHead, GroupNamed, GroupsOf, Handle, Memberships
from server.commands.places import manages
from server.commands.roster_changes import change_roster, found, room, tell_joined
from server.commands.work import Work
from server.domain import contact, conversations, groups, relations
from server.domain.rows import (
    Admission,
    Conversation,
    Group,
    GroupMember,
    Member,
    Pair,
    Participant,
    Topic,
)
from server.errors import Refused, Unreachable

Map = dict[str, Any]


def start(me: Member, group_id: str, members: list[str], title: str, work: Work) -> int:
    """A conversation of the group with chosen members, or with all; answers its key."""
    group = _managed(me, group_id, work)
    if not members:
        return _announce(me, group, title, work)
    room(len(members) + 1, work)
    others = fellows(me, group, members, work)
    return found(me, others, title, group, work).key


def _managed(me: Member, group_id: str, work: Work) -> int:
    """The key of a group whose conversations the caller may start. Raises `Unreachable`,
    `Refused`."""
    work.want((GroupNamed, group_id), (GroupsOf, me.key))
    key = work.need(GroupNamed, group_id).group
    if key not in work.need(GroupsOf, me.key).roles:
        raise Unreachable
    if not manages(me, key, work):
        raise Refused("managers_only", "A group's owner and managers start its conversations.")
    return key


def fellows(me: Member, group: int, members: list[str], work: Work) -> list[Member]:
    """These members, each of the group, and none between whom and the caller is a block."""
    work.want(*((Handle, member) for member in members))
    others = [access.reachable(member, work) for member in members]
    work.want(
        *((Topic, other.topic) for other in others),
        *((GroupMember, (group, other.key)) for other in others),
        *((Pair, relations.ident(me.key, other.key)) for other in others),
    )
    for other in others:
        if not _belongs(me.key, other, group, work):
            raise Unreachable
    return others


def _belongs(me: int, other: Member, group: int, work: Work) -> bool:
    part = work.find(GroupMember, (group, other.key))
    pair = work.find(Pair, relations.ident(me, other.key))
    inside = part is not None and part.role != groups.GONE
    return inside and contact.visible(other, pair)


def _announce(me: Member, key: int, title: str, work: Work) -> int:
    group = work.need(Group, key)
    work.want((Topic, group.topic))
    wait = work.policy.announce_after_ms
    if group.announced_ms and work.now_ms - group.announced_ms < wait:
        raise Refused("announce_after", "This group has had an announcement within a week.")
    work.put(replace(group, announced_ms=work.now_ms))
    row = found(me, [], title, group.key, work)
    work.put(Admission(row.key, group.key))
    return row.key


class Admit(Params, frozen=True):
    """A step of an announcement: the group's members of these keys, the last of them `after`;
    none when there are no more."""

    conversation: int
    members: tuple[int, ...] = ()


def admit(operator: None, p: Admit, work: Work) -> Map:
    """One idempotent step of an announcement, behind live sends."""
    row = work.need(Conversation, p.conversation)
    work.want((Topic, row.topic), (FenceHead, 0), (Admission, row.key))
    job = work.need(Admission, row.key)
    if not p.members:
        work.put(replace(job, done=True))
        return {}
    keys = [key for key in p.members if key > job.after and key != row.founder]
    work.want(*((Member, key) for key in keys))
    alive = [other for key in keys if (other := work.need(Member, key)).alive]
    work.want(
        *((Topic, other.topic) for other in alive),
        *((GroupMember, (row.group, other.key)) for other in alive),
        *((Pair, relations.ident(row.founder, other.key)) for other in alive),
        *((Participant, (row.key, other.key)) for other in alive),
        *((Memberships, other.key) for other in alive),
    )
    new = []
    for other in alive:
        before = work.find(Participant, (row.key, other.key))
        # Who was here and left, or was removed, is not brought back.
        if before is None and _belongs(row.founder, other, row.group, work):
            new.append(other)
    if new:
        row = replace(row, rev=row.rev + 1, size=row.size + len(new))
        changes = [[other.key, "added", conversations.PARTICIPANT] for other in new]
        pos = change_roster(row, changes, (), work)
        for other in new:
            work.put(conversations.join(row, pos, other.key, None, work.policy))
            tell_joined(row, pos, other, work)
    work.put(replace(job, after=max(p.members[-1], job.after)))
    return {}


INTERNAL = (
    Command(
        name="conversation.admit", params=Admit, run=admit, kind="write", rate="none",
        operator=True, locks=("conversation", "member:each of members"),
        doc="A step of an announcement.", result=results.Done,
    ),
)  # fmt: skip
