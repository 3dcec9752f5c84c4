"""The mark that every body carries, so that any byte that reaches anybody can be traced.

`~run.author.place.number.due.sent~`: the run, who wrote it (the number of a seat), where (the
number of a place), the author's own count, when it was due and when it was first handed to the
socket (monotonic microseconds, one clock for all processes of a machine). ASCII, so that it looks
the same in both encodings and can be found in raw bytes. Pure.
"""

from __future__ import annotations

import re
from typing import NamedTuple

PATTERN = re.compile(rb"~([a-z0-9]{4,16})\.(\d+)\.(\d+)\.(\d+)\.(\d+)\.(\d+)~")
_NUMBERS = 40
_FILLER = "the quick brown fox jumps over the lazy dog and is on time; " * 150


class Canary(NamedTuple):
    """What a body's mark says."""

    run: str
    author: int
    place: int
    number: int
    due: int
    sent: int

    @property
    def identity(self) -> int:
        """The message as one number, unique within a run and never 0."""
        return identity(self.author, self.number)

    def body(self, size: int) -> str:
        """A text of `size` characters with the mark in front; of the mark alone if that is more."""
        mark = "~{}.{}.{}.{}.{}.{}~".format(*self)
        return mark + _FILLER[: max(0, size - len(mark))]


def identity(author: int, number: int) -> int:
    """What `author_and_number` takes apart again."""
    return (author + 1) << _NUMBERS | number


def author_and_number(value: int) -> tuple[int, int]:
    """The author and the number that an identity was made of."""
    return (value >> _NUMBERS) - 1, value & ((1 << _NUMBERS) - 1)


def found(raw: bytes) -> list[Canary]:
    """Every mark in these bytes, whatever they are part of."""
    return [
        Canary(run.decode(), int(a), int(p), int(n), int(d), int(s))
        for run, a, p, n, d, s in PATTERN.findall(raw)
    ]
