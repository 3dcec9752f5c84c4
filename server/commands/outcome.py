"""What a command came to: the values that pass from a decision to the hub and the caller.

Made by `Work` inside the transaction, given out by the store after the commit, in order of
commit. The hub applies fences, delivers events and signals, and only then is the answer sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from server.errors import CommandError

PASSED = "position.passed"


class Event(msgspec.Struct, frozen=True):
    """An event with its position, as it goes to the sessions of its topic's audience.

    `ended` are the members whose access to this topic ends with the event: it is applied before
    the event is delivered, so they do not get it. `apart` are in the audience and may not see it:
    they get its position alone.
    """

    topic: str
    pos: int
    name: str
    data: dict[str, Any]
    ended: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()

    def passed(self) -> Event:
        """What is given in its place to those from whom it is kept."""
        return Event(self.topic, self.pos, PASSED, {})


class Signal(msgspec.Struct, frozen=True):
    """An event without a position, for the sessions of those whose receipts switch is on.

    Never to sessions of `sender`, nor of those `apart`. `roster` is the position in the topic, and
    `fence` the last fence, that the decision knew: a hub that knows of a later end of access drops
    it.
    """

    topic: str
    name: str
    data: dict[str, Any]
    sender: str
    fence: int
    roster: int
    lasts_ms: int = 0
    apart: tuple[str, ...] = ()


class Ending(msgspec.Struct, frozen=True):
    """A fence as a hub applies it, by wire ids: before the change that wrote it is answered.

    "switch": a member's receipts are `on` or off. "removed": `member` lost `topic`, whose last
    position for them is `pos`. "parted": nothing passes between two members any more.
    "revoked": a member's sessions end that were opened before it, all or those of one `device` and
    of its tokens, `jtis`.
    """

    seq: int
    kind: str
    member: str
    other: str = ""
    topic: str = ""
    pos: int = 0
    device: str = ""
    on: bool = False
    jtis: frozenset[str] = frozenset()


class Lease(msgspec.Struct, frozen=True):
    """A node's right to deliver, as it is stored: `beat` changes with each renewal, `passed` is
    the last fence that the node has applied."""

    node: str
    beat: int
    passed: int
    sessions: int


class Elsewhere(msgspec.Struct, frozen=True):
    """A session of the same member on another node; `silent_ms` is since when, 0 if it is not."""

    id: str
    node: str
    silent_ms: int


class Opened(msgspec.Struct, frozen=True):
    """What a session may attach to: topic names with their heads, and what the hub keeps of it.

    `past` are topics asked for that the member is no longer in, with the last position that is
    theirs; `since` is where a topic's visible events begin for this member.
    """

    member: str
    topics: dict[str, int]
    since: dict[str, int]
    past: dict[str, int]
    receipts: bool
    fence: int
    elsewhere: tuple[Elsewhere, ...] = ()


class Caller(msgspec.Struct, frozen=True):
    """Who gives a command: a member by a verified token, or the operator (`member` is "").

    `session` is the id of the session that connects.
    """

    member: str
    issued_us: int = 0
    jti: str = ""
    device: str = ""
    expires_ms: int = 0
    session: str = ""

    @property
    def operator(self) -> bool:
        """Whether this is the operator, by the admin key."""
        return not self.member


class Call(msgspec.Struct):
    """One validated command on its way through the house, and where its outcome goes.

    `done` is called on the event loop's thread, in order of commit, after the hub has applied
    the outcome.
    """

    caller: Caller
    cmd: str
    params: Any
    done: Callable[[Outcome], None]


class Outcome(msgspec.Struct):
    """A command's result or error, and what it publishes.

    It is answered once every node has applied the fence `until`, 0 for none.
    """

    result: dict[str, Any] | None = None
    error: CommandError | None = None
    events: list[Event] = []
    signals: list[Signal] = []
    endings: list[Ending] = []
    opened: Opened | None = None
    until: int = 0
