"""What a race is, and the deeds that races are made of."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from server.commands.outcome import Outcome
from tests.races.scene import SECOND, Deed, Scene

Map = dict[str, Any]
Codes = tuple[str, str]
DONE = ("", "")
NOT_REACHED = ("unreachable", "")


@dataclass(frozen=True)
class Race:
    """`act` against `end`. `act_first` and `end_first` are the codes of both, in this order, by
    what committed first. `loser` may be given what `sees` tells only where the act came first, and
    not once the end is answered, unless it is of their `own` log: what came before is theirs. With
    `gained` the end gives the right instead, and it is the other way round. `gets` says by what
    came first whether `loser` is given what is sent to `talk` afterwards; None where nothing is.
    The loser's sessions have `ended` whatever came first. What is `secret` the loser is never
    given. `after` is asked once all is quiet.
    """

    act: Deed
    end: Deed
    act_first: Codes = DONE
    end_first: Codes = DONE
    loser: str = "b"
    sees: Callable[[Map], bool] = lambda frame: False
    own: bool = False
    gained: bool = False
    before: Deed | None = None
    gets: Callable[[str], bool] | None = None
    ended: bool = False
    secret: bool = False
    times: int = 1_000
    after: Callable[[Scene, str], Coroutine[Any, Any, None]] | None = None


def event(name: str) -> Callable[[Map], bool]:
    """An event of this name."""
    return lambda frame: frame.get("event") == name


def text(body: str) -> Callable[[Map], bool]:
    """A message with this text, or an edit to it."""
    return lambda frame: "event" in frame and frame["data"].get("body") == body


def say(name: str, cmd: str, /, **params: Callable[[Scene], Any] | str | bool | int) -> Deed:
    """A command; what is callable is found in the scene."""

    async def deed(scene: Scene) -> Outcome:
        found = {key: one(scene) if callable(one) else one for key, one in params.items()}
        return await scene.do(name, cmd, **found)

    return deed


def send(name: str, where: str) -> Deed:
    """A message into `talk` or `pair`, or to b."""

    async def deed(scene: Scene) -> Outcome:
        place = {"to": scene.id("b")} if where == "b" else {"conversation": getattr(scene, where)}
        return await scene.send(name, SECOND, **place)

    return deed


def member(name: str) -> Callable[[Scene], str]:
    """This member's id."""
    return lambda scene: scene.id(name)
