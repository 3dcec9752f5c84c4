"""Ends of access between their commit and their answer: until then, other nodes may not know.

Once such a change is answered, no node may act as if it had not happened. Before, the node that
committed it may not, and another may. Of one whose outcome is unknown no node has been told.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False)
class Ending:
    """What ended: somebody's part in a conversation ("removed"), what passes between two
    ("parted"), or somebody's receipts and typing ("switch"). `node` is the one that knows."""

    what: tuple[str, ...]
    node: object | None


class Endings:
    """Those of one run that are not answered yet."""

    def __init__(self) -> None:
        self._open: list[Ending] = []

    def committed(self, node: object | None, *what: str) -> Ending:
        """Access has ended; with nobody told where there is no node."""
        ending = Ending(what, node)
        self._open.append(ending)
        return ending

    def answered(self, ending: Ending) -> None:
        """From now on every node has to know."""
        self._open.remove(ending)

    def all_known(self) -> None:
        """Every node has applied every fence."""
        self._open.clear()

    def unknown_at(self, node: object, *what: str) -> bool:
        """Whether this node may not have heard of such an end."""
        return any(one.what == what and one.node is not node for one in self._open)


def parted(a: str, b: str) -> tuple[str, ...]:
    """What ends when two are no connections any more, or one blocks the other."""
    return ("parted", *sorted((a, b)))
