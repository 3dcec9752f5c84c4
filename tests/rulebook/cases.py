"""The table: rows of who writes to whom under which circumstances, with what has to come of it.

A row is what the two are and a story of deeds, ending with `explain`, the message that it is about
(`probe`), and an aftermath. What each deed answers, and what is seen at the end, is worked out by
`reading` and by nothing else. Of every relation there are some rows, chosen so that as many values
of two circumstances meet in one as can.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from tests.rulebook.reading import BASIC, Answer, Numbers, Reading

S, R, O = "s", "r", "o"  # noqa: E741 - sender, recipient, and a fellow of the sender's


@dataclass(frozen=True)
class Deed:
    """Something that is done, by whom, to whom; `value` is what else it needs."""

    verb: str
    by: str
    to: str = ""
    value: Any = None

    def __str__(self) -> str:
        rest = f" {self.value}" if self.value is not None else ""
        return f"{self.by} {self.verb} {self.to}{rest}".replace("  ", " ").rstrip()


def send(by: str, to: str, max_cost: int = 0) -> Deed:
    return Deed("send", by, to, max_cost)


def deeds(text: str) -> tuple[Deed, ...]:
    """A story in words: `s writes r, r declines s`."""
    verbs = {"writes": "send", "offers": "send", "accepts": "accept", "declines": "decline",
             "closes": "close", "blocks": "block", "unblocks": "unblock", "leaves": "part",
             "meets": "connect"}  # fmt: skip
    made: list[Deed] = []
    for sentence in filter(None, (part.strip() for part in text.split(","))):
        by, verb, *to = sentence.split()
        if verb in ("opens", "hides"):
            made.append(Deed("open_profile", by, value=verb == "opens"))
        elif verb in verbs:
            made.append(Deed(verbs[verb], by, to[0], 5 if verb in ("writes", "offers") else None))
        elif verb == "lapses":
            made.append(Deed("plan", by, value=BASIC))
        else:
            made.append(Deed(verb, by))
    return tuple(made)


@dataclass(frozen=True)
class Kind:
    """A relation: its story, and which circumstances its story needs."""

    story: str
    s_pays: bool = False
    r_pays: bool = False
    fellows: bool | None = None
    granted: bool = False
    openers_left: bool = False


def _group(story: str) -> Kind:
    return Kind(story, fellows=True, openers_left=True)


def _inmail(story: str) -> Kind:
    return Kind(story, s_pays=True, fellows=False, granted=True)


def _inmail_back(story: str) -> Kind:
    return Kind(story, r_pays=True, fellows=False, granted=True)


def _open(story: str) -> Kind:
    return Kind(story, r_pays=True)


RELATIONS: Final[Mapping[str, Kind]] = {
    "strangers": Kind(""),
    "connected": Kind("s meets r"),
    "parted by the sender": Kind("s meets r, s writes r, s leaves r"),
    "parted by the recipient": Kind("s meets r, r writes s, r leaves s"),
    "blocked by the recipient": Kind("r blocks s"),
    "blocked by the sender": Kind("s blocks r"),
    "blocked after connecting": Kind("s meets r, s writes r, r blocks s"),
    "blocked both ways": Kind("r blocks s, s blocks r"),
    "blocked both ways, one unblocked": Kind("s blocks r, r blocks s, s unblocks r"),
    "unblocked": Kind("s meets r, s writes r, r blocks s, r unblocks s"),
    "group, waiting": _group("s writes r"),
    "group, waiting from the recipient": _group("r writes s"),
    "group, waiting, left the group": _group("s writes r, s quits"),
    "group, waiting, blocked": _group("s writes r, r blocks s"),
    "group, waiting, blocked and not": _group("s writes r, r blocks s, r unblocks s"),
    "group, waiting, connected": _group("s writes r, s meets r"),
    "group, answered": _group("s writes r, r writes s"),
    "group, answered by the sender": _group("r writes s, s writes r"),
    "group, accepted": _group("s writes r, r accepts s"),
    "group, declined": _group("s writes r, r declines s"),
    "group, declined by the sender": _group("r writes s, s declines r"),
    "group, declined, connected": _group("s writes r, r declines s, s meets r"),
    "group, declined, parted": _group("s writes r, r declines s, s meets r, s leaves r"),
    "group, declined, blocked and not": _group(
        "s writes r, r declines s, s blocks r, s unblocks r"
    ),
    "group, declined, decliner writes": _group("s writes r, r declines s, r writes s"),
    "group, closed by the sender": _group("s writes r, r writes s, s closes r"),
    "group, closed by the recipient": _group("s writes r, r writes s, r closes s"),
    "group, closed, connected": _group("s writes r, r writes s, r closes s, s meets r"),
    "group, closed, closer writes": _group("s writes r, r accepts s, r closes s, r writes s"),
    "group, answered, blocked and not": _group("s writes r, r writes s, r blocks s, r unblocks s"),
    "group, answered, left the group": _group("s writes r, r writes s, s quits"),
    "group, answered, connected": _group("s writes r, r writes s, s meets r"),
    "group, answered, parted": _group("s writes r, r writes s, s meets r, r leaves s"),
    "inmail, waiting": _inmail("s writes r"),
    "inmail, waiting from the recipient": _inmail_back("r writes s"),
    "inmail, waiting, blocked and not": _inmail("s writes r, s blocks r, s unblocks r"),
    "inmail, waiting, connected": _inmail("s writes r, s meets r"),
    "inmail, answered": _inmail("s writes r, r writes s"),
    "inmail, answered by the sender": _inmail_back("r writes s, s writes r"),
    "inmail, answered twice": _inmail("s writes r, r accepts s, r writes s, r writes s"),
    "inmail, accepted": _inmail("s writes r, r accepts s"),
    "inmail, declined": _inmail("s writes r, r declines s"),
    "inmail, declined by the sender": _inmail_back("r writes s, s declines r"),
    "inmail, declined, connected": _inmail("s writes r, r declines s, s meets r"),
    "inmail, declined, parted": _inmail("s writes r, r declines s, s meets r, r leaves s"),
    "group, closed by both": _group("s writes r, r accepts s, r closes s, s closes r"),
    "group, declined, closed": _group("s writes r, r declines s, s closes r"),
    "group, closed by both, connected": _group(
        "s writes r, r writes s, r closes s, s closes r, s meets r"
    ),
    "inmail, closed by the sender": _inmail("s writes r, r writes s, s closes r"),
    "inmail, closed by the recipient": _inmail("s writes r, r writes s, r closes s"),
    "inmail, answered, blocked and not": _inmail(
        "s writes r, r accepts s, s blocks r, s unblocks r"
    ),
    "inmail, answered, parted": _inmail("s writes r, r writes s, s meets r, s leaves r"),
    "inmail, answered, plan ended": _inmail("s writes r, r writes s, s lapses"),
    "open profile, unanswered": _open("r opens, s offers r, r hides"),
    "open profile, unanswered, still open": _open("r opens, s offers r"),
    "open profile, written to by the recipient": Kind(
        "s opens, r offers s, s hides", s_pays=True
    ),
    "open profile, answered": _open("r opens, s offers r, r hides, r writes s"),
    "open profile, answered by the sender": Kind(
        "s opens, r offers s, s hides, s writes r", s_pays=True
    ),
    "open profile, closed by the sender": _open("r opens, s offers r, r writes s, s closes r"),
    "open profile, closed by the recipient": _open("r opens, s offers r, r writes s, r closes s"),
    "open profile, answered, blocked and not": _open(
        "r opens, s offers r, r hides, r writes s, r blocks s, r unblocks s"
    ),
    "plan ended": Kind("s lapses", s_pays=True),
    "recipient's plan ended": Kind("r opens, r lapses", r_pays=True),
    "recipient deleted": Kind("r vanishes"),
    "recipient deleted, connected before": Kind("s meets r, s writes r, r vanishes"),
    "recipient unknown": Kind("r was-never"),
    "oneself": Kind(""),
}  # fmt: skip

AFTERMATHS: Final = (
    "",
    "s writes r",
    "r writes s, s writes r",
    "r accepts s, r accepts s, s writes r",
    "r declines s, r declines s, s writes r, r writes s, s writes r",
    "r accepts s, s closes r, r writes s, s writes r, r writes s",
)


@dataclass(frozen=True)
class Row:
    """One case. `granted` are credits beyond the plan's; `used` says whether the month's group
    openers are used up; `own_conversation` sends into the conversation, where there is one."""

    relation: str
    number: int
    s_plan: str
    r_plan: str
    open_profile: bool
    inmail: bool
    fellows: bool
    used: bool
    granted: int
    max_cost: int
    long: bool
    own_conversation: bool
    aftermath: str

    @property
    def to_self(self) -> bool:
        return self.relation == "oneself"

    def __str__(self) -> str:
        facts = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in fields(self)[2:])
        return f"{self.relation} #{self.number} ({facts})"


@dataclass(frozen=True)
class Step:
    """A deed and what it answers."""

    deed: Deed
    answer: Answer | list[dict[str, Any]]


@dataclass
class Story:
    """A row worked out: every step with its answer, and what is seen at the end."""

    row: Row
    steps: list[Step] = field(default_factory=list)
    states: dict[str, str | None] = field(default_factory=dict)
    typing: dict[str, bool] = field(default_factory=dict)
    receipts: bool = False
    balances: dict[str, int] = field(default_factory=dict)
    last_by: str = ""


PLANS: Final = ("basic", "career", "business", "sales_navigator", "recruiter_lite")
OFF_ON: Final = (False, True)
CIRCUMSTANCES: Final[tuple[tuple[Any, ...], ...]] = (
    PLANS, PLANS, OFF_ON, OFF_ON, OFF_ON, OFF_ON, (0, 2), (0, 1, 5), OFF_ON, OFF_ON, AFTERMATHS,
)  # fmt: skip
"""The values of a row's circumstances, in the order of `Row`."""
MANY, USUAL = 120, 10


