"""Commands on the caller's own self: settings, presence, the ways to somebody, and connecting."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from server.commands import access, reach, results, shapes, views
from server.commands.command import MAX_INT, Command, MemberRef, Nothing, Params, other_than
from server.commands.facts import Devices, FenceHead, Handle, Memberships, Sessions
from server.commands.outcome import Elsewhere, Opened
from server.commands.snapshot import Snapshot
from server.commands.work import Work
from server.domain import contact, conversations, relations
from server.domain.rows import (
    Conversation,
    DeviceToken,
    LiveSession,
    Member,
    Pair,
    Participant,
    Topic,
)

Map = dict[str, Any]


class Settings(Params, frozen=True):
    """settings.set: those to change."""

    receipts: bool | None = None
    active_status: bool | None = None
    inmail: bool | None = None
    sponsored: bool | None = None
    open_profile: bool | None = None


def get_settings(me: Member, p: Nothing, snapshot: Snapshot) -> Map:
    """All of the caller's settings."""
    return views.settings(me)


def set_settings(me: Member, p: Settings, work: Work) -> Map:
    """Change some settings; the receipts switch holds from this instant, on every node."""
    apply_settings(me, p, work)
    return views.settings(work.need(Member, me.key))


def apply_settings(member: Member, p: Settings, work: Work) -> None:
    """Store a member's changed settings, and tell their devices and every node."""
    given = {name: value for name in views.SETTINGS if (value := getattr(p, name)) is not None}
    changed = replace(member, **given)
    work.want((Topic, member.topic), (FenceHead, 0))
    if changed == member:
        work.as_before()
        return
    work.put(changed)
    work.emit(member.topic, "settings.changed", views.settings(changed), member=member.key)
    if changed.receipts != member.receipts:
        work.fence("switch", member, on=changed.receipts)


class Presence(Params, frozen=True):
    """presence.get."""

    members: Annotated[list[MemberRef], Meta(max_length=50)]


def presence(me: Member, p: Presence, snapshot: Snapshot) -> Map:
    """Who may be asked about: connections, while both have their active status on.

    Everybody else is answered as inactive. The dispatcher fills in what it knows of the members
    in `ask`, by wire id, and of the nodes in `elsewhere`.
    """
    snapshot.want(*((Handle, member) for member in p.members))
    rows = {member: access.named(member, snapshot) for member in p.members}
    others = [row for row in rows.values() if row is not None]
    keys = [reach.key_of(member, snapshot) for member in rows]
    snapshot.want(*((Pair, relations.ident(me.key, key)) for key in keys))
    visible: list[str] = []
    for row in others:
        if row.key == me.key:
            visible.append(row.id)
            continue
        pair = snapshot.find(Pair, relations.ident(me.key, row.key))
        open_now = relations.connected(pair) and contact.visible(row, pair)
        if me.active_status and row.active_status and open_now:
            visible.append(row.id)
    shown = {row.key: row.id for row in others if row.id in visible}
    elsewhere = {shown[key]: found for key, found in snapshot.attendance(list(shown)).items()}
    return {
        "members": {member: {"active": False} for member in p.members},
        "ask": visible,
        "elsewhere": elsewhere,
    }


class Explain(Params, frozen=True):
    """explain."""

    to: MemberRef


def explain(me: Member, p: Explain, snapshot: Snapshot) -> Map:
    """Which ways lead to a member, what each costs, and what would open it."""
    other_than(me, p.to, "to")
    return {"ways": [msgspec.structs.asdict(way) for way in reach.ways(me, p.to, snapshot)]}


Position = Annotated[int, Meta(ge=0, le=MAX_INT)]


class Connect(Params, frozen=True):
    """connect: the first frame. The connection has verified `token` before this is decided."""

    token: Annotated[str, Meta(min_length=1, max_length=8192, description="The member's, a JWT.")]
    device: Annotated[
        str, Meta(min_length=1, max_length=64, description="One's own name for this device.")
    ] = "default"
    resume: (
        Annotated[
            dict[str, Position],
            Meta(description="The position of the last event that one has, by topic."),
        ]
        | None
    ) = None
    epoch: Annotated[str, Meta(max_length=64, description="That of these positions.")] | None = None
    resume_more: Annotated[
        bool, Meta(description="Further positions follow, with the command resume.")
    ] = False


def connect(me: Member, p: Connect, work: Work) -> Map:
    """Read what a session may attach to: its topics with their heads, in one moment."""
    work.want(
        (Topic, me.topic), (Memberships, me.key), (FenceHead, 0), (Devices, (me.key, p.device))
    )
    elsewhere = _attend(me, work)
    heads = _open(me, {} if p.resume_more else p.resume or {}, work, elsewhere)
    _register(me, p.device, work)
    return {"member": me.id, "epoch": work.deployment.epoch, "topics": heads}


def _attend(me: Member, work: Work) -> tuple[Elsewhere, ...]:
    """Where there are several nodes, say that the session is here; answers those elsewhere."""
    node, caller = work.deployment.node, work.caller
    if not node:
        return ()
    sessions = work.need(Sessions, me.key).sessions
    work.put(LiveSession(caller.session, me.key, node, work.now_ms))
    return tuple(
        Elsewhere(row.id, row.node, row.silent_ms)
        for row in sessions
        if row.node != node and not row.unwanted
    )


