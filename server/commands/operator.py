"""The operator's commands: members, connections, tokens' end. Given with the admin key.

Unlike members, the operator is told plainly when something does not exist.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from server.commands import access, ledger, results
from server.commands.command import Command, Id, MemberRef, Params
from server.commands.connections import connect_pair, part
from server.commands.departed import fresh
from server.commands.facts import Devices, FenceHead, Handle, Named, Tokens
from server.commands.groups import dismiss
from server.commands.members import Settings, apply_settings
from server.commands.places import place
from server.commands.roster_changes import end_part
from server.commands.snapshot import Snapshot
from server.commands.work import Work
from server.domain import credit, relations
from server.domain.ids import member_topic
from server.domain.rights import ERASED
from server.domain.rows import Group, Member, Pair, Refusal, Topic, Wallet
from server.errors import Invalid, Refused

Map = dict[str, Any]
Plan = Literal["basic", "career", "business", "sales_navigator", "recruiter_lite"]
Words = Annotated[str, Meta(max_length=200)]


class PutMember(Params, frozen=True):
    """member.put: the whole member; settings that are not given stay as they are."""

    id: MemberRef
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    headline: Words = ""
    avatar: Annotated[str, Meta(max_length=2000)] = ""
    plan: Plan = "basic"
    facets: dict[str, Annotated[list[Words], Meta(max_length=100)]] = msgspec.field(
        default_factory=dict
    )
    settings: Settings = Settings()


def put_member(operator: None, p: PutMember, work: Work) -> Map:
    """Make a member, or change one."""
    if p.avatar and not p.avatar.startswith(("https://", "http://")):
        raise Invalid("avatar is no http address.", field="avatar")
    if len(p.facets) > 20:
        raise Invalid("facets has more than 20 entries.", field="facets")
    work.want((Handle, p.id), (FenceHead, 0))
    words: Map = {"name": p.name, "headline": p.headline, "avatar": p.avatar, "plan": p.plan,
                  "facets": p.facets}  # fmt: skip
    known = access.named(p.id, work)
    if known is not None:
        row = replace(known, **words)
        work.want((Topic, row.topic))
        ledger.change_plan(known, p.plan, work)
        if row != known:
            work.put(row)
        apply_settings(row, p.settings, work)
        return {"id": p.id}
    topic, refused = _succession(p.id, work)
    given = {k: v for k, v in msgspec.structs.asdict(p.settings).items() if v is not None}
    made = Member(
        key=work.new_key(), id=p.id, topic=topic, refused_until_us=refused, **words, **given
    )
    work.put(made)
    if p.plan != credit.BASIC:
        work.put(Wallet(made.key, work.now_ms))  # its months begin now
    return {"id": p.id}


def _succession(member: str, work: Work) -> tuple[int, int]:
    """The topic key, and until when tokens are refused, for a member made (anew) under this id.

    Someone made anew is another member: the one before gives up the id, and the topic goes on
    from its head, so that an old client's position can never be mistaken for a new one; what is
    before the head counts as trimmed, since it was another's.
    """
    work.want((Named, member_topic(member)))
    before = work.need(Handle, member).member
    if before:
        gone = work.need(Member, before)
        log = work.need(Topic, gone.topic)
        work.put(replace(log, floor=log.head))
        work.put(replace(gone, id=f"deleted.{work.ids.message(gone.key)}", topic=0))
        return gone.topic, gone.refused_until_us
    if member == ERASED:
        raise Invalid(f"id: {ERASED} is what every erased member is shown by.", field="id")
    head, refused = fresh(member, work)
    topic = Topic(work.new_key(), member_topic(member), head, head)
    work.put(topic)
    return topic.key, refused


class OneMember(Params, frozen=True):
    """A command about one member."""

    id: MemberRef


def delete_member(operator: None, p: OneMember, work: Work) -> Map:
    """End a member: sessions and tokens at once; their connections and parts follow as a job."""
    row = access.known(p.id, "id", work)
    work.want((FenceHead, 0), (Topic, row.topic))
    work.put(replace(_refused(row, work), alive=False))
    work.fence("revoked", row)
    return {}


class Part(Params, frozen=True):
    """A step of a deletion's job: end what is between a deleted member and one conversation, one
    group or one other member."""

    member: int
    conversation: int = 0
    other: int = 0
    group: int = 0


def part_deleted(operator: None, p: Part, work: Work) -> Map:
    """One idempotent step of a deletion, behind live sends."""
    gone = work.need(Member, p.member)
    if p.conversation:
        where = place(gone, p.conversation, work)
        if where.view.current and not where.of_two:
            end_part(where, gone, "left", work)
        return {}
    if p.group:
        dismiss(work.need(Group, p.group), [gone], work)
        return {}
    other = work.need(Member, p.other)
    work.want(
        (Pair, relations.ident(gone.key, other.key)),
        (Topic, gone.topic),
        (Topic, other.topic),
        (FenceHead, 0),
    )
    pair = work.find(Pair, relations.ident(gone.key, other.key))
    if pair is not None:
        parted = part(gone, other, pair, work)
        # Whose request waits for somebody deleted sees it wait, as behind a block.
        stage = "" if pair.approacher == gone.key else pair.stage
        work.put(replace(parted, low_invitation=0, high_invitation=0, stage=stage))
    return {}


class Connection(Params, frozen=True):
    """connection.put and connection.delete."""

    a: MemberRef
    b: MemberRef


def _two(p: Connection, work: Work) -> tuple[Member, Member, Pair]:
    if p.a == p.b:
        raise Invalid("b is the same member as a.", field="b")
    work.want((Handle, p.a), (Handle, p.b), (FenceHead, 0))
    a, b = access.known(p.a, "a", work), access.known(p.b, "b", work)
    ident = relations.ident(a.key, b.key)
    work.want((Pair, ident), (Topic, a.topic), (Topic, b.topic))
    pair = work.find(Pair, ident)
    return a, b, pair if pair is not None else relations.new(a.key, b.key)


def put_connection(operator: None, p: Connection, work: Work) -> Map:
    """Connect two members; a block between them stands."""
    a, b, pair = _two(p, work)
    if relations.blocked(pair):
        raise Refused("blocked", "One of them blocks the other.")
    if not relations.connected(pair):
        connect_pair(a, b, pair, work)
    return {}


def delete_connection(operator: None, p: Connection, work: Work) -> Map:
    """End the connection of two members."""
    part(*_two(p, work), work)
    return {}


def _refused(row: Member, work: Work) -> Member:
    """The member with every token refused that was made up to now, for good.

    Where nodes and the database have clocks of their own, a token that is there already may have
    been made "later" than now: those that have been used are refused by their names.
    """
    until = max(row.refused_until_us, work.now_us)
    if not work.deployment.node:
        return replace(row, refused_until_us=until)
    tokens = work.need(Tokens, row.key).jtis
    for jti, expires in tokens.items():
        work.put(Refusal(row.key, jti, expires))
    return replace(row, refused_until_us=until, devices_revoked=bool(tokens) or row.devices_revoked)


class Revoke(Params, frozen=True):
    """session.revoke: all of a member's sessions, or one device's."""

    member: MemberRef
    device: Id | None = None


def revoke(operator: None, p: Revoke, work: Work) -> Map:
    """End sessions, and refuse for good the tokens they could come back with."""
    row = access.known(p.member, "member", work)
    work.want((FenceHead, 0), (Topic, row.topic))
    if p.device is None:
        work.put(_refused(row, work))
        work.fence("revoked", row)
        return {}
    work.want((Devices, (row.key, p.device)))
    jtis = work.need(Devices, (row.key, p.device)).jtis
    for jti, expires in jtis.items():
        work.put(Refusal(row.key, jti, expires))
    if not row.devices_revoked:
        work.put(replace(row, devices_revoked=True))
    work.fence("revoked", row, device=p.device, jtis=frozenset(jtis))
    return {}


class Issue(Params, frozen=True):
    """token.issue; `ttl` in seconds."""

    member: MemberRef
    ttl: Annotated[int, Meta(ge=1, le=86_400)] = 86_400


def issue(operator: None, p: Issue, snapshot: Snapshot) -> Map:
    """Check that the member exists; whoever holds the signing key then makes the token."""
    if access.named(p.member, snapshot) is None:
        raise Invalid("member: there is no such member.", field="member")
    return {}


class Batch(Params, frozen=True):
    """batch: up to 1,000 commands, in order, each by itself."""

    commands: Annotated[list[dict[str, Any]], Meta(max_length=1000)]


def batch(operator: None, p: Batch, work: Work) -> Map:
    """Unrolled where commands come in, so that each has its own transaction."""
    raise AssertionError("a batch reached the store")


OPERATOR = ("member:named",)
COMMANDS = (
    Command(
        name="member.put", params=PutMember, run=put_member, kind="write", rate="none",
        operator=True, locks=OPERATOR, doc="Make or change a member.", result=results.Put,
    ),
    Command(
        name="member.delete", params=OneMember, run=delete_member, kind="write", rate="none",
        operator=True, locks=OPERATOR, doc="End a member, their sessions and tokens.",
        result=results.Done,
    ),
    Command(
        name="connection.put", params=Connection, run=put_connection, kind="write", rate="none",
        operator=True, locks=("member:a", "member:b"), doc="Connect two members.",
        result=results.Done, errors=("refused",),
    ),
    Command(
        name="connection.delete", params=Connection, run=delete_connection, kind="write",
        rate="none", operator=True, locks=("member:a", "member:b"), doc="Part two members.",
        result=results.Done,
    ),
    Command(
        name="token.issue", params=Issue, run=issue, kind="read", rate="none", operator=True,
        doc="A token for a member.", result=results.Token,
        errors=("refused", "unknown_outcome"),
    ),
    Command(
        name="session.revoke", params=Revoke, run=revoke, kind="write", rate="none",
        operator=True, locks=OPERATOR, doc="End a member's sessions and refuse their tokens.",
        result=results.Done,
    ),
    Command(
        name="batch", params=Batch, run=batch, kind="session", rate="none", operator=True,
        doc="Up to 1,000 commands in order, each by itself.",
        result=results.Batched,
    ),
)  # fmt: skip

# A deletion's job goes through the same transaction as everything else, but nobody may call it.
INTERNAL = (
    Command(
        name="member.part", params=Part, run=part_deleted, kind="write", rate="none",
        operator=True, locks=("member:gone", "member:other or conversation"),
        doc="A step of a deletion.", result=results.Done,
    ),
)  # fmt: skip
