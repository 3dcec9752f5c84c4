"""The sample members of `--demo`: twenty people of one trade, who know each other and talk.

Made at the first start of a demonstration, through the same commands as everything else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from server.commands import access, table
from server.commands.outcome import Call, Caller, Outcome
from server.store.port import Store

PEOPLE = {
    "ada": ("Ada Okafor", "Structural engineer, timber and light steel"),
    "grace": ("Grace Lindqvist", "Site manager at Norrbro Construction"),
    "linus": ("Linus Marchetti", "Carpenter, joinery and stairs"),
    "mary": ("Mary Achieng", "Architect, schools and libraries"),
    "alan": ("Alan Petrov", "Quantity surveyor"),
    "barbara": ("Barbara Nowak", "Building physicist, moisture and acoustics"),
    "dennis": ("Dennis Hale", "Crane operator and rigger"),
    "edith": ("Edith Sørensen", "Landscape architect"),
    "frances": ("Frances Iyer", "Fire safety consultant"),
    "guido": ("Guido Ferreira", "Surveyor, point clouds and drones"),
    "hedy": ("Hedy Baumann", "Lighting designer"),
    "ivan": ("Ivan Castellanos", "Concrete technologist"),
    "joan": ("Joan Whitfield", "Heritage conservation officer"),
    "ken": ("Ken Watanabe", "Joinery workshop owner"),
    "lynn": ("Lynn Abara", "Project manager, public works"),
    "margaret": ("Margaret Dunne", "Heating and ventilation engineer"),
    "niklaus": ("Niklaus Frey", "Timber merchant"),
    "radia": ("Radia Haddad", "Planning lawyer"),
    "sophie": ("Sophie Laurent", "Interior architect"),
    "tim": ("Tim Adeyemi", "Roofer and solar installer"),
}
CONNECTIONS = (
    "ada grace, ada linus, ada mary, ada alan, ada barbara, ada guido, ada ivan, ada lynn, "
    "grace linus, grace mary, grace dennis, grace lynn, grace tim, grace alan, linus ken, "
    "linus niklaus, linus sophie, mary edith, mary sophie, mary hedy, mary joan, mary radia, "
    "mary frances, alan lynn, alan niklaus, barbara margaret, barbara frances, dennis ivan, "
    "edith guido, hedy sophie, ivan guido, joan radia, ken niklaus, ken sophie, lynn radia, "
    "margaret tim, tim niklaus, frances margaret, edith lynn, hedy margaret"
)
TALKS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "ada", "grace",
        (
            "ada: The reading room's beams are checked. The 4.8 m span wants one size up.",
            "grace: Thought so. Is the order still open?",
            "ada: Niklaus holds it until Thursday noon.",
            "grace: Then I'll ring him after the pour. Thanks for being quick!",
            "ada: 👍 The drawing is in the folder, revision C.",
        ),
    ),
    (
        "linus", "ada",
        (
            "linus: Do you have five minutes for the stair stringers?",
            "ada: Sure, after three. Is it the landing again?",
            "linus: It is always the landing.",
        ),
    ),
    (
        "mary", "ada",
        (
            "mary: The client loves the open truss. Can we keep it without the tie rod?",
            "ada: Not at that pitch. I can make the rod very thin, though.",
            "mary: How thin is very thin?",
            "ada: Sixteen millimetres. You will have to look for it.",
        ),
    ),
    (
        "grace", "dennis",
        (
            "grace: Wind forecast for tomorrow is 11 m/s in the afternoon.",
            "dennis: Then we lift the trusses before ten. I'm there at six.",
        ),
    ),
    (
        "barbara", "frances",
        ("barbara: Could you look at the shaft detail before Friday?",
         "frances: Send it over, I have the train ride for it."),
    ),
)  # fmt: skip
ROOMS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    (
        "grace", "Library site, week 47", "ada linus mary lynn",
        (
            "grace: Morning all. Scaffold is signed off, roof starts Wednesday.",
            "lynn: The city visits on Friday at two. Hard hats for six, please.",
            "linus: I can have the first stair flight in by then.",
            "mary: That would make the picture. Thank you Linus!",
            "ada: I'll be there from one and can walk them through the frame.",
        ),
    ),
    (
        "mary", "Lighting the reading room", "hedy sophie",
        (
            "mary: Hedy, the north wall gets almost nothing after three.",
            "hedy: I have an idea with the shelves. Sketch tonight.",
        ),
    ),
)  # fmt: skip
INVITATIONS = (
    ("tim", "ada", "We met at the timber fair; your talk on purlins was great."),
    ("ken", "ada", "Linus says you are looking for a workshop."),
)
PLANS = {"niklaus": "sales_navigator", "lynn": "business", "joan": "career"}
GROUP = ("heritage", "Heritage guild", "joan", "mary radia sophie ken edith lynn")
OPENERS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "niklaus", "joan",
        {
            "body": "I have 40 m³ of dry larch from a barn of 1880. Would it suit the mill?",
            "subject": "Old larch", "max_cost": 1,
        },
    ),
    ("sophie", "radia", {"body": "As one of the guild: may I ask you about a listing?"}),
)  # fmt: skip


_YESTERDAY_S = 26 * 3_600
_WHILE_S = 57 * 60  # between two things said: the last one is then not an hour old


def members() -> list[dict[str, str]]:
    """Whom one can sign in as: [{member, name, headline, avatar}]."""
    return [
        {"member": member, "name": name, "headline": headline, "avatar": ""}
        for member, (name, headline) in PEOPLE.items()
    ]


class Clock:
    """A demonstration's clock: tells yesterday's time while the sample members talk, then the
    present. Microseconds, like the clock it is set by."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self._behind_us = 0

    def __call__(self) -> int:
        return self._now_us() - self._behind_us

    def go_back(self, seconds: int) -> None:
        """Stand this long before the present."""
        self._behind_us = seconds * 1_000_000

    def go_on(self, seconds: int) -> None:
        """Let some time pass, but never beyond the present."""
        self._behind_us = max(0, self._behind_us - seconds * 1_000_000)


