"""What happens in a run, as a list of short byte strings, and how each of them is carried out.

A step is `STEP` bytes: what to do, how long to wait for it, two choices, then commands of four
bytes each. Most steps race something that ends access against what is going on; all that is said
between two waits is said in one tick of the loop. Zeros do nothing.
"""

from __future__ import annotations

from tests.property import encounters
from tests.property.clients import Connection
from tests.property.devices import Device
from tests.property.program import ENCODINGS, Run
from tests.property.speakers import Choice, pick
from tests.property.step import Deed, Step, say
from tests.support.oracle_things import Disagreement, Talk

STEP = 20
MINUTE = 60_000


async def carry_out(run: Run, data: bytes) -> None:
    """Carry out one step."""
    what = KINDS[data[0] % len(KINDS)]
    if what is not None:
        run.resume_more()
        commands = [Choice(*data[at : at + 4]) for at in range(4, STEP, 4)]
        await what(run, Step(data[1], data[2], data[3], commands))
        await run.wait(data[1])


async def _burst(run: Run, step: Step) -> None:
    """Several members say something at once."""
    if step.a % 8 == 7:
        run.bench.disturb(step.b)
    say(run, step.commands)


def _crowded(run: Run, choice: int) -> Talk | None:
    """A conversation of more than two in which somebody can be removed by somebody."""
    severals = [talk for talk in run.all.oracle.talks.values() if not talk.two]
    live = {one.member for one in run.all.live()}
    return pick(choice, [talk for talk in severals if len(live & set(talk.roster)) > 2])


async def _gather(run: Run, step: Step) -> None:
    """Everybody is back and connected again, and somebody brings them together."""
    for device in run.absent():
        run.come_back(device, step.b | 8)
    for index, a in enumerate(run.friends):
        for b in run.friends[index + 1 :]:
            if not run.all.oracle.bond(a, b).blockers:
                run.all.operate("connection.put", a=a, b=b)
    await run.bench.answers()
    founder = pick(step.a, run.all.live())
    if founder is not None:
        known = [m for m in run.members if run.all.oracle.way_open(founder.member, m)]
        most = known[: run.bench.rules.participants - 1]
        if most:
            run.all.say(founder, "conversation.start", members=most, title=run.all.ident())
    await run.bench.answers()


async def _race(run: Run, step: Step) -> None:
    """Some leave or are removed while others, and they themselves, send; then they come back."""
    talk, b = _crowded(run, step.a), step.b
    if talk is None:
        await _gather(run, step)
        talk = _crowded(run, step.a)
    if talk is None:
        return
    here = run.all.live(*talk.roster)
    victims = [here[b % len(here)]]
    if b & 4:
        victims += [one for one in here if one.member != victims[0].member][:1]
    names = [victim.member for victim in victims]
    others = [one for one in here if one.member not in names]
    if b & 64:
        run.stall(victims[0])
    if step.a % 8 == 7:
        run.bench.disturb(step.b)
    for one in (*victims, *others[:1]):
        run.all.send(one, conversation=talk.id)
    _remove(run, talk, victims, others, b)
    for one in (victims[0], *others[-1:]):
        run.all.send(one, conversation=talk.id)
    for one in others[:1]:
        run.all.say(one, "typing.start", conversation=talk.id)
    if b & 32:
        run.cut(victims[0])
        run.come_back(victims[0].device, step.a)
    say(run, step.commands[:2])
    await run.wait(step.pace)
    if b & 64:
        run.drain()
    if b & 24:
        _add(run, talk, names, step.a)
    say(run, step.commands[2:])


