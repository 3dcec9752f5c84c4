"""The cursor of a list that is in order of time: when, and which of that moment."""

from __future__ import annotations

from collections.abc import Callable

from server.errors import Invalid


def write(at_ms: int, ident: str) -> str:
    """What a list gives as `next` behind its last entry."""
    return f"{at_ms}.{ident}"


def read(text: str | None, key_of: Callable[[str], int | None]) -> tuple[int, int] | None:
    """The time and key of what a list gave before. Raises `Invalid` for anything else."""
    if text is None:
        return None
    at_ms, _, ident = text.partition(".")
    key = key_of(ident)
    if key is None or not (at_ms.isascii() and at_ms.isdigit() and len(at_ms) <= 16):
        raise Invalid("before is not what an earlier list gave as next.", field="before")
    return int(at_ms), key
