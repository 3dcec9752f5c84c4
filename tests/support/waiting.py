"""Waiting for something to become so inside a server that runs in the test's own loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.running import Running


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that other tasks of this loop bring about; the test's bound ends it."""
    while not condition():
        await asyncio.sleep(0.002)


async def settled(server: Running) -> None:
    """Wait until no session is on its way into a topic, on any node: whoever is misses signals."""
    await server.quiet()
