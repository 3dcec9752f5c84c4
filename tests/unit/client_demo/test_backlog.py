"""The bounded queue: refuses at the bound, keeps order, ends after its last item."""

from __future__ import annotations

import asyncio

import pytest

from client_demo.backlog import Backlog


async def test_the_bound_refuses_and_push_does_not() -> None:
    backlog: Backlog[int] = Backlog(2)
    assert [backlog.offer(n) for n in range(3)] == [True, True, False]
    backlog.push(9)
    assert (len(backlog), backlog.room) == (3, -1)
    assert [await backlog.take() for _ in range(3)] == [0, 1, 9]
    assert backlog.offer(4)


async def test_a_taker_waits_and_gets_what_comes() -> None:
    backlog: Backlog[int] = Backlog(2)
    async with asyncio.TaskGroup() as group:
        taker = group.create_task(backlog.take())
        await asyncio.sleep(0)
        assert not taker.done()
        backlog.offer(7)
    assert taker.result() == 7


async def test_the_end_comes_after_what_is_left() -> None:
    backlog: Backlog[int] = Backlog(2)
    backlog.offer(1)
    backlog.end(KeyError("over"))
    assert await backlog.take() == 1
    with pytest.raises(KeyError, match="over"):
        await backlog.take()
