"""Commands on groups: the operator's, who keeps them, and a member's list of their own.

A membership changes under the group's lock and the member's, so that whoever holds either may
rely on it. Large changes are split into steps before they come here: see `server.web.provisioning`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta
from msgspec.structs import replace

from server.commands import audit, results
from server.commands.access import known, named
from server.commands.command import Command, MemberRef, Nothing, Params
from server.commands.facts import FenceHead, GroupNamed, GroupsOf, Handle, Memberships
from server.commands.places import place
from server.commands.roster_changes import end_part
from server.commands.snapshot import Snapshot
from server.commands.work import Work
from server.domain import groups
from server.domain.ids import MEMBER_ID
from server.domain.rows import Conversation, Group, GroupMember, Member, Participant, Topic
from server.errors import Invalid, Refused

Map = dict[str, Any]
STEP = 100  # members that come in by one step
DROP = 20  # and that go by one: each out of all of the group's conversations that they are in
GroupRef = Annotated[str, Meta(pattern=MEMBER_ID, description="A group's id.")]
Name = Annotated[str, Meta(min_length=1, max_length=100)]


class PutGroup(Params, frozen=True):
    """group.put: the whole group; a list that is not given stays as it is."""

    id: GroupRef
    name: Name
    owner: MemberRef
    managers: Annotated[list[MemberRef], Meta(max_length=1000)] | None = None
    members: Annotated[list[MemberRef], Meta(max_length=100_000)] | None = None


def put(operator: None, p: PutGroup, work: Work) -> Map:
    """Make a group or change its name and owner; who else is in it follows by `group.step`."""
    owner = known(p.owner, "owner", work)
    work.want((GroupNamed, p.id))
    key = work.need(GroupNamed, p.id).group
    known_as = group = work.need(Group, key) if key else None
    if group is None:
        topic = Topic(work.new_key(), f"group:{p.id}")
        work.put(topic)
        group = Group(work.new_key(), p.id, topic.key, p.name, 0)
    work.want((Topic, group.topic), (Topic, owner.topic))
    group = replace(group, name=p.name)
    if group.owner != owner.key:
        before = work.need(Member, group.owner) if group.owner else None
        if before is not None and before.alive:
            group = _assign(group, before, groups.MEMBER, work)
            _note(group, before, work)
        group = replace(_assign(group, owner, groups.OWNER, work), owner=owner.key)
    if group != known_as:
        work.put(group)
    return {"id": p.id}


def _note(group: Group, member: Member, work: Work) -> None:
    """Note for the audit log that group.put has changed a member's part, if it has."""
    part = work.put_rows.get((GroupMember, (group.key, member.key)))
    if isinstance(part, GroupMember):
        became: Map = {"removed": True} if part.role == groups.GONE else {"role": part.role}
        audit.write("group.put", work, member.id, detail={"group": group.id, **became})


def _found(group: str, work: Work) -> Group:
    work.want((GroupNamed, group))
    key = work.need(GroupNamed, group).group
    if not key:
        raise Invalid("group: there is no such group.", field="group")
    return work.need(Group, key)


def _assign(group: Group, member: Member, role: str, work: Work) -> Group:
    """Give a member a role in a group, from none at all or another. Raises `Refused`."""
    ident = (group.key, member.key)
    work.want((GroupsOf, member.key), (Topic, group.topic), (Topic, member.topic))
    # Of a group that is only being made there is nothing to read.
    part = work.find(GroupMember, ident) if group.size else None
    before = part.role if part is not None else groups.GONE
    if before == role:
        return group
    policy = work.policy
    size = group.size + (before == groups.GONE)
    managers = group.managers + (role == groups.MANAGER) - (before == groups.MANAGER)
    if size > policy.group_members:
        raise Refused("group_members", f"A group has at most {policy.group_members} members.")
    if managers > policy.group_managers:
        raise Refused("group_managers", f"A group has at most {policy.group_managers} managers.")
    if before == groups.GONE and (
        len(work.need(GroupsOf, member.key).roles) >= policy.groups_per_member
    ):
        raise Refused("groups_per_member", f"{member.id} is in as many groups as one can be.")
    group = replace(group, size=size, managers=managers)
    work.put(GroupMember(group.key, member.key, role))
    work.put(group)
    return group


def dismiss(group: Group, members: list[Member], work: Work) -> Group:
    """End these members' parts in a group, and in all of its conversations."""
    work.want(
        (Topic, group.topic), (FenceHead, 0),
        *((Topic, member.topic) for member in members if member.topic),
        *((GroupMember, (group.key, member.key)) for member in members),
        *((GroupsOf, member.key) for member in members),
        *((Memberships, member.key) for member in members),
    )  # fmt: skip
    theirs = {m.key: work.need(Memberships, m.key).conversations for m in members}
    # A conversation's group and topic never change: a glance tells which are concerned.
    work.glance(*((Conversation, key) for keys in theirs.values() for key in keys))
    ours = {
        member: [key for key in keys if work.seen(Conversation, key).group == group.key]
        for member, keys in theirs.items()
    }
    work.want(
        *((Participant, (key, member)) for member, keys in ours.items() for key in keys),
        *((Topic, work.seen(Conversation, key).topic) for keys in ours.values() for key in keys),
    )
    for member in members:
        group = _dismiss(group, member, ours[member.key], work)
    return group


def _dismiss(group: Group, member: Member, conversations: list[int], work: Work) -> Group:
    part = work.find(GroupMember, (group.key, member.key))
    if part is None or part.role == groups.GONE:
        return group
    for key in conversations:
        end_part(place(member, key, work), member, "removed", work)
    group = replace(
        group, size=group.size - 1, managers=group.managers - (part.role == groups.MANAGER)
    )
    work.put(replace(part, role=groups.GONE))
    work.put(group)
    return group


