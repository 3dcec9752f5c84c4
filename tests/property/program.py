"""One run: members made for it, their devices, their comings and goings.

Owns nothing of the node, which outlives it. `steps` says what happens in a run.
"""

from __future__ import annotations

import asyncio
from typing import Any

from tests.property.approaches import PLANS, put
from tests.property.bench import Bench
from tests.property.clients import Connection
from tests.property.devices import Device
from tests.property.speakers import Speakers

Map = dict[str, Any]
NAMES = ("ada", "bob", "cyd", "dan", "eve", "fay", "gus")
GUESTS = ("hal", "ivy")  # whom nobody is connected to at first
ENCODINGS = ("subrosa.v1.msgpack", "subrosa.v1.json")


class Run:
    """One run: members made for it, their devices, and its steps."""

    def __init__(self, bench: Bench, number: int, size: int) -> None:
        bench.start()
        self.bench = bench
        self.number = number
        self.club = f"club.{number}"
        self.friends = [f"{name}.{number}" for name in NAMES[:size]]
        self.members = [*self.friends, *(f"{name}.{number}" for name in GUESTS)]
        self.careful = self.members[number % 2 :: 2]  # reads take time: others' turn comes next
        self.all = Speakers(bench, self.members)
        self.unfinished: list[tuple[Connection, dict[str, int]]] = []  # that have more to resume
        self.devices = [
            Device(member, device, ENCODINGS[(index + len(device)) % 2])
            for index, member in enumerate(self.members)
            for device in (("phone", "desk") if index % 2 else ("phone",))
        ]

    async def begin(self) -> None:
        """Members, connections between most friends, a group of most members and guests, sessions,
        a conversation of most, and one of the group."""
        for index, member in enumerate(self.members):
            opened = {"open_profile": True} if index % 3 == 0 else {}
            put(self.all, member, PLANS[index % len(PLANS)], **opened)
        await self.bench.answers()
        for index, a in enumerate(self.friends):
            for b in self.friends[index + 1 :]:
                if (index, b) not in ((1, self.friends[2]), (0, self.friends[-1])):
                    self.all.operate("connection.put", a=a, b=b)
        await self.bench.answers()
        self.all.operate("group.put", id=self.club, name="Club", owner=self.members[0])
        await self.bench.answers()
        for index, member in enumerate(self.members[1:]):
            if index != 1:
                role = "member" if index else "manager"
                self.all.operate("group.add", group=self.club, member=member, role=role)
        await self.bench.answers()
        for device in self.devices:
            self.connect(device, resume=device.positions)
        await self.bench.rest()
        first = self.all.live(self.members[0])[0]
        for members in (self.friends[1:], self.friends[1:4]):
            self.all.say(first, "conversation.start", members=members, client_id=self.all.ident())
        some = {"group": self.club, "members": [self.members[1], self.members[3]]}
        self.all.say(first, "conversation.start", client_id=self.all.ident(), **some)
        await self.bench.rest()

    async def wait(self, pace: int) -> None:
        """Until all is at rest, or until what was said is done, or hardly at all."""
        if pace % 4 < 2:
            await self.bench.rest()
        elif pace % 4 == 2:
            await self.bench.answers()
        else:
            for _ in range(pace // 64):
                await asyncio.sleep(0)
            self.bench.check()
        if pace % 4 < 3:
            self.bench.pass_time(1 + pace)
        self.ask()

    def ask(self) -> bool:
        """Some phones read what they have to read again; answers whether that is not all yet."""
        phones = [one for one in self.all.live(*self.careful) if one.device.name == "phone"]
        for one in phones:
            one.ask()
        return any(one.device.mirror.stale for one in phones)

    # Connections

    def connect(self, device: Device, **params: Any) -> Connection:
        """A device connects."""
        self.bench.log.append(f"{device.member}/{device.name}: connect {params}")
        return self.bench.connect(device, **params)

    def absent(self) -> list[Device]:
        """The devices without a connection."""
        present = [one.device for one in self.bench.connections if one.code is None]
        return [device for device in self.devices if device not in present]

    def come_back(self, device: Device, how: int) -> None:
        """A device connects again, mostly from where it was."""
        resume = dict(device.positions)
        match how % 16:
            case 0:
                self.connect(device)
            case 1:
                self.connect(device, resume=resume, epoch="another")
            case 2:
                foreign = [t.topic for t in self.all.oracle.talks.values()]
                wrong = dict.fromkeys([*foreign, *map("member:{}".format, self.members)], how)
                self.connect(device, resume={**wrong, device.own: 1 << 40})
            case 3 | 4:
                named, later = dict(list(resume.items())[:1]), dict(list(resume.items())[1:])
                one = self.connect(device, resume=named, resume_more=True)
                self.unfinished.append((one, later))
                if how >= 128:
                    self.resume_more()
            case _:
                self.connect(device, resume=resume)

    def resume_more(self) -> None:
        """Those that have said `resume_more` name the rest."""
        for one, topics in self.unfinished:
            self.bench.log.append(f"{one.member}/{one.device.name}: resume {topics}")
            for topic, pos in list(topics.items())[1:]:
                one.say("resume", {"topics": {topic: pos}, "more": True})
            one.say("resume", {"topics": dict(list(topics.items())[:1])})
        self.unfinished.clear()

    def cut(self, one: Connection) -> None:
        """A connection is lost."""
        self.bench.log.append(f"{one.member}/{one.device.name}: cut")
        one.wire.cut()

    def stall(self, one: Connection) -> None:
        """A client stops reading."""
        self.bench.log.append(f"{one.member}/{one.device.name}: stall")
        one.wire.stalled = True

    def drain(self) -> None:
        """Every client reads again."""
        for one in self.bench.connections:
            if one.code is None and one.wire.stalled:
                self.bench.log.append(f"{one.member}/{one.device.name}: drain")
                one.wire.drain()

    async def finish(self) -> None:
        """Everybody comes back, reads, and has caught up."""
        self.resume_more()
        self.drain()
        await self.bench.rest()
        for device in self.absent():
            self.connect(device, resume=dict(device.positions))
        stale = True
        while stale:
            await self.bench.rest()
            stale = self.ask()
