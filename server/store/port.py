"""What the rest of the house asks of a store, whichever it is.

A store owns its connections and threads. Outcomes of `submit` come to `deliver` on the event
loop's thread, in order of commit; each call's own `done` is the receiver's to call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from server.commands.outcome import Call, Outcome
from server.commands.snapshot import Snapshot
from server.commands.work import Deployment

T = TypeVar("T")
Deliver = Callable[[Sequence[Call], Sequence[Outcome]], None]


class Store(Protocol):
    """Durable truth: decisions go in, outcomes come out; reads see one moment."""

    @property
    def deployment(self) -> Deployment:
        """The ids, numbers and epoch of what is stored here."""

    def submit(self, call: Call) -> None:
        """Have a command decided and stored. Raises `Busy` when too many wait."""

    async def read(self, question: Callable[[Snapshot], T]) -> T:
        """Ask something of one snapshot. Raises what the question raises, or `Busy`."""

    async def idle(self) -> None:
        """Wait until everything submitted so far has been delivered."""

    async def settle(self, *, rewrite: bool = False) -> bool:
        """See to it that nothing is left on the disk of what has been removed, where that is the
        store's own to do; with `rewrite` not even between the rows that are left, which takes
        longer. False where it has to be tried again."""

    async def close(self) -> None:
        """Finish what was submitted, then let go of the database."""
