"""What a run does, as a list of short byte strings, and how each of them is carried out.

A step is `STEP` bytes: what to do, how long to wait for it, two choices, then commands of four
bytes each. Most steps race something that ends access against what is going on; all that is said
in a step is said in one tick of the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.property.bench import Bench
from tests.property.clients import Connection
from tests.property.devices import Device
from tests.property.verbs import Choice, Speakers, pick

Map = dict[str, Any]
COMMANDS = 4
STEP = 4 + 4 * COMMANDS
MINUTE = 60_000
NAMES = ("ada", "bob", "cyd", "dan", "eve", "fay", "gus")
ENCODINGS = ("subrosa.v1.msgpack", "subrosa.v1.json")


class Run:
    """One run: members made for it, their devices, and its steps."""

    def __init__(self, bench: Bench, number: int, size: int) -> None:
        bench.start()
        self.bench = bench
        self.number = number
        self.members = [f"{name}.{number}" for name in NAMES[:size]]
        self.all = Speakers(bench, self.members)
        self.unfinished: list[tuple[Connection, dict[str, int]]] = []  # that have more to resume
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
                if (index, b) not in ((1, self.members[2]), (0, self.members[-1])):
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
        self.resume_more()
        commands = [Choice(*data[at : at + 4]) for at in range(4, STEP, 4)]
        await what(self, data[1], data[2], data[3], commands)
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
        self.ask()

    def ask(self) -> bool:
        """Phones read what they have to read again; answers whether there is still something."""
        phones = [one for one in self.all.live() if one.device.name == "phone"]
        for one in phones:
            one.ask()
        return any(one.device.mirror.stale for one in phones)

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


# Steps. Each takes its pace, its two choices and its commands.


async def _burst(run: Run, pace: int, a: int, b: int, commands: list[Choice]) -> None:
    """Several members say something at once."""
    run.say_all(commands)


async def _race(run: Run, pace: int, a: int, b: int, commands: list[Choice]) -> None:
    """Somebody leaves or is removed while others, and they themselves, send; then comes back."""
    talk = run.all.several(a)
    here = run.all.live(*talk.roster) if talk is not None else []
    victim = pick(b, here)
    if talk is None or victim is None:
        return
    others = [one for one in here if one.member != victim.member]
    remover = pick(b // 8, others)
    if b & 64:
        run.stall(victim)
    for one in (victim, *others[:1]):
        run.all.send(one, conversation=talk.id)
    if b & 128 or remover is None:
        run.all.say(victim, "conversation.leave", conversation=talk.id)
    else:
        run.all.say(remover, "conversation.remove", conversation=talk.id, member=victim.member)
    run.bench.races.append(talk)
    for one in (victim, *others[-1:]):
        run.all.send(one, conversation=talk.id)
    for one in others[:1]:
        run.all.say(one, "typing.start", conversation=talk.id)
    if b & 32:
        run.cut(victim)
        run.come_back(victim.device, a)
    run.say_all(commands[:2])
    await run.wait(pace)
    if b & 64:
        run.drain()
    adder = pick(a, run.all.live(*talk.roster))
    if adder is not None and b & 24:
        run.all.say(adder, "conversation.add", conversation=talk.id, member=victim.member)
        run.all.send(adder, conversation=talk.id)
    run.say_all(commands[2:])


async def _away(run: Run, pace: int, a: int, b: int, commands: list[Choice]) -> None:
    """Devices are away while others write, edit and delete; they come back as these go on."""
    one = pick(a, run.all.live())
    if one is None:
        return
    gone = [one, *run.all.live()[b % 4 :: 4]]
    for other in gone:
        if b & 16:
            run.stall(other)
    run.say_all(commands[:1])
    if b & 16:
        await run.wait(pace)
    for other in gone:
        run.cut(other)
    talks = [t for t in run.all.oracle.visible_talks(one.member) if one.member in t.roster]
    for talk in talks[-3:]:
        speaker = pick(a // 8, run.all.live(*talk.roster))
        if speaker is not None:
            run.all.send(speaker, conversation=talk.id)
        for which in (a, b):
            message = run.all.message(talk, which)
            author = pick(b, run.all.live(message.sender)) if message is not None else None
            if message is None or author is None:
                continue
            if which % 2:
                run.all.edit(author, message)
            else:
                ident = message.now.map["message"]
                run.all.say(author, "message.delete", message=ident)
    run.say_all(commands[1:2])
    await run.wait(pace)
    run.say_all(commands[2:3])
    for device in run.absent():
        if device in [other.device for other in gone]:
            run.come_back(device, b)
    run.say_all(commands[3:])


async def _stall(run: Run, pace: int, a: int, b: int, commands: list[Choice]) -> None:
    """A client stops reading, and things go on."""
    one = pick(a, run.all.live())
    if one is not None:
        run.stall(one)
    run.say_all(commands)


async def _drain(run: Run, pace: int, a: int, b: int, commands: list[Choice]) -> None:
    """They read again, and things go on."""
    run.say_all(commands[:2])
    run.drain()
    run.say_all(commands[2:])


async def _cut(run: Run, pace: int, a: int, b: int, commands: list[Choice]) -> None:
    """A connection is lost with what was just said over it."""
    run.say_all(commands)
    one = pick(a, run.all.live())
    if one is not None:
        run.cut(one)


async def _back(run: Run, pace: int, a: int, b: int, commands: list[Choice]) -> None:
    """Somebody comes back."""
    device = pick(a, run.absent())
    run.say_all(commands[:2])
    if device is not None:
        run.come_back(device, b)
    run.say_all(commands[2:])


async def _another(run: Run, pace: int, a: int, b: int, commands: list[Choice]) -> None:
    """A member signs in on a device that knows nothing."""
    if len(run.devices) < 2 * len(run.members):
        member = run.members[a % len(run.members)]
        device = Device(member, f"tab{len(run.devices)}", ENCODINGS[b % 2])
        device.positions.clear()
        run.devices.append(device)
        run.connect(device)
    run.say_all(commands)


async def _revoke(run: Run, pace: int, a: int, b: int, commands: list[Choice]) -> None:
    """A member's sessions are ended, or one device's, and the old token is tried again."""
    one = pick(a, run.all.live())
    if one is None:
        return
    device = {"device": one.device.name} if b % 2 else {}
    run.say_all(commands[:2])
    run.all.operate("session.revoke", member=one.member, **device)
    run.say_all(commands[2:])
    await run.bench.answers()
    run.bench.log.append(f"{one.member}/{one.device.name}: connect with what was revoked")
    run.bench.connect(one.device, used=one)
    await run.bench.answers()
    run.bench.pass_time(1)


async def _clock(run: Run, pace: int, a: int, b: int, commands: list[Choice]) -> None:
    """Time passes."""
    await run.bench.answers()
    run.bench.pass_time((a % 24) * MINUTE + b * 40)
    run.say_all(commands)


async def _fault(run: Run, pace: int, a: int, b: int, commands: list[Choice]) -> None:
    """The bus repeats itself, a write fails, a topic is looked after."""
    if a % 3 == 0:
        run.bench.repeat_on_the_bus(b)
    elif a % 3 == 1:
        run.bench.spoil_a_write()
    run.say_all(commands)
    if a % 3 == 2:
        await run.bench.node.hub.replays.compare_heads(run.bench.ms)


Step = Callable[[Run, int, int, int, list[Choice]], Awaitable[None]]
KINDS: list[Step | None] = [
    None, *([_race] * 10), *([_away] * 10), *([_burst] * 4), _stall, _drain, _drain, _cut, _back,
    _back, _another, _revoke, _clock, _fault,
]  # fmt: skip
