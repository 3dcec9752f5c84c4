"""Somebody at a messenger in its plain mode: types lines, and sees what is printed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

PATIENCE_S = 25.0


class PlainSeat:
    """Give `typed()` and `print` to the messenger; `lines` is all that was printed."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._typed: asyncio.Queue[str | None] = asyncio.Queue(100)
        self._stirred = asyncio.Event()
        self._from = 0

    def print(self, line: str) -> None:
        """The messenger prints a line."""
        self.lines.append(line)
        self._stirred.set()

    async def typed(self) -> AsyncIterator[str]:
        """What the messenger reads."""
        while (line := await self._typed.get()) is not None:
            yield line

    def type(self, *lines: str) -> None:
        """Type these lines."""
        for line in lines:
            self._typed.put_nowait(line)

    def end(self) -> None:
        """Close the input."""
        self._typed.put_nowait(None)

    async def see(self, *texts: str) -> str:
        """The next line with all of these, after those seen before."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    for number in range(self._from, len(self.lines)):
                        if all(text in self.lines[number] for text in texts):
                            self._from = number + 1
                            return self.lines[number]
                    self._stirred.clear()
                    await self._stirred.wait()
        except TimeoutError:
            raise AssertionError(f"not printed: {texts}, but {self.lines[self._from :]}") from None
