"""What is to be done, as values: the plan of a run, and each generator process's part of it.

Everything here is frozen and goes through a pipe to processes started afresh. No I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from client_demo.errors import ClientError


class LoadError(ClientError):
    """What keeps a run from taking place: wrong flags, no server, no key. One clear line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The numbers of one run. `rate` is of messages (`signals`: of actions; `storm`: of
    connections), a second, over all processes."""

    scenario: str
    members: int
    sessions: int
    rate: float
    seconds: float
    ramp: float
    processes: int
    encodings: tuple[int, ...]
    seed: int
    body: int = 100


@dataclass(frozen=True, slots=True)
class Target:
    """One node."""

    host: str
    port: int
    tls: bool = False

    @property
    def base(self) -> str:
        """Its address for HTTP."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    @property
    def authority(self) -> str:
        """Its address in a Host header."""
        return self.base.partition("://")[2]


@dataclass(frozen=True, slots=True)
class Seat:
    """One member of the run, with the numbers of the sessions that they have."""

    number: int
    member: str
    token: str
    sessions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where messages go: a conversation of several, or a pair's own; by the numbers of seats.

    Only its first member adds and removes others: they are connected to all of them.
    """

    number: int
    kind: Literal["room", "pair"]
    conversation: str
    seats: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Assignment:
    """One generator process's part. `members` names every seat of the run, by its number."""

    run: str
    plan: Plan
    index: int
    targets: tuple[Target, ...]
    members: tuple[str, ...]
    seats: tuple[Seat, ...]
    places: tuple[Place, ...]