async def populate(store: Store, clock: Clock) -> None:
    """Make the sample members and what they have said, unless they are there already."""
    sample = _Sample(store, clock)
    if await store.read(lambda snapshot: access.named("ada", snapshot)) is not None:
        return
    clock.go_back(_YESTERDAY_S)
    for member, (name, headline) in PEOPLE.items():
        plan = PLANS.get(member, "basic")
        await sample.operate("member.put", id=member, name=name, headline=headline, plan=plan)
    for two in CONNECTIONS.split(", "):
        a, b = two.split()
        await sample.operate("connection.put", a=a, b=b)
    for index, (starter, other, lines) in enumerate(TALKS):
        for number, line in enumerate(lines):
            who, _, body = line.partition(": ")
            to = other if who == starter else starter
            await sample.act(
                who, "message.send", to=to, body=body, client_id=f"demo-{index}-{number}"
            )
    for index, (founder, title, others, lines) in enumerate(ROOMS):
        made = await sample.act(
            founder, "conversation.start", members=others.split(), title=title,
            client_id=f"demo-room-{index}",
        )  # fmt: skip
        for number, line in enumerate(lines):
            who, _, body = line.partition(": ")
            await sample.act(
                who, "message.send", conversation=made["conversation"], body=body,
                client_id=f"demo-room-{index}-{number}",
            )  # fmt: skip
    for index, (who, to, note) in enumerate(INVITATIONS):
        await sample.act(who, "invitation.send", to=to, note=note, client_id=f"demo-{index}")
    group, title, owner, others = GROUP
    await sample.operate("group.put", id=group, name=title, owner=owner)
    for member in others.split():
        await sample.operate("group.add", group=group, member=member)
    for who, to, opener in OPENERS:
        await sample.act(who, "message.send", to=to, client_id=f"demo-{to}", **opener)
    clock.go_on(_YESTERDAY_S)


class _Sample:
    """Gives commands as the operator and as the sample members themselves."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def operate(self, cmd: str, **params: Any) -> dict[str, Any]:
        """An operator's command."""
        return await self._call(Caller(""), cmd, params)

    async def act(self, member: str, cmd: str, **params: Any) -> dict[str, Any]:
        """A member's command, a while after the one before."""
        self._clock.go_on(_WHILE_S)
        forever = 2**52
        return await self._call(Caller(member, 2**60, "demo", "", forever), cmd, params)

    async def _call(self, caller: Caller, cmd: str, params: dict[str, Any]) -> dict[str, Any]:
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        valid = msgspec.convert(params, table.of(caller)[cmd].params)
        self._store.submit(Call(caller, cmd, valid, future.set_result))
        outcome = await future
        if outcome.error is not None:
            raise outcome.error
        return outcome.result or {}
