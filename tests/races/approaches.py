"""The races of the rulebook's ways: requests, credits, and groups' conversations with viewers.

Each begins with what it is about being made, in place of the scene's own conversations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from server.commands.outcome import Outcome
from tests.races.race import NOT_REACHED, Race, event, member, say, send, text
from tests.races.scene import FIRST, SECOND, Deed, Scene

REFUSED, POOR = "refused", "costs_credit"


def _done(outcome: Outcome) -> dict[str, Any]:
    assert outcome.result is not None, outcome
    return outcome.result


async def _inmail(scene: Scene) -> Outcome:
    """a, with a single credit a month, spends it on an InMail to d."""
    await scene.do("", "member.put", id=scene.id("a"), name="a", plan="sales_navigator")
    outcome = await scene.send("a", FIRST, to=scene.id("d"), max_cost=1)
    scene.pair = _done(outcome)["conversation"]
    return outcome


async def _answered(scene: Scene) -> Outcome:
    """d has accepted it."""
    await _inmail(scene)
    return await scene.do("d", "request.accept", conversation=scene.pair)


async def _open(scene: Scene) -> Outcome:
    """a has written to d's Open Profile."""
    opened = {"plan": "career", "settings": {"open_profile": True}}
    await scene.do("", "member.put", id=scene.id("d"), name="d", **opened)
    outcome = await scene.send("a", FIRST, to=scene.id("d"))
    scene.pair = _done(outcome)["conversation"]
    return outcome


async def _one_credit(scene: Scene) -> Outcome:
    """a has a single credit, and neither c nor d is a connection."""
    await scene.do("", "connection.delete", a=scene.id("a"), b=scene.id("c"))
    return await scene.do("", "member.put", id=scene.id("a"), name="a", plan="sales_navigator")


async def _guild(scene: Scene) -> Outcome:
    """A group of all, owned by a; its conversation is of a, b and c, in which a has written."""
    scene.group = f"guild.{scene.number}"
    await scene.do("", "group.put", id=scene.group, name="Guild", owner=scene.id("a"))
    for name in "bcd":
        await scene.do("", "group.add", group=scene.group, member=scene.id(name))
    some = [scene.id("b"), scene.id("c")]
    made = await scene.do("a", "conversation.start", group=scene.group, members=some)
    scene.talk = _done(made)["conversation"]
    outcome = await scene.send("a", FIRST, conversation=scene.talk)
    scene.message = _done(outcome)["message"]
    return outcome


async def _viewed(scene: Scene) -> Outcome:
    """d views it."""
    await _guild(scene)
    return await _mention("look")(scene)


def _mention(body: str) -> Deed:
    """a mentions d in the group's conversation."""

    async def deed(scene: Scene) -> Outcome:
        mentions = [scene.id("d")]
        return await scene.send("a", body, conversation=scene.talk, mentions=mentions)

    return deed


def _group(scene: Scene) -> str:
    return scene.group


def _pair(scene: Scene) -> str:
    return scene.pair


def _talk(scene: Scene) -> str:
    return scene.talk


def _letter(name: str, body: str) -> Deed:
    """a's InMail to somebody, with consent to its cost."""

    async def deed(scene: Scene) -> Outcome:
        return await scene.send("a", body, to=scene.id(name), max_cost=1)

    return deed


def _answer(cmd: str) -> Deed:
    return say("d", cmd, conversation=_pair)


def _ledger(**changes: list[int]) -> Callable[[Scene, str], Any]:
    """In the end a's ledger holds these entries by their reasons, and the balance is their sum."""

    async def check(scene: Scene, first: str) -> None:
        got = _done(await scene.do("", "credits.ledger", member=scene.id("a")))
        found: dict[str, list[int]] = {}
        for entry in got["entries"]:
            found.setdefault(entry["reason"], []).append(entry["change"])
        wanted = {**changes, **({"inmail": [-1]} if first == "act" else {})}
        assert found == {reason: some for reason, some in wanted.items() if some}, first
        assert got["balance"] == sum(entry["change"] for entry in got["entries"])

    return check


TIMES = 250  # what they begin with is more than the scene
LEAVE_GROUP = say("", "group.remove", group=_group, member=member("b"))
_RACES = {
    "a second send vs accept": Race(
        _letter("d", SECOND), _answer("request.accept"), act_first=(REFUSED, ""), before=_inmail,
        loser="d", gained=True, sees=text(SECOND),
    ),
    "a second send vs decline": Race(
        _letter("d", SECOND), _answer("request.decline"), act_first=(REFUSED, ""),
        end_first=NOT_REACHED, before=_inmail, loser="d", secret=True, sees=text(SECOND),
    ),
    "accept vs decline": Race(
        _answer("request.accept"), _answer("request.decline"), act_first=("", REFUSED),
        end_first=(REFUSED, ""), before=_inmail, loser="b",
        after=_ledger(plan=[1], inmail=[-1], refund=[1]),
    ),
    "the last credit vs itself": Race(
        _letter("d", SECOND), _letter("c", "another"), act_first=("", POOR), end_first=(POOR, ""),
        before=_one_credit, loser="d", own=True, sees=text(SECOND),
        after=_ledger(plan=[1], inmail=[-1]),
    ),
    "an InMail vs the plan's end": Race(
        _letter("d", SECOND),
        say("", "member.put", id=member("a"), name="a", plan="basic"),
        end_first=NOT_REACHED, before=_one_credit, loser="d", own=True, sees=text(SECOND),
        after=lambda scene, first: _ledger(plan=[1], plan_ended=[-1] if first == "end" else [])(
            scene, first
        ),
    ),
    "typing vs close": Race(
        say("a", "typing.start", conversation=_pair),
        say("d", "conversation.close", conversation=_pair),
        end_first=NOT_REACHED, before=_answered, loser="d", sees=event("typing.started"),
    ),
    "a receipt vs close": Race(
        say("a", "receipt.read", conversation=_pair, seq=1),
        say("d", "conversation.close", conversation=_pair),
        before=_answered, loser="d", sees=event("receipt.read"),
    ),
    # What was said before the profile was shut may come after the answer: it was theirs.
    "a receipt vs the profile's end": Race(
        say("d", "receipt.read", conversation=_pair, seq=1),
        say("d", "settings.set", open_profile=False),
        before=_open, loser="a", own=True, sees=event("receipt.read"),
    ),
    "send vs group.remove": Race(
        send("a", "talk"), LEAVE_GROUP, before=_guild, sees=text(SECOND),
        gets=lambda first: False,
    ),
    "send vs being out of the group": Race(
        send("b", "talk"), LEAVE_GROUP, end_first=NOT_REACHED, before=_guild, loser="a",
    ),
    "mention vs group.remove": Race(
        _mention(SECOND), say("", "group.remove", group=_group, member=member("d")),
        before=_guild, loser="d", sees=text(SECOND), gets=lambda first: False,
    ),
    "an edit vs a mention": Race(
        say("a", "message.edit", message=lambda scene: scene.message, body=SECOND),
        _mention("look"), before=_guild, loser="d", secret=True, sees=text(SECOND),
        gets=lambda first: True,
    ),
    "typing vs a viewer brought in": Race(
        say("c", "typing.start", conversation=_talk),
        say("a", "conversation.add", conversation=_talk, member=member("d")),
        before=_viewed, loser="d", gained=True, sees=event("typing.started"),
        gets=lambda first: True,
    ),
}  # fmt: skip
RACES = {name: replace(race, times=TIMES) for name, race in _RACES.items()}
