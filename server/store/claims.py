"""Which topics a command claims: found out before its transaction locks them.

Where several processes write, a fact may be relied on only under the lock of a topic that guards
it. A command says which by wanting the topics' rows, but it knows them only from facts. So it is
decided twice. First as a `Rehearsal`, on facts that may be stale, for nothing but the topics that
it claims and the facts that it will want. Then as a `GuardedWork`, on facts read under the locks
of all that; where these differ so much that it wants a topic more, it is put off with that one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection

from server.commands.facts import (
    Devices,
    FenceHead,
    Ident,
    Missing,
    Reactions,
    Sessions,
    Tokens,
    Want,
    World,
)
from server.commands.outcome import Call, Caller
from server.commands.work import Deployment, Work
from server.domain.rows import Creation, Refusal, Row, Topic
from server.store import facts
from server.store.group_commit import Decide, Unclaimed

R = TypeVar("R", bound=Row)
FENCES = -1  # the fence log's lock, among those of topics, whose keys are positive
ROUNDS = 16
_MADE_UP = 2**62  # keys of rehearsed rows: nothing is stored under them

# What a rehearsal takes for granted, so that it need not read it: nothing was ever so.
_GUESSES: dict[type[Row], Callable[[Any], Row | None]] = {
    Creation: lambda _: None,
    Refusal: lambda _: None,
    Reactions: lambda message: Reactions(message, []),
    Devices: lambda ident: Devices(ident[0], ident[1], {}),
    FenceHead: lambda _: FenceHead(0, 0),
    Sessions: lambda member: Sessions(member, []),
    Tokens: lambda member: Tokens(member, {}),
}


class Rehearsal(Work):
    """A command decided for what it asks: `claims` are topics, `wants` facts in order."""

    __slots__ = ("_keys", "claims", "wants")

    def __init__(self, world: World, deployment: Deployment, caller: Caller, now_us: int) -> None:
        super().__init__(world, deployment, caller, now_us)
        self.claims: set[int] = set()
        self.wants: dict[Want, None] = {}
        self._keys = itertools.count(_MADE_UP)

    def _note(self, want: Want) -> None:
        kind, ident = want
        if (kind, ident) in self.put_rows:
            return
        self.wants[want] = None
        guess = _GUESSES.get(kind)
        if guess is not None and ident not in self.world.of(kind):
            self.world.learn(kind, ident, guess(ident))

    def _claim(self, want: Want) -> None:
        if want[0] is Topic and want not in self.put_rows:
            self.claims.add(want[1])

    def want(self, *wants: Want) -> None:
        """Note what is asked for. Raises `Missing`."""
        for want in wants:
            self._note(want)
            self._claim(want)
        super().want(*wants)

    def glance(self, *wants: Want) -> None:
        """Note it, without the claim. Raises `Missing`."""
        for want in wants:
            self._note(want)
        super().glance(*wants)

    def find(self, kind: type[R], ident: Ident) -> R | None:
        """Note it. Raises `Missing`."""
        self._note((kind, ident))
        self._claim((kind, ident))
        return super().find(kind, ident)

    def fence(self, *args: Any, **named: Any) -> None:
        """Note that fences are written."""
        self.claims.add(FENCES)
        super().fence(*args, **named)

    def new_key(self) -> int:
        """A key of this rehearsal alone."""
        return next(self._keys)


class GuardedWork(Work):
    """A command decided under locks: what is not `held` cannot be claimed any more."""

    __slots__ = ("_held",)

    def __init__(
        self, world: World, deployment: Deployment, caller: Caller, now_us: int, held: set[int]
    ) -> None:
        super().__init__(world, deployment, caller, now_us)
        self._held = held

    def want(self, *wants: Want) -> None:
        """Raises `Unclaimed`, or `Missing`."""
        lacking = [
            w[1]
            for w in wants
            if w[0] is Topic and w[1] not in self._held and w not in self.put_rows
        ]
        if lacking:
            raise Unclaimed(lacking)
        super().want(*wants)

    def find(self, kind: type[R], ident: Ident) -> R | None:
        """Raises `Unclaimed`, or `Missing`."""
        if kind is Topic and ident not in self._held and (kind, ident) not in self.put_rows:
            raise Unclaimed([ident])
        return super().find(kind, ident)

    def fence(self, *args: Any, **named: Any) -> None:
        """Raises `Unclaimed` where the fence log is not held."""
        if FENCES not in self._held:
            raise Unclaimed([FENCES])
        super().fence(*args, **named)


def rehearse(
    calls: Sequence[Call],
    hints: World,
    deployment: Deployment,
    now_us: int,
    decide: Decide,
    connection: Connection,
) -> list[Rehearsal]:
    """Each command's rehearsal. `hints` are facts that were true once; what they lack is read, for
    all commands together."""
    done: dict[int, Rehearsal] = {}
    for _ in range(ROUNDS):
        missing: list[Want] = []
        for index, call in enumerate(calls):
            if index in done:
                continue
            work = Rehearsal(hints, deployment, call.caller, now_us)
            try:
                decide(call, work)
            except Missing as more:
                missing += more.wants
                continue
            except Exception:  # noqa: BLE001, S110 - what it comes to is decided under its locks
                pass
            done[index] = work
        if not missing:
            break
        facts.load(connection, missing, hints)
    return [
        done.get(index) or Rehearsal(hints, deployment, call.caller, now_us)
        for index, call in enumerate(calls)
    ]
