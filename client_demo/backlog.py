"""The bounded queue between the socket and the application.

At the bound an item is refused, not waited for: were the reader to wait, the answer that the
application waits for inside its loop over events would never be read. The client then lets
events go and resumes from the last position it kept once the application has caught up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Backlog(Generic[Item]):
    """At most `limit` items, first in first out, for one reader."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: deque[Item] = deque()
        self._stirred = asyncio.Event()
        self._end: Exception | None = None

    def __len__(self) -> int:
        return len(self._items)

    @property
    def room(self) -> int:
        """How many more items fit."""
        return self._limit - len(self._items)

    def offer(self, item: Item) -> bool:
        """Add an item; False if it does not fit."""
        if self.room <= 0:
            return False
        self.push(item)
        return True

    def push(self, item: Item) -> None:
        """Add an item whatever the bound; for what is bounded elsewhere and cannot come again."""
        self._items.append(item)
        self._stirred.set()

    def end(self, error: Exception) -> None:
        """Nothing more will come: `take` raises `error` once what is here has been taken."""
        self._end = error
        self._stirred.set()

    async def take(self) -> Item:
        """The next item, when there is one.

        Raises: the error given to `end`.
        """
        while not self._items:
            if self._end is not None:
                raise self._end
            self._stirred.clear()
            await self._stirred.wait()
        return self._items.popleft()
