"""Bugs to plant where several processes write and deliver: locks, fences, the bus, the backlog.

Like `planted`: mistakes that somebody could make, each looked for with the rules, the house and the
seed that find nothing without it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace
from sqlalchemy import Connection

from server.commands import creations
from server.commands.facts import World
from server.commands.outcome import Ending, Event, Signal
from server.realtime.fences import Done, Fences
from server.realtime.framing import Frames
from server.realtime.hub import Hub
from server.realtime.replays import Replays
from server.realtime.signals import Signals
from server.realtime.topics import LiveTopic
from server.store import shared_commit
from server.store.backlog import Backlog, Waiting
from server.store.claims import Rehearsal
from server.store.schema import KeyBlocks
from server.store.shared_commit import SharedCommit

LATE = 100  # turns of the loop: longer than an answer takes that waits for all nodes
Plant = Callable[[], AbstractContextManager[object]]


def locks_are_not_taken() -> AbstractContextManager[object]:
    """Whatever a batch claims is taken to be its own."""

    def lock(
        _commits: SharedCommit, _connection: Connection, batch: Sequence[Waiting]
    ) -> tuple[set[int], int]:
        return set().union(*map(shared_commit._claims, batch)), 0

    return patch.object(SharedCommit, "_lock", lock)


@contextmanager
def facts_outlive_their_locks() -> Iterator[None]:
    """What was read under locks once is believed under later ones too."""
    worlds: dict[int, World] = {}
    decide = SharedCommit._decide_ready

    def believing(
        commits: SharedCommit, connection: Connection, ready: Sequence[Waiting], world: World,
        now_us: int, decided: Any,
    ) -> None:  # fmt: skip
        kept = worlds.setdefault(id(commits), World())
        kept.trim()
        for kind, known in world.known.items():
            for ident, row in known.items():
                kept.of(kind).setdefault(ident, row)
        decide(commits, connection, ready, kept, now_us, decided)

    with patch.object(SharedCommit, "_decide_ready", believing):
        yield


def a_fence_is_not_awaited() -> AbstractContextManager[object]:
    """An end of access is answered when its own node has applied it."""

    def at_once(fences: Fences, fence: int, done: Done) -> None:
        done()
        fences._call()

    return patch.object(Fences, "when_everywhere", at_once)


def fences_are_applied_after_the_answer() -> AbstractContextManager[object]:
    """A node says that it has passed what it is only about to apply."""

    def wait(turns: int, fences: Fences, ending: Ending) -> None:
        if turns:
            asyncio.get_running_loop().call_soon(wait, turns - 1, fences, ending)
        else:
            fences._apply(ending)

    def late(fences: Fences, endings: Sequence[Ending]) -> None:
        for ending in endings:
            wait(LATE, fences, ending)
        fences.applied = endings[-1].seq

    return patch.object(Fences, "_take", late)


def signals_pass_all_fences() -> AbstractContextManager[object]:
    """A signal is given out whatever has ended since it was sent, or is about to."""

    def to_all(signals: Signals, signal: Signal) -> None:
        hub = signals._hub
        live = hub.topics.get(signal.topic)
        told = {"event": signal.name, "topic": signal.topic, "data": signal.data}
        frames = Frames(signal.topic, told, signal=True)
        for session in live.sessions if live is not None else ():
            if session.audience.receipts and session.audience.member != signal.sender:
                hub.outflow.push(session, frames.item(session.codec))

    return patch.object(Signals, "receive", to_all)


def a_signal_from_before_a_joining() -> AbstractContextManager[object]:
    """A signal that comes late is given to whoever is there by then."""
    receive = Signals.receive

    def whenever(signals: Signals, signal: Signal) -> None:
        live = signals._hub.topics.get(signal.topic)
        if live is not None and signal.roster <= live.pos:
            signal = replace(signal, roster=live.pos)
        receive(signals, signal)

    return patch.object(Signals, "receive", whenever)


def the_roster_is_applied_late() -> AbstractContextManager[object]:
    """Who is removed is given the event that removes them, and those until the fence."""
    deliver = Hub._deliver

    def without_ends(hub: Hub, live: LiveTopic, event: Event, *, late: bool) -> None:
        deliver(hub, live, replace(event, ended=()), late=late)

    return patch.object(Hub, "_deliver", without_ends)


def a_gap_is_never_healed() -> AbstractContextManager[object]:
    """What the bus has lost is waited for."""
    return patch.object(Replays, "heal", lambda _replays, _live: None)


@contextmanager
def heads_are_never_compared() -> Iterator[None]:
    """A lost event without another one behind it is never missed."""

    async def nothing(_replays: Replays, spread_s: float = 0.0) -> None:
        return

    with patch.object(Replays, "compare_heads", nothing):
        yield


@contextmanager
def nodes_share_their_keys() -> Iterator[None]:
    """Each node takes the first keys there are."""

    def fill(keys: KeyBlocks, _connection: Connection) -> None:
        if not keys._end:
            keys._next, keys._end = 1_000_000, 2_000_000

    with patch.object(KeyBlocks, "fill", fill):
        yield


def a_later_command_overtakes() -> AbstractContextManager[object]:
    """A member's command does not wait for an earlier one of theirs that was put off."""

    def take(backlog: Backlog, limit: int, now: float) -> list[Waiting]:
        queue, backlog._queue = backlog._queue, deque()
        taken: list[Waiting] = []
        for waiting in queue:
            may = len(taken) < limit and waiting.not_before <= now
            (taken if may else backlog._queue).append(waiting)
        return taken

    return patch.object(Backlog, "take", take)


def a_repeat_is_not_found_elsewhere() -> AbstractContextManager[object]:
    """Each node remembers what its own clients' ids made."""
    made, mine = creations.made, dict[tuple[str, int, str], bool]()
    remember = creations.remember

    def here(caller: int, client_id: str | None, command: str, content: Any, work: Any) -> Any:
        found = made(caller, client_id, command, content, work)
        return found if (work.deployment.node, caller, client_id) in mine else None

    def noted(caller: int, client_id: str, command: str, content: Any, ref: int, work: Any) -> None:
        if not isinstance(work, Rehearsal):  # which comes first, and would hide it
            mine[work.deployment.node, caller, client_id] = True
        remember(caller, client_id, command, content, ref, work)

    return patch.multiple(creations, made=here, remember=noted)
