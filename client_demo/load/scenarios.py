"""The scenarios by name: what each is for, and the numbers it has unless told otherwise."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of load. `room` is how many members share a conversation (0: none), `pairs` whether
    members also, or only, write to each other in pairs."""

    name: str
    line: str
    members: int
    sessions: int
    rate: float
    seconds: float = 10.0
    ramp: float = 2.0
    room: int = 0
    pairs: bool = False


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "room", "one large room, many sessions a member: fan-out of each message",
            members=50, sessions=500, rate=20, room=50,
        ),
        Scenario(
            "rooms", "many rooms of 50: fan-out over many topics",
            members=500, sessions=500, rate=50, room=50,
        ),
        Scenario(
            "pairs", "one-to-one messages: how fast sends are decided, stored and acknowledged",
            members=200, sessions=200, rate=200, pairs=True,
        ),
        Scenario(
            "signals", "typing, receipts and some messages, in rooms of 10 and in pairs",
            members=100, sessions=200, rate=150, room=10, pairs=True,
        ),
        Scenario(
            "storm", "sessions connect at a rate that does not wait for them, while rooms talk",
            members=200, sessions=1000, rate=200, seconds=0, ramp=0, room=50,
        ),
        Scenario(
            "reconnect", "all connections are cut three times and resume, while rooms talk",
            members=200, sessions=500, rate=50, room=50,
        ),
        Scenario(
            "slow", "one session in a hundred stops reading and comes back, while a room talks",
            members=50, sessions=300, rate=100, room=50,
        ),
        Scenario(
            "churn", "removals, blocks and switches change while messages and signals flow",
            members=48, sessions=96, rate=100, room=12, pairs=True,
        ),
    )
}  # fmt: skip

BEHIND_RATE = 10.0
"""Messages a second while a storm connects: enough to see that nothing is lost meanwhile."""

WHOLE_ROOM = "room"
"""The scenario whose one conversation is spread over all processes; elsewhere members who share
one are in one process, which so knows everything that it has to check."""
