"""Four members and what they have between them, in which one race is run once."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from server.commands.outcome import Caller, Outcome
from server.realtime.session import Session
from tests.races.arena import FAR_MS, Arena, Place
from tests.races.wire import RecordingWire

Map = dict[str, Any]
FIRST, SECOND = "the first word", "what races the end"
PROBE = "what comes afterwards"


@dataclass
class Scene:
    """a, b and c are connected to each other and not to d. a, b and c are in `talk`; a has written
    to b in `pair`, and `message` in `talk`. Everybody has a session, at any node."""

    arena: Arena
    number: int
    talk: str = ""
    pair: str = ""
    message: str = ""
    letter: str = ""
    invitation: str = ""
    group: str = ""
    heads: dict[str, int] = field(default_factory=dict)
    sessions: dict[str, list[Session]] = field(default_factory=dict)

    def id(self, name: str) -> str:
        """A member's id."""
        return f"{name}{self.number}"

    def caller(self, name: str) -> Caller:
        """A member by a token, or the operator."""
        return (
            Caller(self.id(name), 1, f"t.{self.id(name)}", "phone", FAR_MS) if name else Caller("")
        )

    def any_place(self) -> Place:
        """One of the nodes."""
        return self.arena.dice.choice(self.arena.places)

    async def do(self, name: str, cmd: str, /, **params: Any) -> Outcome:
        """Give a command at any node."""
        return await self.arena.command(self.any_place(), self.caller(name), cmd, params)

    async def send(self, name: str, body: str, **where: Any) -> Outcome:
        """Send a message."""
        ident = f"{body[:12]}{self.arena.number()}"
        return await self.do(name, "message.send", body=body, client_id=ident, **where)

    async def attend(self, name: str, resume: dict[str, int] | None = None) -> Outcome:
        """Another session of a member, somewhere."""
        place = self.any_place()
        session = self.arena.session(place, self.caller(name))
        self.sessions.setdefault(name, []).append(session)
        return await self.arena.connect(place, self.caller(name), session, resume)

    async def build(self) -> None:
        """Make all that."""
        for name in "abcd":
            await self.do("", "member.put", id=self.id(name), name=name)
        for one, other in ("ab", "ac", "bc"):
            await self.do("", "connection.put", a=self.id(one), b=self.id(other))
        others = [self.id("b"), self.id("c")]
        self.talk = _made(await self.do("a", "conversation.start", members=others), "conversation")
        self.message = _made(await self.send("a", FIRST, conversation=self.talk), "message")
        letter = await self.send("a", FIRST, to=self.id("b"))
        self.letter, self.pair = _made(letter, "message"), _made(letter, "conversation")
        for name in "abcd":
            self.heads[name] = (await self.attend(name)).result["topics"]  # type: ignore[index]

    def wires(self, name: str) -> list[RecordingWire]:
        """Those of a member's sessions."""
        return [s.wire for s in self.sessions[name]]  # type: ignore[misc]

    def given(self, name: str, sees: Callable[[Map], bool]) -> list[int]:
        """When a member was given such an event, on any session."""
        return [n for wire in self.wires(name) for n, frame in wire.given() if sees(frame)]

    def leave(self) -> None:
        """Everybody goes."""
        for place in self.arena.places:
            for name in "abcd":
                audience = place.hub.audiences.get(self.id(name))
                for session in list(audience.sessions.values()) if audience is not None else ():
                    place.hub.leave(session)


def _made(outcome: Outcome, what: str) -> str:
    assert outcome.result is not None, outcome
    return str(outcome.result[what])


Deed = Callable[[Scene], Coroutine[Any, Any, Outcome]]