class Join(Params, frozen=True):
    """group.add."""

    group: GroupRef
    member: MemberRef
    role: Literal["member", "manager"] = "member"


def add(operator: None, p: Join, work: Work) -> Map:
    """Bring a member into a group, or give them another role in it."""
    group = _found(p.group, work)
    member = known(p.member, "member", work)
    if member.key == group.owner:
        raise Refused("owner", "The owner stays the owner: put another one first.")
    _assign(group, member, p.role, work)
    return {}


class Quit(Params, frozen=True):
    """group.remove."""

    group: GroupRef
    member: MemberRef


def remove(operator: None, p: Quit, work: Work) -> Map:
    """End a member's part in a group, and with it in its conversations."""
    group = _found(p.group, work)
    member = known(p.member, "member", work)
    if member.key == group.owner:
        raise Refused("owner", "The owner stays the owner: put another one first.")
    work.want((FenceHead, 0))
    if dismiss(group, [member], work) is group:
        work.as_before()
    return {}


class Step(Params, frozen=True):
    """A part of group.put: these come in with a role, these go."""

    group: str
    add: tuple[str, ...] = ()
    role: str = groups.MEMBER
    drop: tuple[str, ...] = ()


def step(operator: None, p: Step, work: Work) -> Map:
    """One idempotent step of group.put."""
    group = _found(p.group, work)
    work.want(*((Handle, member) for member in (*p.add, *p.drop)))
    coming = [known(member, "members", work) for member in p.add]
    going = [row for member in p.drop if (row := named(member, work)) is not None]
    work.want(
        (Topic, group.topic), (FenceHead, 0),
        *((Topic, row.topic) for row in (*coming, *going)),
        *((GroupsOf, row.key) for row in (*coming, *going)),
        *((GroupMember, (group.key, row.key)) for row in (*coming, *going)),
    )  # fmt: skip
    group = dismiss(group, [row for row in going if row.key != group.owner], work)
    for row in coming:
        if row.key != group.owner:
            group = _assign(group, row, p.role, work)
    for row in (*going, *coming):
        _note(group, row, work)
    return {}


def steps(p: PutGroup, snapshot: Snapshot) -> list[Step]:
    """What group.put comes to for managers and members, as small steps: first who goes.

    Raises `Invalid` for who does not exist, `Refused` for too many, before anything is changed.
    """
    managers = list(dict.fromkeys(p.managers)) if p.managers is not None else None
    members = list(dict.fromkeys(p.members)) if p.members is not None else None
    if len(managers or ()) > snapshot.policy.group_managers:
        raise Refused("group_managers", "A group has not as many managers.")
    if len(members or ()) > snapshot.policy.group_members:
        raise Refused("group_members", "A group has not as many members.")
    snapshot.want(*((Handle, one) for one in (*(managers or ()), *(members or ()))))
    for field, ids in (("managers", managers), ("members", members)):
        for one in ids or ():
            known(one, field, snapshot)
    now = snapshot.group_roles(p.id)
    lead = set(managers) if managers is not None else _holding(now, groups.MANAGER)
    plain = set(members) if members is not None else _holding(now, groups.MEMBER)
    lead.discard(p.owner)
    plain -= lead | {p.owner}
    going = sorted(now.keys() - lead - plain - {p.owner}) if members is not None else []
    # Who leads no longer stays as a member, unless the members are given without them.
    demoted = _holding(now, groups.MANAGER) - lead - set(going) - {p.owner}
    changes = (
        (groups.MEMBER, sorted(({*plain, *demoted}) - _holding(now, groups.MEMBER))),
        (groups.MANAGER, sorted(lead - _holding(now, groups.MANAGER))),
    )
    out = [Step(group=p.id, drop=tuple(some)) for some in _some(going, DROP)]
    for role, ids in changes:
        out += [Step(group=p.id, add=tuple(some), role=role) for some in _some(ids)]
    return out


def _holding(roles: dict[str, str], role: str) -> set[str]:
    return {member for member, held in roles.items() if held == role}


def _some(ids: list[str], size: int = STEP) -> list[list[str]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def own(me: Member, p: Nothing, snapshot: Snapshot) -> Map:
    """The groups that one is in."""
    found = snapshot.groups(me.key)
    listed = [
        {"group": row.id, "name": row.name, "role": role, "size": row.size} for row, role in found
    ]
    return {"groups": listed, "at": snapshot.heads([me.topic])}


COMMANDS = (
    Command(
        name="group.list", params=Nothing, run=own, kind="read", rate="read",
        doc="The groups that one is in.", result=results.Groups,
    ),
)  # fmt: skip
GROUP = ("group", "member:named")
OPERATORS = (
    Command(
        name="group.put", params=PutGroup, run=put, kind="write", rate="none", operator=True,
        locks=GROUP, doc="Make or change a group.", result=results.Put, errors=("refused",),
    ),
    Command(
        name="group.add", params=Join, run=add, kind="write", rate="none", operator=True,
        locks=GROUP, doc="Bring a member into a group, or give them another role.",
        result=results.Done, errors=("refused",),
    ),
    Command(
        name="group.remove", params=Quit, run=remove, kind="write", rate="none", operator=True,
        locks=GROUP, doc="End a member's part in a group and its conversations.",
        result=results.Done, errors=("refused",),
    ),
)  # fmt: skip
INTERNAL = (
    Command(
        name="group.step", params=Step, run=step, kind="write", rate="none", operator=True,
        locks=GROUP, doc="A step of group.put.", result=results.Done,
    ),
)  # fmt: skip
