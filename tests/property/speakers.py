"""Who says something in a run, and about what: choices out of what there is at that moment.

A choice is taken modulo what there is to choose from at that moment, so that every byte means
something, a program stays meaningful when parts of it are taken away, and 0 means nothing at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from tests.property.bench import Bench
from tests.property.clients import Connection
from tests.support.oracle_things import Message, Talk

Map = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Choice:
    """The bytes of one command."""

    what: int
    who: int
    where: int
    which: int


def pick(choice: int, options: Sequence[T]) -> T | None:
    """One of these, or None where there is none."""
    return options[choice % len(options)] if options else None


class Speakers:
    """The members of a run, and what they say."""

    def __init__(self, bench: Bench, members: list[str]) -> None:
        self.bench = bench
        self.oracle = bench.oracle
        self.members = members
        self._made = 0
        self._sent: list[tuple[str, Map]] = []

    # Choices

    def live(self, *members: str) -> list[Connection]:
        """Open connections, of these members or of all."""
        return [
            one for one in self.bench.connections
            if one.code is None and one.wire.closed is None and one.streams is not None
            and (not members or one.member in members)
        ]  # fmt: skip

    def talk(self, member: str, where: int) -> Talk | None:
        """Mostly one that they are in, sometimes one that they were in, or never."""
        seen = self.oracle.visible_talks(member)
        inside = [talk for talk in seen if member in talk.present]
        everywhere = list(self.oracle.talks.values())
        return pick(where // 16, everywhere if where % 16 == 15 else seen if where % 16 > 12
                    else inside)  # fmt: skip

    def message(self, talk: Talk | None, which: int) -> Message | None:
        """One of a conversation's last messages."""
        return pick(which, talk.messages[:-7:-1]) if talk is not None else None

    def member(self, which: int) -> str:
        """One of the run's, or an id that nobody has."""
        return pick(which, [*self.members, "nobody"]) or ""

    def ident(self) -> str:
        """A client_id, or what makes a text one's own."""
        self._made += 1
        return f"{self._made}-{self.members[0]}"

    # Commands

    def say(self, speaker: Connection, cmd: str, **params: Any) -> None:
        """Give a command over a connection."""
        self.bench.log.append(f"{speaker.member}/{speaker.device.name}: {cmd} {params}")
        speaker.say(cmd, params)

    def operate(self, cmd: str, **params: Any) -> None:
        """Give one of the operator's."""
        self.bench.log.append(f"operator: {cmd} {params}")
        self.bench.operate(cmd, **params)

    def send(self, speaker: Connection, more: str = "", **where: Any) -> None:
        """Send a message whose text nobody else has written."""
        params = {"body": f"canary-{self.ident()}-{more}", "client_id": self.ident(), **where}
        self._sent.append((speaker.member, params))
        self.say(speaker, "message.send", **params)

    def edit(self, speaker: Connection, message: Message) -> None:
        """Give a message another such text."""
        ident = message.now.map["message"]
        self.say(speaker, "message.edit", message=ident, body=f"canary-{self.ident()}-")


Verb = Callable[[Speakers, Connection, Choice], None]