def _remove(
    run: Run, talk: Talk, victims: list[Connection], others: list[Connection], how: int
) -> None:
    """These leave, or others remove them."""
    if talk.group:
        others = [one for one in others if run.all.oracle.groups[talk.group].leads(one.member)]
    for victim in victims:
        remover = pick(how // 8, others)
        if how & 128 or remover is None:
            run.all.say(victim, "conversation.leave", conversation=talk.id)
        else:
            run.all.say(remover, "conversation.remove", conversation=talk.id, member=victim.member)
        run.bench.races.append(talk)


def _add(run: Run, talk: Talk, members: list[str], who: int) -> None:
    """Somebody brings these in, and says something."""
    adder = pick(who, [one for one in run.all.live(*talk.roster) if one.member not in members])
    if adder is not None:
        for member in members:
            run.all.say(adder, "conversation.add", conversation=talk.id, member=member)
        run.all.send(adder, conversation=talk.id)


async def _slowly(run: Run, step: Step) -> None:
    """As somebody catches up they are removed, or just were, perhaps brought back; others go on."""
    talk = _crowded(run, step.a)
    if talk is None:
        await _gather(run, step)
        talk = _crowded(run, step.a)
    if talk is None:
        return
    here = run.all.live(*talk.roster)
    victim = here[step.b % len(here)]
    others = [one for one in here if one.member != victim.member]
    run.cut(victim)
    for place in run.all.oracle.visible_talks(victim.member):
        speakers = [one for one in others if one.member in place.roster]
        if speakers and (step.b & 1 or not place.two):  # else its own topic is not behind
            run.all.send(speakers[0], conversation=place.id)
    lost_before = step.b & 2
    if lost_before:
        _remove(run, talk, [victim], others, step.b & 127)
    await run.bench.answers()
    run.bench.gate.clear()
    run.come_back(victim.device, step.b | 8)
    await run.bench.answers()
    if not lost_before:
        _remove(run, talk, [victim], others, step.b & 127)
    say(run, step.commands[:1])
    await run.bench.answers()
    if step.b & 64:
        _add(run, talk, [victim.member], step.a)
    say(run, step.commands[1:2])
    await run.bench.answers()
    run.bench.gate.set()
    for one in others[:2]:
        run.all.send(one, conversation=talk.id)
    say(run, step.commands[2:])


def _change(run: Run, talk: Talk, which: int) -> None:
    """One of a conversation's last messages is edited or deleted by who sent it."""
    message = run.all.message(talk, which)
    author = pick(which, run.all.live(message.sender)) if message is not None else None
    if message is not None and author is not None:
        if which % 2:
            run.all.edit(author, message)
        else:
            ident = message.now.map["message"]
            run.all.say(author, "message.delete", message=ident)


async def _away(run: Run, step: Step) -> None:
    """Devices are away while others write, edit and delete; they come back as these go on."""
    one = pick(step.a, run.all.live())
    if one is None:
        return
    gone: list[Connection] = [one, *run.all.live()[step.b % 4 :: 4]]
    if step.b & 16:
        for other in gone:
            run.stall(other)
        say(run, step.commands[:1])
        await run.wait(step.pace)
    for other in gone:
        run.cut(other)
    talks = [t for t in run.all.oracle.visible_talks(one.member) if one.member in t.roster]
    for talk in talks[-3:]:
        speaker = pick(step.a // 8, run.all.live(*talk.roster))
        if speaker is not None:
            run.all.send(speaker, conversation=talk.id)
        _change(run, talk, step.a)
        _change(run, talk, step.b)
    say(run, step.commands[1:2])
    await run.wait(step.pace)
    say(run, step.commands[2:3])
    for device in run.absent():
        if device in [other.device for other in gone]:
            run.come_back(device, step.b)
    say(run, step.commands[3:])


async def _stall(run: Run, step: Step) -> None:
    """A client stops reading, and things go on."""
    one = pick(step.a, run.all.live())
    if one is not None:
        run.stall(one)
    say(run, step.commands)


async def _drain(run: Run, step: Step) -> None:
    """They read again, and things go on."""
    say(run, step.commands[:2])
    run.drain()
    say(run, step.commands[2:])


async def _cut(run: Run, step: Step) -> None:
    """A connection is lost with what was just said over it."""
    say(run, step.commands)
    one = pick(step.a, run.all.live())
    if one is not None:
        run.cut(one)


async def _back(run: Run, step: Step) -> None:
    """Whoever is away comes back."""
    say(run, step.commands[:2])
    for index, device in enumerate(run.absent()):
        run.come_back(device, step.b + index)
    say(run, step.commands[2:])


async def _another(run: Run, step: Step) -> None:
    """A member signs in on a device that knows nothing, or asks for everything there was."""
    if len(run.devices) < 2 * len(run.members):
        member = run.members[step.a % len(run.members)]
        device = Device(member, f"tab{len(run.devices)}", ENCODINGS[step.b % 2])
        run.devices.append(device)
        if step.b & 2:
            talks = run.all.oracle.visible_talks(member)
            device.positions |= {talk.topic: 0 for talk in talks if not talk.two}
            run.connect(device, resume=dict(device.positions))
        else:
            device.positions.clear()
            run.connect(device)
    say(run, step.commands)


async def _revoke(run: Run, step: Step) -> None:
    """A member's sessions are ended, or one device's, and the old token is tried again."""
    one = pick(step.a, run.all.live())
    if one is None:
        return
    device = {"device": one.device.name} if step.b % 2 else {}
    say(run, step.commands[:2])
    run.all.operate("session.revoke", member=one.member, **device)
    say(run, step.commands[2:])
    await run.bench.answers()
    run.bench.log.append(f"{one.member}/{one.device.name}: connect with what was revoked")
    run.bench.connect(one.device, used=one)
    await run.bench.answers()
    run.bench.pass_time(1)


async def _quiet(run: Run, step: Step) -> None:
    """When nothing else happens, typing and receipts reach exactly those whom they are for."""
    run.drain()
    await run.bench.rest()
    run.bench.pass_time(run.bench.rules.typing_renew_ms)
    speaker = pick(step.a, run.all.live())
    talk = run.all.talk(speaker.member, step.b & 0xF0) if speaker is not None else None
    if speaker is None or talk is None:
        return
    before = len(run.all.oracle.signals)
    heard = {one: one.streams.signals.copy() for one in run.all.live() if one.streams is not None}
    if step.b & 1:
        run.all.say(speaker, "typing.start", conversation=talk.id)
    else:
        run.all.say(speaker, "receipt.read", conversation=talk.id, seq=len(talk.messages))
    await run.bench.rest()
    for sent in run.all.oracle.signals[before:]:
        for one, earlier in heard.items():
            assert one.streams is not None
            now = one.streams.signals.total() - earlier.total()
            may = one.member in sent.to
            if now != may and (now or one.place.node is speaker.place.node):
                raise Disagreement(f"{one.member} was told {now} times of {sent}")


async def _clock(run: Run, step: Step) -> None:
    """Time passes."""
    await run.bench.answers()
    run.bench.pass_time((step.a % 24) * MINUTE + step.b * 40)
    say(run, step.commands)


async def _fault(run: Run, step: Step) -> None:
    """The bus repeats itself, a write fails, a topic is looked after."""
    if step.a % 3 == 0:
        run.bench.repeat_on_the_bus(step.b)
    elif step.a % 3 == 1:
        run.bench.spoil_a_write()
    else:
        run.bench.disturb(step.b)
    say(run, step.commands)
    if step.a % 3 == 2:
        await run.bench.nodes.compare_heads()


KINDS: list[Deed | None] = [
    None, *([_race] * 9), *([_away] * 11), *([_slowly] * 3), *([_burst] * 3), _stall, _drain,
    _drain, _cut, _back, _back, _another, _another, _revoke, _quiet, _clock, _fault,
    *([encounters.mention] * 5), *([encounters.request] * 4), *([encounters.letters] * 3),
    encounters.announce, encounters.weeks,
]  # fmt: skip
