"""What a run does, as a list of short byte strings, and how each of them is carried out.

A step is `STEP` bytes: what to do, how long to wait for it, two choices, then commands of four
bytes each. Most steps race something that ends access against what is going on; all that is said
in a step is said in one tick of the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.property.bench import Bench
from tests.property.clients import Connection
from tests.property.devices import Device
from tests.property.verbs import Choice, Speakers, pick

Map = dict[str, Any]
COMMANDS = 4
STEP = 4 + 4 * COMMANDS
MINUTE = 60_000
ENCODINGS = ("subrosa.v1.msgpack", "subrosa.v1.json")


class Run:
    """One run: members made for it, their devices, and its steps."""

    def __init__(self, bench: Bench, number: int, size: int) -> None:
        bench.start()
        self.bench = bench
        self.members = [f"{name}.{number}" for name in "ada bob cyd dan eve fay gus".split()[:size]]
        self.all = Speakers(bench, self.members)
        self.devices = [
            Device(member, device, ENCODINGS[(index + len(device)) % 2])
            for index, member in enumerate(self.members)
            for device in (("phone", "desk") if index % 2 else ("phone",))
        ]

    async def begin(self) -> None:
        """Members, connections between most of them, sessions, and a conversation of most."""
        for member in self.members:
            self.all.operate("member.put", id=member, name=member.title())
        for index, a in enumerate(self.members):
            for b in self.members[index + 1 :]:
                if (a, b) != (self.members[1], self.members[2]):
                    self.all.operate("connection.put", a=a, b=b)
        for device in self.devices:
            self.connect(device, resume=device.positions)
        await self.bench.rest()
        first = self.all.live(self.members[0])[0]
        for members in (self.members[1:], self.members[1:4]):
            self.all.say(first, "conversation.start", members=members, client_id=self.all.ident())
        await self.bench.rest()

    async def step(self, data: bytes) -> None:
        """Carry out one step."""
        what = KINDS[data[0] % len(KINDS)]
        if what is None:
            return
        commands = [Choice(*data[at : at + 4]) for at in range(4, STEP, 4)]
        what(self, data[2], data[3], commands)
        await self.wait(data[1])

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
        for one in self.all.live():
            one.ask()

    def say_all(self, commands: list[Choice]) -> None:
        """All these commands."""
        for choice in commands:
            self.all.command(choice)

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
                self.bench.log.append(f"{device.member}/{device.name}: resume {later}")
                self.waiting_resumes.append((one, later))
            case _:
                self.connect(device, resume=resume)

    def cut(self, one: Connection) -> None:
        """A connection is lost."""
        self.bench.log.append(f"{one.member}/{one.device.name}: cut")
        one.wire.cut()
