"""The oracle's memory: a deployment as plain lists, and who could see what of it, at any moment.

A moment is a count of commits. Nothing is forgotten or overwritten, so that "what did this say
then" is a search through a list. Called by the oracle's decisions and reads; imports nothing from
server, so that agreement means something.
"""

from __future__ import annotations

from collections import defaultdict

from tests.support.oracle_credits import ledger
from tests.support.oracle_things import (
    Bond,
    Entry,
    Group,
    Invitation,
    Map,
    Message,
    Person,
    Rules,
    Signal,
    Talk,
    Version,
    at_moment,
)


class World:
    """Everything there is and was; `Oracle` changes it."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.now = 0  # commits so far
        self.ms = 0
        self.people: dict[str, Person] = {}
        self.bonds: defaultdict[frozenset[str], Bond] = defaultdict(Bond)
        self.talks: dict[str, Talk] = {}
        self.messages: dict[str, Message] = {}
        self.invitations: dict[str, Invitation] = {}
        self.groups: dict[str, Group] = {}
        self.logs: defaultdict[str, list[Entry]] = defaultdict(list)
        self.signals: list[Signal] = []
        self.revoked: list[tuple[int, str, str]] = []  # moment, member, device
        self.lost: list[tuple[str, ...]] = []  # what the last command has ended, for whom

    # Who is where, and who may reach whom

    def bond(self, a: str, b: str) -> Bond:
        return self.bonds[frozenset((a, b))]

    def way_open(self, a: str, b: str) -> bool:
        """Whether a direct message may pass: connections, and neither blocks."""
        bond = self.bond(a, b)
        return bond.connected and not bond.blockers

    def carries(self, a: str, b: str) -> bool:
        """Whether typing and receipts pass between two: connections, and those who were answered;
        a message to an open profile is no request, and need not be while that is open."""
        bond = self.bond(a, b)
        if bond.blockers:
            return False
        met = bond.approach
        if bond.connected or met is None:
            return bond.connected
        profile = self.people[b if met.sender == a else a].open_to_all
        free = met.kind == "open_profile" and met.stage == "pending" and profile
        return free or met.stage == "open"

    def balance(self, member: str) -> int:
        """A member's credits now: the sum of all that there ever was."""
        person = self.people[member]
        return sum(line.change for line in ledger(person.deeds, self.ms, self.rules))

    def visible_talks(self, member: str) -> list[Talk]:
        """The conversations that somebody is or was in, or views or viewed."""
        return [t for t in self.talks.values() if member in t.roster or member in t.stays]

    def small(self, talk: Talk) -> bool:
        return len(talk.roster) <= self.rules.signals_up_to

    def both_show(self, talk: Talk, sender: str, receiver: str) -> bool:
        """Whether nothing that ends access stands between one's signals and another now."""
        if sender == receiver or not {sender, receiver} <= set(talk.roster):
            return False
        if not (self.people[sender].receipts and self.people[receiver].receipts):
            return False
        return not talk.two or self.carries(sender, receiver)

    def signals_pass(self, talk: Talk, sender: str, receiver: str) -> bool:
        """Whether typing and receipts of one may be shown to another now."""
        return self.both_show(talk, sender, receiver) and (talk.two or self.small(talk))

    # What can be seen

    def head(self, topic: str) -> int:
        return len(self.logs[topic])

    def sees(self, member: str, topic: str, pos: int) -> bool:
        """Whether this event is, now, this member's to see."""
        kind, _, name = topic.partition(":")
        if kind == "member":
            return name == member
        stays = self.talks[name].stays.get(member, []) if name in self.talks else []
        return any(stay.after < pos and (not stay.left or pos < stay.left) for stay in stays)

    def follows(self, member: str, message: Message) -> bool:
        """Whether what becomes of a message now is this member's to see."""
        if message.talk.two:
            return True
        seen = self.sees(member, message.talk.topic, message.pos)
        return seen and self.moment_of(member, message.talk, message.pos, self.now) == self.now

    def last_pos(self, member: str, talk: Talk) -> int:
        """The last position of a conversation that is theirs: its head while they are in it."""
        left = talk.stays[member][-1].left
        return left - 1 if left else self.head(talk.topic)

    def as_of(self, member: str, talk: Talk, moment: int) -> int:
        """The moment as of which somebody was answered then: the last of their last stay."""
        stays = [stay for stay in talk.stays.get(member, []) if stay.begun <= moment]
        if talk.two or not stays or not 0 < stays[-1].ended <= moment:
            return moment
        return stays[-1].ended - 1

    def moment_of(self, member: str, talk: Talk, pos: int, moment: int) -> int:
        """The moment as of which somebody was shown then what is at a position: what belongs to
        an earlier stay alone is as of its end."""
        stays = [stay for stay in talk.stays.get(member, []) if stay.begun <= moment]
        if not talk.two and stays and stays[-1].after:
            for stay in reversed(stays):
                over = 0 < stay.ended <= moment
                if stay.after < pos and (not over or pos < stay.left):
                    return stay.ended - 1 if over else moment
        return self.as_of(member, talk, moment)

    def message_map(self, message: Message, moment: int) -> Map:
        """A message as it was then, reactions and all; its tombstone once it was deleted."""
        version, talk = message.at(moment), message.talk
        if "deleted_at" in version.map:
            return version.map
        by_emoji: dict[str, list[str]] = {}
        for member, emoji in version.reacted:
            by_emoji.setdefault(emoji, []).append(member)
        many = not talk.two and len(at_moment(talk.rosters, moment)) > self.rules.signals_up_to
        reactions = [
            {"emoji": emoji, **({"count": len(who)} if many else {"members": who})}
            for emoji, who in by_emoji.items()
        ]
        return {**version.map, "reactions": reactions}

    def data(self, member: str, entry: Entry, moment: int) -> Map:
        """What an event of a log says to its reader at a moment."""
        message = entry.message
        if member in entry.kept:
            return {}
        if message is None:
            if entry.name == "settings.changed":
                return dict(at_moment(self.people[member].settings, moment))
            return entry.data
        talk = message.talk
        log = [] if talk.two else self.logs[talk.topic]
        pos = next((n for n, one in enumerate(log, 1) if one is entry), 0)
        then = self.moment_of(member, talk, pos, moment)
        if entry.name != "message.reacted":
            return self.message_map(message, then)
        version = message.at(then)
        deleted = "deleted_at" in version.map
        emojis = [] if deleted else [e for who, e in version.reacted if who == entry.member]
        known = {key: version.map[key] for key in ("conversation", "message", "rev")}
        return {**known, "member": entry.member, "emojis": emojis}

    def name(self, member: str, entry: Entry) -> str:
        """What an event of a log is called to its reader."""
        return "position.passed" if member in entry.kept else entry.name

    def ever_saw(self, member: str, message: Message, version: Version) -> bool:
        """Whether somebody could ever see a message as it was in this version."""
        talk = message.talk
        if talk.two:
            return member in talk.roster
        until = next((v.moment for v in message.versions if v.moment > version.moment), None)
        for stay in talk.stays.get(member, []):
            here = not stay.ended or stay.ended > version.moment
            in_time = here and (until is None or stay.begun < until)
            covered = stay.after < message.pos and (not stay.left or message.pos < stay.left)
            if in_time and covered:
                return True
        return False

    def topics_of(self, member: str) -> dict[str, int]:
        """A member's topics with their heads."""
        inside = (t.topic for t in self.talks.values() if not t.two and member in t.present)
        return {name: self.head(name) for name in (f"member:{member}", *inside)}

    def since(self, member: str, topic: str) -> int:
        """The position behind which a member's present stay lets them see a topic."""
        kind, _, name = topic.partition(":")
        return self.talks[name].stays[member][-1].after if kind == "conversation" else 0
