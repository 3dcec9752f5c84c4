"""A session's wire in the arena: what it was handed, and when, in the arena's numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgpack

from tests.support.fake_wire import payloads

Map = dict[str, Any]


class RecordingWire:
    """Takes everything at once."""

    peer = "nobody"
    full = False

    def __init__(self, number: Callable[[], int]) -> None:
        self.code: int | None = None
        self._number = number
        self._given: list[tuple[int, bytes]] = []

    def write(self, frames: Sequence[bytes]) -> None:
        assert self.code is None
        self._given.append((self._number(), b"".join(frames)))

    def close(self, code: int, reason: str = "") -> None:
        self.code = code

    def abort(self) -> None:
        self.code = 1006

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    @property
    def last(self) -> int:
        """When it was handed something last."""
        return self._given[-1][0] if self._given else 0

    def given(self) -> Iterator[tuple[int, Map]]:
        """All frames, each with its number."""
        for number, data in self._given:
            for _, payload in payloads(data):
                yield number, msgpack.unpackb(payload)