def possible(row: Row) -> bool:
    """Whether the row's relation can come about under the row's circumstances."""
    kind = RELATIONS[row.relation]
    return (
        (row.s_plan != BASIC or not kind.s_pays)
        and (row.r_plan != BASIC or not kind.r_pays)
        and (kind.fellows is None or row.fellows == kind.fellows)
        and (row.granted > 0 or not kind.granted)
        and not (kind.openers_left and row.used)
    )


def table(seed: str = "rulebook", share: float = 1.0) -> list[Row]:
    """All rows, or a share of each relation's, in an order that mixes the relations."""
    found = [list(_rows(relation, seed, share)) for relation in RELATIONS]
    mixed = itertools.chain.from_iterable(itertools.zip_longest(*found))
    return [row for row in mixed if row is not None]


def _rows(relation: str, seed: str, share: float) -> Iterator[Row]:
    """Rows of a relation, each the one of a dozen that shows most pairs of circumstances anew."""
    chance = random.Random(f"{seed}: {relation}")
    seen: set[tuple[int, Any, int, Any]] = set()
    many = MANY if relation == "strangers" else USUAL
    for number in range(round(many * share)):
        drawn = [_draw(relation, number, chance) for _ in range(12)]
        best = max(drawn, key=lambda row: len(_pairs(row) - seen))
        seen |= _pairs(best)
        yield best


