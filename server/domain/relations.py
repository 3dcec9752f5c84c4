"""What is between two members, read from either side. Pure views of a `Pair` row.

A pair is stored once, `low` < `high`; these functions translate a side's question ("does this
one block the other?") so that no rule needs to know which side is low.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from server.domain.rows import Pair

_SIDED = ("blocks", "unblocked_ms", "invitation", "withdrew_ms", "refuses")


def ident(a: int, b: int) -> tuple[int, int]:
    """The identity of the pair of two members."""
    return (a, b) if a < b else (b, a)


def new(a: int, b: int) -> Pair:
    """A pair with nothing between its members yet."""
    return Pair(*ident(a, b))


def other(pair: Pair, member: int) -> int:
    """The other member."""
    return pair.high if member == pair.low else pair.low


def of(pair: Pair | None, member: int, field: str) -> Any:
    """`member`'s side of a sided field; its zero when there is no pair yet."""
    if pair is None:
        return 0
    return getattr(pair, ("low_" if member == pair.low else "high_") + field)


def mark(pair: Pair, member: int, **fields: int | bool) -> Pair:
    """The pair with `member`'s side of the given sided fields changed."""
    side = "low_" if member == pair.low else "high_"
    unknown = fields.keys() - set(_SIDED)
    if unknown:
        raise ValueError(f"not a side's fields: {unknown}")
    return replace(pair, **{side + name: value for name, value in fields.items()})


def blocked(pair: Pair | None) -> bool:
    """Whether either blocks the other: then nothing new passes, in either direction."""
    return pair is not None and (pair.low_blocks or pair.high_blocks)


def connected(pair: Pair | None) -> bool:
    """Whether an accepted invitation stands between the two."""
    return pair is not None and pair.connected_ms > 0
