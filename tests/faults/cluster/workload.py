"""What the clients do: everything that members do to each other, at random and by a seed.

Each actor has a task of its own that gives one command after the other. Who ends an access notes
when the answer came, and sends a marker after it.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

from tests.faults.cluster import cast
from tests.faults.cluster.actor import Actor
from tests.faults.cluster.cast import Room
from tests.faults.cluster.ledger import SIGNALS, End, Joining, Ledger, Send, body, pair
from tests.faults.cluster.rig import Cluster

EMOJI = ("👍", "🎉", "😀")
REVOKE_EVERY_S = 0.6
CONNECTED_S = 8.0


class Workload:
    """All actors of one cell. `revokes` is whether the operator revokes sessions meanwhile;
    `think_s` is how long each actor waits between two commands, on the average."""

    def __init__(
        self, cluster: Cluster, ledger: Ledger, seed: str, *, revokes: bool = True,
        think_s: float = 0.3,
    ) -> None:  # fmt: skip
        self.cluster, self.ledger = cluster, ledger
        self.chance = random.Random(seed)
        self.actors = [
            Actor(cluster, ledger, member, device, random.Random(f"{seed}/{member}{device}"))
            for member, device in cast.CLIENTS
        ]
        self.sentinels = [
            Actor(cluster, ledger, sentinel, "a", random.Random(f"{seed}/{sentinel}"))
            for sentinel in cast.SENTINELS[: len(cluster.nodes)]
        ]
        for node, sentinel in zip(cluster.nodes, self.sentinels, strict=True):
            sentinel.home = node
        self.players = list(self.actors)
        self.actors += self.sentinels
        self.by_name = {actor.name: actor for actor in self.actors}
        self.connections = cast.connections()
        self.conversations = dict(cluster.services.places)
        ledger.places.update(self.conversations)
        self.ids = {place: ident for ident, place in self.conversations.items()}
        self.think_s = think_s
        self.filler = ""
        self._revokes = revokes
        self._stop = asyncio.Event()
        self._lives: list[asyncio.Task[None]] = []
        self._work: list[asyncio.Task[None]] = []
        self._own: dict[str, list[Send]] = {actor.name: [] for actor in self.actors}
        self._blocks: set[str] = set()

    async def start(self) -> None:
        """Connect everybody, and begin."""
        self._lives = [asyncio.create_task(actor.run()) for actor in self.actors]
        async with asyncio.timeout(CONNECTED_S):
            while not all(actor.lives for actor in self.actors):
                await asyncio.sleep(0.01)
                self._failed(self._lives)
        self._work = [asyncio.create_task(self._act(actor)) for actor in self.players]
        if self._revokes:
            self._work.append(asyncio.create_task(self._operate()))

    async def finish(self) -> None:
        """Begin nothing new, and wait until everything that was begun has been answered."""
        self._stop.set()
        await asyncio.gather(*self._work)

    async def close(self) -> None:
        """End everything, as it stands."""
        for task in self._work:
            task.cancel()
        for actor in self.actors:
            await actor.close()
        for task in self._lives:
            task.cancel()
        await asyncio.gather(*self._work, *self._lives, return_exceptions=True)

    def check(self) -> None:
        """Raise what has failed in the tasks so far."""
        self._failed([*self._lives, *self._work])

    @staticmethod
    def _failed(tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            if task.done() and not task.cancelled():
                task.result()

    # One actor

    async def _act(self, actor: Actor) -> None:
        while not self._stop.is_set():
            await self._pause(actor.chance.expovariate(1 / self.think_s))
            if self._stop.is_set():
                return
            await self._one(actor)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            pass

    async def _one(self, actor: Actor) -> None:
        dice = actor.chance.random()
        room = next((r for r in cast.ROOMS if r.steward == actor.member), None)
        own = self._own[actor.name]
        if room is not None and actor.device == "a" and dice < 0.25:
            await self._change_roster(actor, room)
        elif dice < 0.34:
            await self.send_to(actor, actor.chance.choice(self.connections[actor.member]))
        elif dice < 0.58:
            await self._send_into(actor)
        elif dice < 0.66 and own:
            await self._edit(actor, actor.chance.choice(own))
        elif dice < 0.69 and own:
            await self._delete(actor, actor.chance.choice(own))
        elif dice < 0.76 and own:
            await self._react(actor)
        elif dice < 0.90:
            await self._signal(actor)
        elif dice < 0.93:
            await self._look(actor)
        elif actor.device == "a" and dice < 0.97:
            await self._switch(actor)
        elif actor.device == "a" and dice < 0.98:
            await self._block(actor)
        elif actor.device == "a" and dice < 0.99:
            await self._leave(actor)

    async def send_to(self, actor: Actor, to: str) -> Send:
        """Send one message to another member."""
        send = self.ledger.new(actor.name, pair(actor.member, to))
        return await self._sent(actor, send, to=to)

    async def _sent(self, actor: Actor, send: Send, **where: str) -> Send:
        result, error = await actor.call(
            "message.send", body=body(send, self.filler),
            client_id=f"{actor.device}{send.number}", **where,
        )  # fmt: skip
        send.answered_at, send.result, send.error = time.monotonic(), result, error
        send.lost = actor.lost
        if result is not None:
            self.ids[send.place] = result["conversation"]
            self.ledger.places[result["conversation"]] = send.place
            self._own[actor.name].append(send)
        return send

    def _rooms(self, actor: Actor) -> list[str]:
        """Conversations that the actor believes to be in: their topics are among its own."""
        return [i for i in self.conversations if f"conversation:{i}" in actor.positions]

    async def _send_into(self, actor: Actor) -> None:
        rooms = self._rooms(actor)
        if rooms:
            ident = actor.chance.choice(rooms)
            send = self.ledger.new(actor.name, self.conversations[ident])
            await self._sent(actor, send, conversation=ident)

    async def _edit(self, actor: Actor, send: Send) -> None:
        assert send.result is not None
        text = self.ledger.changed(send)
        await actor.call("message.edit", message=send.result["message"], body=text)

    async def _delete(self, actor: Actor, send: Send) -> None:
        assert send.result is not None
        self._own[actor.name].remove(send)
        await actor.call("message.delete", message=send.result["message"])

    async def _react(self, actor: Actor) -> None:
        other = actor.chance.choice(self._own[actor.chance.choice(self.players).name] or [None])
        if other is not None and other.result is not None:
            cmd = actor.chance.choice(("message.react", "message.unreact"))
            emoji = actor.chance.choice(EMOJI)
            await actor.call(cmd, message=other.result["message"], emoji=emoji)

    async def _signal(self, actor: Actor) -> None:
        mine = [pair(actor.member, other) for other in self.connections[actor.member]]
        places = [self.ids[p] for p in mine if p in self.ids] + self._rooms(actor)
        if not places:
            return
        ident = actor.chance.choice(places)
        if actor.chance.random() < 0.5:
            await actor.call(
                actor.chance.choice(("typing.start", "typing.stop")), conversation=ident
            )
        else:
            await actor.call("receipt.read", conversation=ident, seq=10**6)

    async def _look(self, actor: Actor) -> None:
        rooms = self._rooms(actor)
        if rooms:
            await actor.call("conversation.history", conversation=actor.chance.choice(rooms),
                             limit=20)  # fmt: skip
        else:
            await actor.call("conversation.list", limit=20)

    # Ends of access

    def _end(self, kind: str, asked_at: float, **named: Any) -> End:
        end = End(kind, answered_at=time.monotonic(), asked_at=asked_at, **named)
        self.ledger.latencies[kind].append(end.answered_at - asked_at)
        self.ledger.ends.append(end)
        return end

    async def _ping(self, end: End) -> None:
        """By what is answered after this, nothing of what ended may come any more."""
        await asyncio.gather(*(a.ping(end.pings) for a in self.actors if a.member in end.victims))

    async def _mark(self, actor: Actor, end: End, to: str) -> None:
        await self._ping(end)
        send = await self.send_to(actor, to)
        if send.result is not None:
            end.marker = (send.author, send.number)

    async def _change_roster(self, actor: Actor, room: Room) -> None:
        ident = self.ids[room.place]
        victim = actor.chance.choice(room.pool)
        if victim not in self._inside(actor, room):
            await self._add(actor, ident, room.place, victim)
            return
        away = [a for a in self.players if a.member == victim and actor.chance.random() < 0.4]
        for other in away:  # is removed while it is not there, and comes back with its position
            other.away = True
            other.cut()
        asked = time.monotonic()
        self.ledger.removals[room.place, victim].append(asked)
        result, _ = await actor.call("conversation.remove", conversation=ident, member=victim)
        for other in away:
            other.away = False
        if result is None and not actor.lost:
            self.ledger.removals[room.place, victim].remove(asked)
        if result is not None:
            end = self._removed("removed", asked, room.place, ident, victim)
            await self._mark(actor, end, victim)
            send = self.ledger.new(actor.name, room.place)
            await self._sent(actor, send, conversation=ident)
            if actor.chance.random() < 0.7:
                await self._add(actor, ident, room.place, victim)

    def _inside(self, steward: Actor, room: Room) -> set[str]:
        """Who is in it, as far as its steward has been told."""
        inside = set(room.founders)
        for _, _, event in steward.seen.get(f"conversation:{self.ids[room.place]}", []):
            if event["event"] == "roster.changed":
                for change in event["data"]["changes"]:
                    if change["change"] == "added":
                        inside.add(change["member"])
                    else:
                        inside.discard(change["member"])
        return inside

    def _removed(self, kind: str, asked: float, place: str, ident: str, victim: str) -> End:
        return self._end(
            kind, asked, victims=frozenset({victim}), places=frozenset({place}),
            silent=lambda _, data: data["conversation"] == ident,
        )  # fmt: skip

    async def _add(self, actor: Actor, ident: str, place: str, victim: str) -> None:
        joining = Joining(time.monotonic())
        self.ledger.joinings[place, victim].append(joining)
        for end in self.ledger.ends:
            if end.places == frozenset({place}) and victim in end.victims:
                end.again_at = min(end.again_at, joining.sent_at)
        await actor.call(
            "conversation.add", conversation=ident, member=victim,
            client_id=f"add{len(self.ledger.joinings[place, victim])}/{place}/{victim}",
        )  # fmt: skip
        joining.answered_at = time.monotonic()

    async def _ping_revoked(self, end: End) -> None:
        concerned = [
            a for a in self.actors
            if a.member in end.victims and a.socket is not None and a.socket.issued <= end.issued
        ]  # fmt: skip
        await asyncio.gather(*(actor.ping(end.pings) for actor in concerned))

    async def _leave(self, actor: Actor) -> None:
        places = [i for i in self._rooms(actor) if self.conversations[i] not in
                  {r.place for r in cast.ROOMS if r.steward == actor.member}]  # fmt: skip
        if not places:
            return
        ident = actor.chance.choice(places)
        place = self.conversations[ident]
        asked = time.monotonic()
        # Repeated after an unknown outcome, it may be carried out twice.
        self.ledger.removals[place, actor.member] += [asked, asked]
        result, _ = await actor.call("conversation.leave", conversation=ident)
        if not actor.lost:
            self.ledger.removals[place, actor.member].remove(asked)
            if result is None:
                self.ledger.removals[place, actor.member].remove(asked)
        open_adds = [j for j in self.ledger.joinings[place, actor.member] if j.answered_at > asked]
        if result is not None and not open_adds:
            self._removed("left", asked, place, ident, actor.member)

    async def _switch(self, actor: Actor) -> None:
        me = actor.member
        for _ in range(2):  # signals that are still on their way when it is switched off
            await self._signal(actor)
        asked = time.monotonic()
        result, _ = await actor.call("settings.set", receipts=False)
        assert result is not None
        other = actor.chance.choice(self.connections[me])
        # Whoever the member talks with has nothing more of theirs.
        friends = frozenset(self.connections[me])
        mine = self._end("switch", asked, victims=frozenset({me}), places=frozenset(),
                         silent=lambda name, _: name in SIGNALS)  # fmt: skip
        theirs = End(
            "switch", friends, frozenset(), mine.answered_at, asked,
            silent=lambda _, data: data["member"] == me,
        )  # fmt: skip
        self.ledger.ends.append(theirs)
        await self._ping(theirs)
        await self._mark(actor, mine, other)
        theirs.marker = mine.marker
        await self._pause(0.2)
        mine.again_at = theirs.again_at = time.monotonic()
        await actor.call("settings.set", receipts=True)

    async def _block(self, actor: Actor) -> None:
        others = [o for o in self.connections[actor.member] if o not in cast.STEWARDS]
        if actor.member in cast.STEWARDS or not others:
            return
        other = actor.chance.choice(others)
        place = pair(actor.member, other)
        if place in self._blocks:
            return
        self._blocks.add(place)
        asked = time.monotonic()
        result, _ = await actor.call("block.add", member=other)
        if result is not None:
            ident = self.ids.get(place)
            end = self._end(
                "blocked", asked, victims=frozenset({actor.member, other}),
                places=frozenset({place}), silent=lambda _, data: data["conversation"] == ident,
            )  # fmt: skip
            await self._ping(end)

    async def _operate(self) -> None:
        """The operator revokes sessions: of a whole member, or of one device."""
        candidates = [m for m in cast.MEMBERS if m not in cast.STEWARDS]
        while not self._stop.is_set():
            await self._pause(REVOKE_EVERY_S)
            if self._stop.is_set():
                return
            await self.revoke(self.chance.choice(candidates), self.chance.random() < 0.4)

    async def revoke(self, victim: str, one_device: bool) -> End:
        """Revoke, and have somebody else write to the victim once it is answered."""
        named = {"device": "a"} if one_device else {}
        asked, wall = time.monotonic(), time.time() - self.cluster.token_age_s
        await self.cluster.until_operated(
            "session.revoke", lambda: self.chance.choice(self.cluster.live), member=victim, **named
        )
        end = self._end("revoked", asked, victims=frozenset({victim}), places=None, issued=wall,
                        device=named.get("device", ""))  # fmt: skip
        await self._ping_revoked(end)
        other = self.chance.choice(self.connections[victim])
        await self.send_to(self.by_name[other + "a"], victim)
        return end
