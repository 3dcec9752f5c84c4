"""A second reading of the rulebook: who may reach whom, what it costs, what each of them sees.

Written from the rulebook's text alone, and imports nothing from the server. It knows members, what
holds between two of them, and their one conversation; every deed answers what the server has to
answer. Where the text is silent, the decision is said at the line that takes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

DIRECT, OPEN_PROFILE, GROUP, INMAIL = KINDS = ("direct", "open_profile", "group", "inmail")
BASIC: Final = "basic"
CONNECT, WAIT, UPGRADE, BUY = "connect", "wait", "upgrade", "buy credits"

Answer = dict[str, Any]
"""`kind` of a message, or `code` of a refusal with what goes with it; `{}` for other deeds."""

UNREACHABLE: Final[Answer] = {"code": "unreachable"}


@dataclass(frozen=True)
class Numbers:
    """The policy's numbers that the ways depend on; these are the rulebook's."""

    monthly: Mapping[str, int] = field(
        default_factory=lambda: {
            "career": 5, "business": 15, "sales_navigator": 50, "recruiter_lite": 30,
        }
    )  # fmt: skip
    openers: int = 15
    cost: int = 1
    inmail_characters: int = 2_000


@dataclass
class Member:
    """A member with the settings that others' ways depend on."""

    plan: str
    credits: int
    open_profile: bool = False
    inmail: bool = True
    openers: int = 0

    @property
    def pays(self) -> bool:
        """Whether the plan is any but basic."""
        return self.plan != BASIC


@dataclass
class Talk:
    """What two have between them: connection and blocks, and their conversation once there is one.

    `waiting` is the request's sender and kind; `opened` the kind that an answer opened; `offered`
    who wrote to an Open Profile and has no answer; `closed` those to whom it is closed.
    """

    connected: bool = False
    blocks: set[str] = field(default_factory=set)
    begun: bool = False
    waiting: tuple[str, str] | None = None
    opened: str | None = None
    offered: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)


