"""Conversations of a group: its owner and managers start them, for some or for everybody.

An announcement to a large group is a job: what it decides commits at once, and its members come
in by small steps behind everything else (`conversation.admit`).
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from server.commands import access, reach, results
from server.commands.command import Command, Params
from server.commands.facts import FenceHead, GroupNamed, GroupsOf, Handle
from server.commands.places import manages
from server.commands.roster_changes import bring_in, found, room
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
    """These members, each of the group, and none between whom and the caller is a block. Raises
    `Unreachable`."""
    work.want((Topic, me.topic), *((Handle, member) for member in members))
    keys = [reach.key_of(member, work) for member in members]
    work.want(
        *((GroupMember, (group, key)) for key in keys),
        *((Pair, relations.ident(me.key, key)) for key in keys),
    )
    others = []
    for member in members:
        other = access.named(member, work)
        if other is None or not belongs(me, other, group, work):
            raise Unreachable
        others.append(other)
    work.want(*((Topic, other.topic) for other in others))
    return others


def belongs(me: Member, other: Member, group: int, work: Work) -> bool:
    """Whether the caller may bring a member of the group into one of its conversations."""
    part = work.find(GroupMember, (group, other.key))
    pair = work.find(Pair, relations.ident(me.key, other.key))
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
    if job.done:
        return {}
    if not p.members:
        work.put(replace(job, done=True))
        return {}
    work.want(*((Member, key) for key in (row.founder, *p.members)))
    others = [work.need(Member, key) for key in p.members if key > job.after]
    founder = work.need(Member, row.founder)
    work.want(*([(Topic, founder.topic)] if founder.topic else []))
    if not founder.alive or not manages(founder, row.group, work):
        work.put(replace(job, done=True))  # it was theirs to announce, and is no more
        return {}
    alive = [other for other in others if other.alive and other.key != founder.key]
    work.want(
        *((Topic, other.topic) for other in alive),
        *((GroupMember, (row.group, other.key)) for other in alive),
        *((Pair, relations.ident(row.founder, other.key)) for other in alive),
        *((Participant, (row.key, other.key)) for other in alive),
    )
    new = []
    for other in alive:
        before = work.find(Participant, (row.key, other.key))
        # Who was here and left, or was removed, is not brought back.
        unmet = before is None or before.role == conversations.VIEWER
        if unmet and belongs(founder, other, row.group, work):
            new.append(other)
    bring_in(row, new, work, limited=False)
    work.put(replace(job, after=max(p.members[-1], job.after)))
    return {}


INTERNAL = (
    Command(
        name="conversation.admit", params=Admit, run=admit, kind="write", rate="none",
        operator=True, locks=("conversation", "member:each of members"),
        doc="A step of an announcement.", result=results.Done,
    ),
)  # fmt: skip
