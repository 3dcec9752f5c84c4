"""Changes of who may see what, while messages flow: removals, blocks and switches.

Each change is made, answered, made known to the ledger, held for a moment while others talk into
it, and undone. A session that has answered something after the change counts as told: no signal
that the change forbids may come to it any more. At the end everything is as it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable

from client_demo.errors import ConnectionLost
from client_demo.load.ends import End
from client_demo.load.fleet import Fleet
from client_demo.load.plan import Place
from client_demo.load.session import Session, now_us
from client_demo.load.wire import Map

HOLD_S = (0.1, 0.5)
MESSAGES_A_CHANGE = 20
FEWEST = 4.0
"""Changes a second, at least."""


async def churn(fleet: Fleet, end: int, rate: float) -> None:
    """Change things until `end` (microseconds), at a rate that goes with that of messages."""
    every = 1 / max(FEWEST, rate / MESSAGES_A_CHANGE)
    changes = Changes(fleet)
    async with asyncio.TaskGroup() as group:
        while now_us() < end and not fleet.stopping.is_set():
            group.create_task(changes.one())
            await asyncio.sleep(every)


class Changes:
    """What may be changed: a member or a pair at most once at a time, a block at most once."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        here = [
            place
            for place in fleet.assignment.places
            if all(seat in fleet.by_seat for seat in place.seats)
        ]
        self._rooms = [place for place in here if place.kind == "room"]
        self._pairs = [place for place in here if place.kind == "pair"]
        self._busy: set[int] = set()
        self._turn = 0

    async def one(self) -> None:
        """Make the next change, of one kind after the other."""
        if not self._rooms:
            return
        self._turn += 1
        kind = self._turn % 3
        room = self._fleet.random.choice(self._rooms)
        free = [seat for seat in room.seats[1:] if seat not in self._busy]
        if kind == 0 and self._pairs:
            free_pairs = [pair for pair in self._pairs if not self._busy & set(pair.seats)]
            if free_pairs:
                pair = self._fleet.random.choice(free_pairs)
                self._pairs.remove(pair)  # a block cannot be repeated within two days
                await self._held(pair.seats, self._block(pair))
        elif free:
            seat = self._fleet.random.choice(free)
            change = self._removal(room, seat) if kind == 1 else self._switch(room, seat)
            await self._held((seat,), change)

    async def _held(self, seats: Iterable[int], change: Awaitable[None]) -> None:
        taken = set(seats)
        self._busy |= taken
        try:
            await change
        finally:
            self._busy -= taken

    async def _removal(self, room: Place, seat: int) -> None:
        manager = self._first(room.seats[0])
        who = {"conversation": room.conversation, "member": self._fleet.assignment.members[seat]}
        if await self._call(manager, "conversation.remove", **who) is None:
            return
        end = End("removal", frozenset((seat,)), room.number, now_us())
        await self._hold(end, room.seats)
        await self._call(manager, "conversation.add", **who)

    async def _block(self, pair: Place) -> None:
        a, b = pair.seats
        first, second = self._first(a), self._first(b)
        members = self._fleet.assignment.members
        if await self._call(first, "block.add", member=members[b]) is None:
            return
        end = End("block", frozenset(pair.seats), pair.number, now_us())
        await self._hold(end, pair.seats)
        await self._call(first, "block.remove", member=members[b])
        asked = await self._call(first, "invitation.send", to=members[b])
        if asked is not None:
            await self._call(second, "invitation.accept", invitation=asked["invitation"])

    async def _switch(self, room: Place, seat: int) -> None:
        session = self._first(seat)
        if await self._call(session, "settings.set", receipts=False) is None:
            return
        end = End("switch", frozenset((seat,)), None, now_us())
        await self._hold(end, room.seats)
        await self._call(session, "settings.set", receipts=True)

    async def _hold(self, end: End, seats: Iterable[int]) -> None:
        """Let an end stand for a moment, with signals going into it."""
        fleet = self._fleet
        fleet.counts.actions += 1
        fleet.ledger.begin(end)
        around = list(seats)
        async with asyncio.TaskGroup() as group:
            for seat in around:
                for session in fleet.by_seat[seat]:
                    group.create_task(self._told(end, session))
        for _ in range(3):
            await asyncio.sleep(fleet.random.uniform(*HOLD_S) / 3)
            self._signal(around)
        fleet.ledger.undo(end, now_us())

    async def _told(self, end: End, session: Session) -> None:
        try:
            await session.call("ping", {})
        except ConnectionLost:
            return  # what comes by its next connection is not judged by this end
        end.sound.add(session.who.session)

    def _signal(self, seats: list[int]) -> None:
        """Somebody of these types, in a place that they share."""
        fleet = self._fleet
        seat = fleet.random.choice(seats)
        places = [place for place in fleet.assignment.places if seat in place.seats]
        place = fleet.random.choice(places)
        session = self._first(seat)
        if session.live:
            fleet.start(self._type(session, place))

    async def _type(self, session: Session, place: Place) -> None:
        """Type; who has been removed or blocked is refused, as they should be."""
        answers = await asyncio.gather(
            session.call("typing.start", {"conversation": place.conversation}),
            session.call("typing.stop", {"conversation": place.conversation}),
            return_exceptions=True,
        )
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, Exception):
                raise answer

    def _first(self, seat: int) -> Session:
        return self._fleet.by_seat[seat][0]

    async def _call(self, session: Session, cmd: str, **params: object) -> Map | None:
        return await self._fleet.call(session, cmd, **params)
