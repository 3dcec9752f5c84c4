"""Commands on what needs no connection: approaches and their answers, groups, credits.

Choices as in `verbs`. Called by its table, and by the steps that bring such things about.
"""

from __future__ import annotations

from typing import Any

from tests.property.clients import Connection
from tests.property.speakers import Choice, Speakers, Verb, pick
from tests.support.oracle_things import Talk

Map = dict[str, Any]
PLANS = ("career", "basic", "business", "sales_navigator", "recruiter_lite", "basic")


def club(all_: Speakers) -> str:
    """The run's own group."""
    return next(iter(all_.oracle.groups), "")


def strangers(all_: Speakers, member: str) -> list[str]:
    """Whom somebody reaches by an approach, if at all."""
    return [one for one in all_.members if one != member
            and not all_.oracle.bond(member, one).connected]  # fmt: skip


def asked(all_: Speakers, *, by: str = "") -> list[Talk]:
    """Where a request waits for an answer, of somebody's or of anybody's."""
    return [
        talk for talk in all_.oracle.talks.values()
        if talk.two and (met := all_.oracle.bond(*talk.roster).approach) and met.request
        and by in ("", met.sender)
    ]  # fmt: skip


def approach(all_: Speakers, me: Connection, other: str, how: int) -> None:
    """A message to somebody, mostly with consent to its cost."""
    long = "x" * all_.oracle.rules.inmail if how % 16 == 15 else ""
    subject = {"subject": f"canary-{all_.ident()}-"} if how & 2 else {}
    all_.send(me, to=other, max_cost=int(how % 4 != 0), more=long, **subject)


def answer(all_: Speakers, me: Connection, talk: Talk, how: int) -> None:
    """Accept or decline a request, or write back."""
    if how % 3 == 2:
        all_.send(me, conversation=talk.id)
    else:
        all_.say(me, ("request.accept", "request.decline")[how % 3], conversation=talk.id)


def mention(all_: Speakers, me: Connection, talk: Talk) -> None:
    """A message that names everybody there is, the sender and nobody included."""
    all_.send(me, conversation=talk.id, mentions=[*all_.members, "nobody"])


def _approach(all_: Speakers, me: Connection, choice: Choice) -> None:
    other = pick(choice.which, strangers(all_, me.member))
    if other is not None:
        approach(all_, me, other, choice.where)


def _answer(all_: Speakers, me: Connection, choice: Choice) -> None:
    """Mostly who was asked."""
    talk = pick(choice.where, asked(all_)) or all_.talk(me.member, choice.where)
    if talk is not None:
        here = all_.live(*talk.roster) if choice.which % 8 else [me]
        answer(all_, pick(choice.who, here) or me, talk, choice.which // 8)


def _close(all_: Speakers, me: Connection, choice: Choice) -> None:
    """Mostly what was opened by an answer."""
    opened = [
        talk for talk in all_.oracle.visible_talks(me.member)
        if talk.two and all_.oracle.bond(*talk.roster).approach is not None
    ]  # fmt: skip
    talk = pick(choice.which, opened) or all_.talk(me.member, choice.where)
    if talk is not None:
        all_.say(me, "conversation.close", conversation=talk.id)


def _mention(all_: Speakers, me: Connection, choice: Choice) -> None:
    mine = [talk for talk in all_.oracle.talks.values()
            if talk.group and me.member in talk.present]  # fmt: skip
    talk = pick(choice.where, mine)
    if talk is not None:
        mention(all_, me, talk)


def _gather(all_: Speakers, me: Connection, choice: Choice) -> None:
    others = [one for i, one in enumerate(all_.members) if choice.where >> i & 1]
    all_.say(me, "conversation.start", group=club(all_), members=others, title=all_.ident())


def _assign(all_: Speakers, me: Connection, choice: Choice) -> None:
    """Into the group, out of it, or to another role."""
    group, other = club(all_), all_.members[choice.which % len(all_.members)]
    if not group:
        return
    if choice.where % 8 == 7:
        all_.operate("group.put", id=group, name="Club", owner=other)
    elif choice.where % 2:
        all_.operate("group.add", group=group, member=other,
                     role=("member", "member", "manager")[choice.where % 3])  # fmt: skip
    else:
        all_.operate("group.remove", group=group, member=other)


def _end_plan(all_: Speakers, me: Connection, choice: Choice) -> None:
    if choice.which % 4 == 3:
        put(all_, me.member, "basic")


def put(all_: Speakers, member: str, plan: str, **settings: bool) -> None:
    """The operator gives a member a plan, or ends it."""
    more = {"settings": settings} if settings else {}
    all_.operate("member.put", id=member, name=member.title(), plan=plan, **more)


VERBS: list[Verb] = [
    _approach, _approach, _approach, _answer, _answer, _close, _mention, _mention, _gather,
    _assign, _assign, _end_plan,
]  # fmt: skip
