"""What the clients did, kept by the tests alone: the truth that the servers' answers are held to.

Every body carries a canary that names its author, its place (a pair or a conversation), its number
and its version, so that any byte that reaches anybody can be traced to what was sent, when, by whom
and to whom. Times are the test process's own, monotonic: what was first sent after an answer came
was decided after it.
"""

from __future__ import annotations

import math
import re
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

CANARY = re.compile(rb"~(\w+)/([\w-]+)/(\d+)/(\d+)~")
SIGNALS = ("typing.started", "typing.stopped", "receipt.read")
Body = tuple[str, int]  # author's client, number


@dataclass(slots=True)
class Send:
    """One message that somebody tried to send. `versions` are when each text was first sent;
    `lost` is how often it was given and not answered, so that it may still be under way."""

    author: str
    number: int
    place: str
    versions: list[float]
    answered_at: float = math.inf
    result: dict[str, Any] | None = None
    error: str = ""
    lost: int = 0


@dataclass(slots=True)
class End:
    """An access that ended: what may not come to these members' sockets any more, and from when.

    `answered_at` is when the change's answer had come; `again_at` when a change that grants it anew
    was first sent. Canaries of `places` (None: all) that were first sent in between may not come to
    `victims`; nor signals of which `silent` is true, once `marker` (a body that was sent after the
    answer) has come by the same socket, or the answer to one of `pings`, sent by it then. `issued`
    limits it to sockets whose token is as old.
    """

    kind: str
    victims: frozenset[str]
    places: frozenset[str] | None
    answered_at: float
    asked_at: float
    again_at: float = math.inf
    silent: Callable[[str, dict[str, Any]], bool] | None = None
    marker: Body | None = None
    pings: dict[int, int] = field(default_factory=dict)  # sockets' numbers to frames' ids
    issued: float = math.inf
    device: str = ""


@dataclass(slots=True)
class Joining:
    """An `add` that was tried: when it was first sent, and when it was answered."""

    sent_at: float
    answered_at: float = math.inf


@dataclass(slots=True)
class Heard:
    """One frame that a socket got: when, what canaries were in its bytes, and what it said."""

    at: float
    canaries: list[tuple[str, str, int, int]]
    frame: dict[str, Any]


@dataclass(slots=True)
class Socket:
    """One connection of one client, and everything that ever came by it."""

    member: str
    client: str
    device: str
    node: int
    issued: float
    opened_at: float
    number: int = 0
    heard: list[Heard] = field(default_factory=list)
    closed: int = 0
    closed_at: float = math.inf


@dataclass(slots=True)
class Mute:
    """A node that cannot have a lease: what is sent after `since` may not come from it, until
    `until`."""

    node: int
    since: float
    until: float = math.inf


class Ledger:
    """One cell's bookkeeping."""

    def __init__(self) -> None:
        self.sends: dict[Body, Send] = {}
        self.ends: list[End] = []
        self.mutes: list[Mute] = []
        self.joinings: dict[tuple[str, str], list[Joining]] = defaultdict(list)
        self.removals: dict[tuple[str, str], list[float]] = defaultdict(list)
        self.sockets: list[Socket] = []
        self.places: dict[str, str] = {}  # of conversations by id
        self.faults: list[str] = []  # what no fault excuses, noticed on the way
        self.latencies: dict[str, list[float]] = defaultdict(list)
        self._numbers: dict[str, int] = defaultdict(int)

    def new(self, author: str, place: str) -> Send:
        """A message about to be sent for the first time."""
        self._numbers[author] += 1
        send = Send(author, self._numbers[author], place, [time.monotonic()])
        self.sends[author, send.number] = send
        return send

    def changed(self, send: Send) -> str:
        """The text of an edit that is about to be sent for the first time."""
        send.versions.append(time.monotonic())
        return body(send)

    @property
    def acknowledged(self) -> int:
        """How many sends have been acknowledged."""
        return sum(send.result is not None for send in self.sends.values())


def body(send: Send, filler: str = "") -> str:
    """The present text of a message."""
    return f"~{send.author}/{send.place}/{send.number}/{len(send.versions) - 1}~{filler}"


def canaries(raw: bytes) -> list[tuple[str, str, int, int]]:
    """All canaries in these bytes: author, place, number, version."""
    found = CANARY.findall(raw)
    return [(a.decode(), p.decode(), int(n), int(v)) for a, p, n, v in found]


def pair(a: str, b: str) -> str:
    """The place of two members."""
    return "-".join(sorted((a, b)))
