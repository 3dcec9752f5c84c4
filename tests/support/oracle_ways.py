"""The oracle's decisions on who reaches whom, and how: kinds, requests and their answers, credits.

The first way that is open is taken, in the rulebook's order; what stands between the two already
decides before that. Imports nothing from server.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.support.oracle_credits import month_of
from tests.support.oracle_members import Members
from tests.support.oracle_things import Approach, Bond, Deed, Map, No, Talk
from tests.support.oracle_world import World


class Standing(NamedTuple):
    """What is between two already, for one of them who writes: the `kind` that a message of theirs
    would be, whether their request `waits`, whether they would be answering the other's, whether
    they may try it anew."""

    kind: str = ""
    waits: bool = False
    answers: bool = False
    anew: bool = False


def standing(world: World, me: str, other: str) -> Standing:
    """What is between two who do not block each other."""
    bond = world.bond(me, other)
    met = bond.approach
    if met is None or met.stage == "over":
        return Standing("direct") if bond.connected else Standing(anew=True)
    mine, pending = met.sender == me, met.stage == "pending"
    if bond.connected:
        return Standing("direct", answers=pending and not mine)
    if met.stage == "open":
        return Standing(met.kind)
    if met.stage == "closed":
        return Standing(anew=not mine and met.sender != "")
    if not mine:
        return Standing(met.kind, answers=True)
    if met.request:
        return Standing(waits=True)
    if world.people[other].open_to_all:  # no request: more may be said
        return Standing("open_profile")
    return Standing(anew=True)


class Anew(NamedTuple):
    """The ways that a new approach has, and what keeps one from being taken."""

    fellows: bool
    left: bool  # of the month's group requests
    balance: int
    takes_inmail: bool
    paying: bool
    ways: dict[str, bool]


def anew(world: World, me: str, other: str) -> Anew:
    """What a new approach finds."""
    mine, theirs = world.people[me], world.people[other]
    fellows = any({me, other} <= group.roles.keys() for group in world.groups.values())
    left = mine.counted[f"openers {month_of(world.ms)}"] < world.rules.openers
    paying, balance = mine.plan != "basic", world.balance(me)
    takes = theirs.setting("inmail")
    ways = {
        "open_profile": theirs.open_to_all,
        "group": fellows and left,
        "inmail": takes and paying and balance >= world.rules.cost,
    }
    return Anew(fellows, left, balance, takes, paying, ways)


class Ways(Members):
    """One method a command; errors are raised before anything changes."""

    def _passage(self, me: str, other: str, body: str, max_cost: int) -> Standing:
        """How a message passes now; `anew` where it is the first of an approach."""
        now = standing(self, me, other)
        if now.kind:
            return now
        if now.waits:
            raise No("refused")
        if not now.anew:
            raise No("unreachable")
        found = anew(self, me, other)
        kind = next((kind for kind, is_open in found.ways.items() if is_open), "")
        poor = found.takes_inmail and found.paying and found.balance < self.rules.cost
        if not kind and found.fellows:
            raise No("refused")  # the month's requests are used up, and nothing else is open
        if (not kind and poor) or (kind == "inmail" and max_cost < self.rules.cost):
            raise No("costs_credit", cost=self.rules.cost, balance=found.balance)
        if not kind:
            raise No("unreachable")
        if kind == "inmail":
            self._check_text(body, self.rules.inmail)
        return Standing(kind, anew=True)

    def _take(self, me: str, other: str, taken: Standing, talk: Talk) -> None:
        """What a message brings with it that begins an approach, or answers one."""
        bond = self.bond(me, other)
        if taken.anew:
            if self.carries(me, other):  # no longer, until this is answered
                self.lost.append(("parted", *sorted((me, other))))
            bond.approach = Approach(taken.kind, me, self.ms)
            if taken.kind == "group":
                self._count(me, "openers", month_of(self.ms), self.rules.openers)
            if taken.kind == "inmail":
                self.people[me].deeds.append(Deed(self.ms, "spend", self.rules.cost))
                self._tell_balance(me)
            if bond.approach.request:
                self._emit(f"member:{other}", "request.received", {"conversation": talk.id})
        elif taken.answers:
            self._answer(me, talk, bond, accepted=True)

    def _answer(self, me: str, talk: Talk, bond: Bond, *, accepted: bool) -> None:
        met = bond.approach
        assert met is not None
        was_request, met.stage = met.request, "open" if accepted else "closed"
        if not was_request:
            return
        data = {"conversation": talk.id, "accepted": accepted}
        for member in (met.sender, me):
            self._emit(f"member:{member}", "request.answered", data)
        sender = self.people[met.sender]
        in_time = self.ms - met.ms <= self.rules.refund_ms
        if met.kind == "inmail" and in_time and sender.plan != "basic":
            sender.deeds.append(Deed(self.ms, "refund", self.rules.cost))
            self._tell_balance(met.sender)

    def _between(self, me: str, conversation: str) -> tuple[Talk, Bond]:
        """A conversation of two, between whom something may pass."""
        talk = self._place(me, conversation)
        if not talk.two:
            raise No("refused")
        bond = self.bond(*talk.roster)
        if bond.blockers:
            raise No("unreachable")
        return talk, bond

    def _place(self, me: str, conversation: str) -> Talk:
        """A conversation that they are or were in."""
        talk = self.talks.get(conversation)
        if talk is None or talk not in self.visible_talks(me):
            raise No("unreachable")
        return talk

    def _request_accept(self, me: str, conversation: str, accepted: bool = True) -> Map:
        talk, bond = self._between(me, conversation)
        if bond.approach is None or not bond.approach.request or bond.approach.sender == me:
            raise No("refused")
        self._answer(me, talk, bond, accepted=accepted)
        return {}

    def _request_decline(self, me: str, conversation: str) -> Map:
        return self._request_accept(me, conversation, accepted=False)

    def _conversation_close(self, me: str, conversation: str) -> Map:
        talk, bond = self._between(me, conversation)
        met = bond.approach
        if bond.connected or (met is not None and met.request):
            raise No("refused")
        if met is not None and met.stage in ("open", "pending"):
            met.stage, met.sender = "closed", talk.other(me)
            for member in talk.roster:
                self._emit(f"member:{member}", "conversation.closed", {"conversation": talk.id})
            self.lost.append(("parted", *sorted(talk.roster)))
        elif met is not None and met.stage == "closed" and met.sender == me:
            met.sender = ""
        return {}
