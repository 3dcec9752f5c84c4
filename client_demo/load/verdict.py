"""What all processes found, held against each other.

Each process has checked its own sessions. Here is what none of them can see alone: that a position
is the same event in all of them, that no message lies twice in one log, and that every acknowledged
message is in every log that it belongs to. Pure.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

from client_demo.load.canary import author_and_number
from client_demo.load.counts import Outcome
from client_demo.load.findings import Findings
from client_demo.load.plan import Place


def together(
    outcomes: Sequence[Outcome], places: Iterable[Place], members: Sequence[str]
) -> Findings:
    """All findings of a run."""
    findings = Findings()
    for outcome in outcomes:
        findings.merge(outcome.findings)
    logs = _logs(outcomes, findings)
    for topic, log in logs.items():
        _once(topic, log, findings)
    acknowledged: dict[int, set[int]] = {}
    for outcome in outcomes:
        for place, raw in outcome.acknowledged.items():
            acknowledged.setdefault(place, set()).update(_numbers(raw))
    for place_ in places:
        for topic in _topics(place_, members):
            if topic in logs:
                missing = acknowledged.get(place_.number, set()) - set(logs[topic].values())
                for identity in sorted(missing):
                    findings.add("lost", f"{_message(identity)} was acknowledged and no session "
                                 f"got it on {topic}")  # fmt: skip
    return findings


def _logs(outcomes: Sequence[Outcome], findings: Findings) -> dict[str, dict[int, int]]:
    """Every topic's events by position."""
    logs: dict[str, dict[int, int]] = {}
    for outcome in outcomes:
        for topic, (base, raw) in outcome.logs.items():
            log = logs.setdefault(topic, {})
            for pos, identity in enumerate(_numbers(raw), base):
                if identity and log.setdefault(pos, identity) != identity:
                    findings.add("reordered", f"{topic} {pos} is {_message(identity)} in one "
                                 f"process and {_message(log[pos])} in another")  # fmt: skip
    return logs


def _once(topic: str, log: dict[int, int], findings: Findings) -> None:
    where: dict[int, int] = {}
    for pos, identity in sorted(log.items()):
        if identity > 0 and (before := where.setdefault(identity, pos)) != pos:
            example = f"{_message(identity)} is at {before} and at {pos} of {topic}"
            findings.add("duplicated", example)


def _topics(place: Place, members: Sequence[str]) -> list[str]:
    if place.kind == "room":
        return [f"conversation:{place.conversation}"]
    return [f"member:{members[seat]}" for seat in place.seats]


def _numbers(raw: bytes) -> array[int]:
    numbers = array("q")
    numbers.frombytes(raw)
    return numbers


def _message(identity: int) -> str:
    if identity <= 0:
        return "another event"
    return "message {1} of seat {0}".format(*author_and_number(identity))
