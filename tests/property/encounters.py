"""Steps about who reaches whom without a connection, what it costs, and what a group shares.

Like those in `steps`: each races something that gives or ends a right against what is going on.
"""

from __future__ import annotations

from typing import Any

from server.commands.group_talk import Admit
from server.commands.snapshot import Snapshot
from server.domain.rows import Member
from tests.property import approaches
from tests.property.clients import Connection
from tests.property.program import Run
from tests.property.speakers import pick
from tests.property.step import Step, say
from tests.support.oracle_things import DAY, Talk

Map = dict[str, Any]


async def request(run: Run, step: Step) -> None:
    """Somebody approaches a stranger, more than once; it is answered as things go on, or a block,
    a connection or a closing comes in between."""
    all_, a, b = run.all, step.a, step.b
    me = pick(a, all_.live())
    if me is None:
        return
    other = pick(b, approaches.strangers(all_, me.member))
    if other is None:
        return
    approaches.approach(all_, me, other, a | 1)
    if b & 1:
        await run.bench.answers()
        run.bench.pass_time(1)
    talk = all_.oracle.bond(me.member, other).talk
    if talk is None:
        say(run, step.commands)
        return
    theirs = all_.live(other)
    for one in (me, *theirs[:1]):
        all_.say(one, "typing.start", conversation=talk.id)
        all_.say(one, "receipt.read", conversation=talk.id, seq=len(talk.messages))
    say(run, step.commands[:1])
    _intervene(run, me, theirs, talk, b)
    all_.send(me, conversation=talk.id)
    if a & 1:
        await run.bench.answers()
    for one in (me, *theirs[-1:]):
        all_.send(one, conversation=talk.id, max_cost=1)
    say(run, step.commands[1:])


