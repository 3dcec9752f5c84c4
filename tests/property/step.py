"""The bytes of one step, and what every step does with its commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.property.program import Run
from tests.property.speakers import Choice
from tests.property.verbs import command


@dataclass(frozen=True)
class Step:
    """The bytes of one step, apart from what it does."""

    pace: int
    a: int
    b: int
    commands: list[Choice]


Deed = Callable[[Run, Step], Awaitable[None]]


def say(run: Run, commands: list[Choice]) -> None:
    """Give these commands."""
    for choice in commands:
        command(run.all, choice)
