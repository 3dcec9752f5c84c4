"""Bounds for async tests; the conftest calls `bound` with what it has collected.

pytest-timeout raises out of a signal handler, and uvloop runs none while it waits for nothing but
sockets: a test that hangs would hang for ever. A timer of the loop itself ends it in its place,
and its trace says what was waited for.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from typing import Any

import pytest

LIMIT_S = 50.0


def bound(items: list[pytest.Item]) -> None:
    """Bound these tests; a `timeout` marker of their own is the bound, less what cleaning takes."""
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            marker = item.get_closest_marker("timeout")
            limit = float(marker.args[0]) - 5 if marker is not None else LIMIT_S
            item.obj = _within(limit, item.obj)


def _within(limit_s: float, test: Any) -> Any:
    @functools.wraps(test)
    async def run(*args: Any, **named: Any) -> None:
        async with asyncio.timeout(limit_s):
            await test(*args, **named)

    return run