class Reading:
    """A house of members, by the rulebook."""

    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers
        self.members: dict[str, Member] = {}
        self._talks: dict[frozenset[str], Talk] = {}
        self._fellows: set[frozenset[str]] = set()

    # What is set up

    def join(self, name: str, plan: str, granted: int = 0) -> None:
        """A new member: the month's grant comes with the plan."""
        self.members[name] = Member(plan, self.numbers.monthly.get(plan, 0) + granted)

    def group(self, members: Iterable[str]) -> None:
        """Make these fellows."""
        names = sorted(members)
        self._fellows |= {frozenset((a, b)) for a in names for b in names if a != b}

    def leave_group(self, name: str) -> None:
        """Fellow of nobody any more."""
        self._fellows = {pair for pair in self._fellows if name not in pair}

    def set_plan(self, name: str, plan: str) -> None:
        """Credits are gone when the plan ends."""
        member = self.members[name]
        member.plan = plan
        if plan == BASIC:
            member.credits = 0

    def delete(self, name: str) -> None:
        """An unknown id from now on."""
        del self.members[name]

    def connect(self, a: str, b: str) -> None:
        """Connecting opens what was closed, for good."""
        talk = self.between(a, b)
        talk.connected = True
        talk.closed.clear()

    def part(self, a: str, b: str) -> None:
        """The connection ends, and with it what an answer had opened."""
        talk = self.between(a, b)
        talk.connected, talk.opened = False, None

    def block(self, by: str, whom: str) -> Answer:
        """Ends the connection and what an answer had opened; a request goes on waiting. Whoever is
        blocked has the answer that an unknown id gives."""
        talk = self.between(by, whom)
        if talk.blocks - {by}:
            return UNREACHABLE
        self.part(by, whom)
        talk.blocks.add(by)
        return {}

    def unblock(self, by: str, whom: str) -> None:
        """Does not reconnect."""
        self.between(by, whom).blocks.discard(by)

    # What members do

    def send(self, by: str, to: str, max_cost: int = 0, length: int = 5) -> Answer:
        """`message.send`, and what follows from it."""
        answer = self._decide(by, to, max_cost, length)
        if "kind" not in answer:
            return answer
        kind, talk = answer["kind"], self.between(by, to)
        if talk.waiting is not None and talk.waiting[0] == to:
            self._end_waiting(talk, opened=talk.waiting[1])
        elif to in talk.offered:
            talk.offered.clear()
            talk.opened = OPEN_PROFILE
        elif not talk.connected and talk.opened is None:
            self._approach(talk, by, kind)
        talk.begun = True
        return answer

    def _approach(self, talk: Talk, by: str, kind: str) -> None:
        talk.closed.clear()  # only somebody to whom it is not closed comes to here
        talk.offered.clear()
        if kind == OPEN_PROFILE:
            talk.offered.add(by)
            return
        talk.waiting = (by, kind)
        if kind == INMAIL:
            self.members[by].credits -= self.numbers.cost
        else:
            self.members[by].openers += 1

    def accept(self, by: str, to: str) -> Answer:
        """`request.accept`: opens as an answer does."""
        talk = self.between(by, to)
        if self._out_of_reach(by, to):
            return UNREACHABLE
        if talk.waiting is None or talk.waiting[0] != to:
            return {"code": "refused", "rule": "already_answered"}
        self._end_waiting(talk, opened=talk.waiting[1])
        return {}

    def decline(self, by: str, to: str) -> Answer:
        """`request.decline`: closes to the sender, who has the credit back."""
        talk = self.between(by, to)
        if self._out_of_reach(by, to):
            return UNREACHABLE
        if talk.waiting is None or talk.waiting[0] != to:
            return {"code": "refused", "rule": "already_answered"}
        self._end_waiting(talk, opened=None)
        talk.closed.add(to)
        return {}

    def close(self, by: str, to: str) -> Answer:
        """`conversation.close` of what an answer opened: closed to the other, and open no more."""
        talk = self.between(by, to)
        talk.opened = None
        talk.closed.add(to)
        return {}

    def _end_waiting(self, talk: Talk, opened: str | None) -> None:
        """A request ends once, and so a credit comes back once."""
        assert talk.waiting is not None
        sender, kind = talk.waiting
        talk.waiting, talk.opened = None, opened
        if kind == INMAIL and sender in self.members:
            self.members[sender].credits += self.numbers.cost

    # What the rules say

    def _decide(self, by: str, to: str, max_cost: int, length: int) -> Answer:
        if by == to:
            return {"code": "invalid", "field": "to"}
        if self._out_of_reach(by, to):
            return UNREACHABLE
        if (kind := self._open_way(by, to)) is not None:
            return {"kind": kind}
        talk = self.between(by, to)
        if by in talk.closed:
            return UNREACHABLE
        if talk.waiting is not None:
            return {"code": "refused", "rule": "request_pending"}
        if self._has_open_profile(to):
            return {"kind": OPEN_PROFILE}
        sender, cost = self.members[by], self.numbers.cost
        fellows = frozenset((by, to)) in self._fellows
        if fellows and sender.openers < self.numbers.openers:
            return {"kind": GROUP}
        inmail = sender.pays and self.members[to].inmail
        if fellows and not (inmail and sender.credits >= cost):
            return {"code": "refused", "rule": "group_openers_per_month"}
        if not inmail:
            return UNREACHABLE
        if max_cost < cost or sender.credits < cost:
            return {"code": "costs_credit", "cost": cost, "balance": sender.credits}
        if length > self.numbers.inmail_characters:
            return {"code": "invalid", "field": "body"}
        return {"kind": INMAIL}

    def _open_way(self, by: str, to: str) -> str | None:
        """The kind in which the two can write as things stand: free, and without asking."""
        talk = self.between(by, to)
        if talk.connected:
            return DIRECT
        if talk.opened is not None:
            return talk.opened
        if talk.waiting is not None and talk.waiting[0] == to:
            return talk.waiting[1]
        return OPEN_PROFILE if to in talk.offered and by not in talk.closed else None

    def explain(self, by: str, to: str) -> list[Answer] | Answer:
        """`explain`: where a way is open already it is the only one, and costs nothing; one's own
        request leaves nothing but to wait; a new approach has each way looked at by itself."""
        if by == to:
            return {"code": "invalid", "field": "to"}
        if self._out_of_reach(by, to):
            return {"code": "unreachable"}
        talk, sender = self.between(by, to), self.members[by]
        way = self._open_way(by, to)
        if way is None and by in talk.offered and self._has_open_profile(to):
            way = OPEN_PROFILE
        mine = way is None and talk.waiting is not None
        if way is not None or mine:
            needs = [WAIT] if mine else []
            return [
                _way(kind, allowed=kind == way, needs=_direct(way) if kind == DIRECT else needs)
                for kind in KINDS
            ]
        hidden = by in talk.closed  # nothing of the other's shows in it
        cost = self.numbers.cost
        lacks = [UPGRADE] if not sender.pays else [BUY] if sender.credits < cost else []
        fellows = not hidden and frozenset((by, to)) in self._fellows
        left = sender.openers < self.numbers.openers
        return [
            _way(DIRECT, allowed=False, needs=[CONNECT]),
            _way(OPEN_PROFILE, allowed=not hidden and self._has_open_profile(to), needs=[]),
            _way(GROUP, allowed=fellows and left, needs=[WAIT] if fellows and not left else []),
            # Who lacks a plan or credits is told of that alone, whatever the recipient's setting.
            _way(INMAIL, allowed=not hidden and not lacks and self.members[to].inmail, cost=cost,
                 needs=lacks),
        ]  # fmt: skip

    def state(self, by: str, to: str) -> str | None:
        """`state` of their conversation as one of them sees it; None before there is one.

        The text does not say whose it is: both see that it waits, and that it is closed.
        """
        talk = self.between(by, to)
        if not talk.begun:
            return None
        if talk.connected:
            return "open"
        return "closed" if talk.closed else "request" if talk.waiting is not None else "open"

    def typing(self, by: str, to: str) -> bool:
        """Whether `by` typing is told to `to`: who could write now without a request."""
        talk = self.between(by, to)
        if not self.receipts(by, to):
            return False
        mine = not talk.connected and talk.opened is None and by in talk.offered
        return not mine or self._has_open_profile(to)

    def receipts(self, by: str, to: str) -> bool:
        """Whether receipts pass: never for a request. A message to an Open Profile is none."""
        talk = self.between(by, to)
        if self._out_of_reach(by, to) or not talk.begun:
            return False
        free = (self._has_open_profile(to if one == by else by) for one in talk.offered)
        return talk.connected or talk.opened is not None or any(free)

    def between(self, a: str, b: str) -> Talk:
        """What two have between them."""
        return self._talks.setdefault(frozenset((a, b)), Talk())

    def _out_of_reach(self, by: str, to: str) -> bool:
        return to not in self.members or bool(self.between(by, to).blocks)

    def _has_open_profile(self, name: str) -> bool:
        return self.members[name].open_profile and self.members[name].pays


def _way(kind: str, *, allowed: bool, needs: list[str], cost: int = 0) -> Answer:
    return {"kind": kind, "allowed": allowed, "cost": cost, "needs": needs}


def _direct(way: str | None) -> list[str]:
    return [] if way == DIRECT else [CONNECT]