def _draw(relation: str, number: int, chance: random.Random) -> Row:
    while True:
        row = Row(relation, number, *(chance.choice(values) for values in CIRCUMSTANCES))
        if possible(row):
            return row


def _pairs(row: Row) -> set[tuple[int, Any, int, Any]]:
    values = [getattr(row, one.name) for one in fields(row)[2:]]
    return {(i, values[i], j, values[j]) for i, j in itertools.combinations(range(len(values)), 2)}


def work_out(row: Row, numbers: Numbers) -> Story:
    """What the rulebook says of a row."""
    house, story = Reading(numbers), Story(row)
    for name, plan in ((S, row.s_plan), (R, row.r_plan)):
        house.join(name, plan, row.granted if plan != BASIC else 0)
    house.join(O, BASIC)
    house.members[O].inmail = False
    house.group((S, O, R) if row.fellows else (S, O))
    kind = RELATIONS[row.relation]
    told = list(deeds(kind.story))
    if row.used and numbers.openers == 1:
        told.append(send(S, O))
    told += [
        Deed("open_profile", R, value=row.open_profile),
        Deed("inmail", R, value=row.inmail),
    ]
    to = S if row.to_self else R
    told += [Deed("explain", S, to), Deed("probe", S, to, row.max_cost)]
    if not row.to_self:
        told += deeds(row.aftermath)
    for deed in told:
        _take(house, story, deed, row)
    if R in house.members:
        story.typing = {S: house.typing(R, S), R: house.typing(S, R)}
        story.receipts = house.receipts(R, S)
    for name in (S, R):
        if name in house.members:
            # How a conversation with a deleted member looks is not the rulebook's.
            story.states[name] = house.state(name, R if name == S else S) if (
                R in house.members) else None  # fmt: skip
            story.balances[name] = house.members[name].credits
    return story


def _take(house: Reading, story: Story, deed: Deed, row: Row) -> None:
    """Let a deed happen, unless who does it is gone or there is nothing that it could be about."""
    by, to = deed.by, deed.to
    if by not in house.members:
        return
    answer: Answer | list[dict[str, Any]] = {}
    match deed.verb:
        case "send":
            answer = house.send(by, to, deed.value)
        case "probe":
            answer = house.send(by, to, deed.value, 2_001 if row.long else 5)
        case "explain":
            answer = house.explain(by, to)
        case "accept" | "decline":
            waiting = house.between(by, to).waiting
            done_before = story.steps[-1].deed == deed
            if not done_before and (waiting is None or waiting[0] != to):
                return
            answer = house.accept(by, to) if deed.verb == "accept" else house.decline(by, to)
        case "close":
            talk = house.between(by, to)
            if talk.opened is None or talk.connected or to not in house.members:
                return
            house.close(by, to)
        case "connect":
            house.connect(by, to)
        case "part":
            house.part(by, to)
        case "block":
            answer = house.block(by, to)
        case "unblock":
            house.unblock(by, to)
        case "open_profile":
            house.members[by].open_profile = deed.value
        case "inmail":
            house.members[by].inmail = deed.value
        case "plan":
            house.set_plan(by, deed.value)
        case "quits":
            house.leave_group(by)
        case "vanishes" | "was-never":
            house.delete(by)
        case other:
            raise ValueError(other)
    if isinstance(answer, dict) and "kind" in answer:
        story.last_by = by if {by, to} == {S, R} else story.last_by
    story.steps.append(Step(deed, answer))