def _open(
    me: Member, resume: dict[str, int], work: Work, elsewhere: tuple[Elsewhere, ...] = ()
) -> dict[str, int]:
    """Read the member's rights and the heads of their topics; answers the heads."""
    memberships = work.need(Memberships, me.key)
    work.want(*((Conversation, key) for key in memberships.conversations))
    several = [work.need(Conversation, key).topic for key in memberships.conversations]
    # Not claimed: others may go on writing there, and a session that joins catches up.
    work.glance(*((Topic, key) for key in several))
    work.want(*((Participant, (key, me.key)) for key in memberships.conversations))
    topics = [work.need(Topic, me.topic), *(work.seen(Topic, key) for key in several)]
    heads = {topic.name: topic.head for topic in topics}
    since = {topic.name: topic.floor for topic in topics}
    for key, topic in zip(memberships.conversations, topics[1:], strict=True):
        part = work.need(Participant, (key, me.key))
        since[topic.name] = max(since[topic.name], part.spans[-1].after_pos)
    work.opened = Opened(
        member=me.id,
        topics=heads,
        since=since,
        past=_past(me, resume, heads, work),
        receipts=me.receipts,
        fence=work.need(FenceHead, 0).seq,
        elsewhere=elsewhere,
    )
    return heads


def _register(me: Member, device: str, work: Work) -> None:
    """Remember that a device has used this token, for the day that the device is revoked."""
    caller = work.caller
    known = work.need(Devices, (me.key, device))
    if caller.jti not in known.jtis:
        work.put(DeviceToken(me.key, device, caller.jti, caller.expires_ms))
        jtis = {**known.jtis, caller.jti: caller.expires_ms}
        current = {name: end for name, end in jtis.items() if end > work.now_ms}
        work.put(Devices(me.key, device, current))


def _past(me: Member, resume: dict[str, int], heads: dict[str, int], work: Work) -> dict[str, int]:
    """Topics that the client goes on from but the member has lost, with their last position."""
    keys: dict[str, int] = {}
    for name in sorted(resume.keys() - heads.keys())[:_LOST]:
        kind, _, conversation = name.partition(":")
        key = work.ids.conversation_key(conversation) if kind == "conversation" else None
        if key is not None:
            keys[name] = key
    work.want(
        *((Conversation, key) for key in keys.values()),
        *((Participant, (key, me.key)) for key in keys.values()),
    )
    past: dict[str, int] = {}
    for name, key in keys.items():
        row = work.find(Conversation, key)
        view = row and conversations.view(row, work.find(Participant, (key, me.key)))
        if view and not view.current and resume[name] < view.pos:
            past[name] = view.pos
    return past


# Topics lost while a client was away that are still given to their end; names that a client makes
# up cost the transaction no more than these.
_LOST = 200


class Refresh(Params, frozen=True):
    """refresh: a new token for the same member, before the old one ends."""

    token: Annotated[str, Meta(min_length=1, max_length=8192)]


def refresh(me: Member, p: Refresh, work: Work) -> Map:
    """The new token counts: the connection goes on with it."""
    work.want((Devices, (me.key, work.caller.device)))
    _register(me, work.caller.device, work)
    return {"expires_at": work.caller.expires_ms}


class Resume(Params, frozen=True):
    """resume: further topics after `connect` with `resume_more`."""

    topics: dict[str, Position]
    more: Annotated[bool, Meta(description="Still further ones follow.")] = False


def resume(me: Member, p: Resume, work: Work) -> Map:
    """Read the member's rights anew, now that the client has named all its topics."""
    work.want((Topic, me.topic), (Memberships, me.key), (FenceHead, 0))
    return {"topics": _open(me, p.topics, work)}


def by_connection(me: Member, p: Params, work: Work) -> Map:
    """Answered by the connection itself, which alone knows its state."""
    raise AssertionError("a session command reached the store")


COMMANDS = (
    Command(
        name="connect", params=Connect, run=connect, kind="write", rate="connect", http=False,
        locks=("member:caller",), doc="Begin a session: the first frame, within 10 s.",
        result=results.Connected,
    ),
    Command(
        name="refresh", params=Refresh, run=refresh, kind="write", rate="connect", http=False,
        locks=("member:caller",), doc="Go on with a new token.", result=results.Refreshed,
    ),
    Command(
        name="resume", params=Resume, run=resume, kind="write", rate="connect",
        locks=("member:caller",), http=False, doc="Resume further topics.", result=results.Resumed,
    ),
    Command(
        name="ping", params=Nothing, run=by_connection, kind="session", rate="read", http=False,
        doc="Show life where WebSocket pings cannot be sent.", result=results.Now,
    ),
    Command(
        name="settings.get", params=Nothing, run=get_settings, kind="read", rate="read",
        doc="One's settings.", result=shapes.AllSettings,
    ),
    Command(
        name="settings.set", params=Settings, run=set_settings, kind="write", rate="change",
        locks=("member:caller",), doc="Change settings.", result=shapes.AllSettings,
    ),
    Command(
        name="presence.get", params=Presence, run=presence, kind="read", rate="read",
        doc="Who of up to 50 members is active: connections only, reciprocal.",
        result=results.Presences,
    ),
    Command(
        name="explain", params=Explain, run=explain, kind="read", rate="read",
        doc="The ways to reach a member.", result=results.Ways, errors=("unreachable",),
    ),
)  # fmt: skip