def _intervene(run: Run, me: Connection, theirs: list[Connection], talk: Talk, how: int) -> None:
    """What becomes of an approach: mostly an answer, perhaps two at once."""
    all_ = run.all
    for number, one in enumerate(theirs):
        match how // 2 % 16:
            case 0:
                all_.say(one, "block.add", member=me.member)
                all_.say(one, "block.remove", member=me.member)
            case 1:
                all_.operate("connection.put", a=me.member, b=one.member)
                all_.operate("connection.delete", a=me.member, b=one.member)
            case 2 | 3:
                all_.say(one, "conversation.close", conversation=talk.id)
            case 4:
                approaches.put(all_, me.member, "basic")
            case 5:
                all_.say(one, "settings.set", open_profile=how & 64 > 0)
            case _:
                approaches.answer(all_, one, talk, how // 32 + number)


async def letters(run: Run, step: Step) -> None:
    """A member with few credits spends them on all devices at once; what is answered comes back,
    once."""
    all_, a, b = run.all, step.a, step.b
    paying = [m for m in run.members if b & 1 or all_.oracle.people[m].plan != "basic"]
    payers = [one.member for one in all_.live(*paying)]
    member = pick(a, [m for m in payers if len(all_.live(m)) > 1] or payers)
    if member is None:
        return
    await _money(run, member, b)
    before = all_.oracle.balance(member)
    here = all_.live(member)
    others = approaches.strangers(all_, member)
    for number, one in enumerate([*here, *here][:4]):
        other = pick(a // 8 + number, others)
        if other is not None:
            approaches.approach(all_, one, other, a // 4 + number)  # one of four without consent
    run.bench.counts["few credits spent at once"] += len(here) > 1 and 0 < before < 3
    if a % 8 == 7:
        approaches.put(all_, member, "basic")
    say(run, step.commands[:2])
    await run.wait(step.pace)
    waiting = approaches.asked(all_, by=member)
    for device in run.absent():
        if device.member in [talk.other(member) for talk in waiting]:
            run.come_back(device, b | 8)
    await run.bench.answers()
    for talk in waiting:
        for number, one in enumerate(all_.live(talk.other(member))):
            approaches.answer(all_, one, talk, b // 4 + number)
    say(run, step.commands[2:])


async def _money(run: Run, member: str, how: int) -> None:
    """Somebody gets a plan or credits, at a moment when nothing else comes to an account: entries
    of one moment have no order that anybody could know."""
    plan = run.all.oracle.people[member].plan
    if plan != "basic" and how & 2:
        return
    await run.bench.answers()
    run.bench.pass_time(1)
    if plan == "basic":
        approaches.put(run.all, member, approaches.PLANS[how // 4 % 2 * 4])
    else:
        reason = ("purchase", "sorry")[how // 4 % 2]
        run.all.operate("credits.grant", member=member, amount=1 + how // 8 % 2, reason=reason,
                        client_id=run.all.ident())  # fmt: skip
    await run.bench.answers()
    run.bench.pass_time(1)


async def weeks(run: Run, step: Step) -> None:
    """Everybody is away for a week or for months, and comes back with new tokens."""
    run.resume_more()
    run.drain()
    await run.bench.rest()
    for one in run.all.live():
        run.cut(one)
    await run.bench.rest()
    run.bench.pass_time((7, 31, 31, 91)[step.a % 4] * DAY)
    for index, device in enumerate(run.absent()):
        run.come_back(device, step.b + index)
    await run.bench.answers()
    say(run, step.commands)


def _group_talk(run: Run, which: int) -> Talk | None:
    """A conversation of the group in which somebody of several is there."""
    live = {one.member for one in run.all.live()}
    return pick(which, [
        talk for talk in run.all.oracle.talks.values()
        if talk.group and len(live & set(talk.roster)) > 1
    ])  # fmt: skip


async def _found(run: Run, which: int) -> Talk | None:
    """Everybody is of the group again, and who leads it starts a conversation of few."""
    all_, group = run.all, run.all.oracle.groups[run.club]
    for member in run.members:
        if member not in group.roles:
            all_.operate("group.add", group=group.id, member=member)
    await run.bench.answers()
    leader = pick(which, [one for one in all_.live() if group.leads(one.member)])
    if leader is not None:
        some = [one for one in all_.live() if one.member != leader.member][:2]
        all_.say(leader, "conversation.start", group=group.id, title=all_.ident(),
                 members=[one.member for one in some])  # fmt: skip
        await run.bench.answers()
    return _group_talk(run, -1)


async def mention(run: Run, step: Step) -> None:
    """In a group's conversation others are mentioned, as what was said before is changed; they go,
    come back, are brought in, or leave the group, as it goes on."""
    all_, a, b = run.all, step.a, step.b
    talk = _group_talk(run, a) or await _found(run, a)
    if talk is None:
        return
    here = all_.live(*talk.roster)
    writers = [one for one in here if run.all.oracle.groups[talk.group].leads(one.member)] or here
    author = writers[b % len(writers)]
    all_.send(author, conversation=talk.id)
    if b & 1:
        await run.bench.answers()
    approaches.mention(all_, writers[a % len(writers)], talk)
    _change_earlier(run, author, talk, a)
    all_.say(here[-1], "typing.start", conversation=talk.id)
    if b & 2:
        await run.bench.answers()
    gone = [one for one in all_.live(*talk.viewers) if b & 4]
    for one in gone:
        run.cut(one)
    _change_earlier(run, author, talk, b)
    for one in all_.live(*talk.viewers)[:2]:
        all_.send(one, conversation=talk.id)
        all_.say(one, "receipt.read", conversation=talk.id, seq=len(talk.messages))
    all_.say(here[0], "receipt.read", conversation=talk.id, seq=len(talk.messages))
    say(run, step.commands[:1])
    _end_viewing(run, talk, writers[0], a)
    all_.send(author, conversation=talk.id)
    _change_earlier(run, author, talk, a // 2)
    await run.wait(step.pace)
    for one in gone:
        if one.device in run.absent():
            run.come_back(one.device, step.b)
    say(run, step.commands[1:])


def _change_earlier(run: Run, author: Connection, talk: Talk, which: int) -> None:
    """An earlier message of theirs is edited, deleted, or reacted to."""
    all_ = run.all
    own = [m for m in talk.messages if m.sender == author.member and "deleted_at" not in m.now.map]
    message = pick(which // 4, own[:-4:-1])
    if message is None:
        return
    ident = message.now.map["message"]
    if which % 4 < 2:
        all_.edit(author, message)
    elif which % 4 == 2:
        all_.say(author, "message.react", message=ident, emoji="👍")
    else:
        all_.say(author, "message.delete", message=ident)


def _end_viewing(run: Run, talk: Talk, leader: Connection, how: int) -> None:
    """A viewer or participant leaves the group or the conversation, or is made a participant."""
    all_, there = run.all, [one for one in talk.present if one != leader.member]
    member = pick(how // 8, there)
    if member is None:
        return
    match how % 8:
        case 0 | 1 | 2:
            all_.operate("group.remove", group=talk.group, member=member)
        case 3:
            all_.say(leader, "conversation.remove", conversation=talk.id, member=member)
        case 4 | 5:
            viewer = pick(how // 8, talk.viewers) or member
            all_.say(leader, "conversation.add", conversation=talk.id, member=viewer)
        case 6:
            for one in all_.live(member)[:1]:
                all_.say(one, "conversation.leave", conversation=talk.id)


async def announce(run: Run, step: Step) -> None:
    """All of the group are brought into a conversation step by step, as some come and go."""
    all_, group = run.all, run.all.oracle.groups[run.club]
    leader = pick(step.a, [one for one in all_.live() if group.leads(one.member)])
    if leader is None:
        return
    all_.say(leader, "conversation.start", group=group.id, members=[], title=all_.ident())
    await run.bench.answers()
    for choice in (*step.commands[:3], None):
        if choice is not None:
            say(run, [choice])
        await _admit(run, 2 if step.b & 1 else 50, twice=bool(step.b & 2))
        if step.b & 4:
            all_.send(leader, conversation=list(all_.oracle.talks)[-1])
    say(run, step.commands[3:])


async def _admit(run: Run, most: int, *, twice: bool) -> None:
    """The next step of every announcement of this run, as its job does it; of two nodes both may
    think that it is theirs."""

    def ask(snapshot: Snapshot) -> list[tuple[int, tuple[int, ...], Map]]:
        found = []
        for key, members in snapshot.announcements(most):
            ids = [row.id for one in members if (row := snapshot.find(Member, one))]
            told: Map = {"conversation": snapshot.ids.conversation(key)}
            told |= {"members": list(zip(ids, members, strict=True))}
            found.append((key, tuple(members), told))
        return found

    for key, members, told in await run.bench.any_node().store.read(ask):
        for _ in range(1 + twice):
            if told["conversation"] in run.all.oracle.talks:
                run.bench.take_step("conversation.admit", Admit(key, members), told)
