"""How long a search takes a member with many messages: `python -m tests.bench.searching`.

Fills a house of each store with 100,000 messages of one member, in one conversation or in a
thousand, and as many of others, then searches them over HTTP. Prints a line a case.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from typing import Any

from sqlalchemy import Connection, select, text, update

from server.domain.policy import Policy
from server.domain.rows import Conversation, Message, Participant
from server.store import tables
from server.store.rows import write
from server.store.sqlite import SqliteStore
from tests.support import houses
from tests.support.careful_peer import HttpPeer
from tests.support.running import Running, running_node

OWN = 100_000
RUNS = 9
KEYS = 2**40  # what the house itself gives out stays below
WORDS = ("roof", "wall", "Friday", "please", "look", "again", "drawing", "beam", "Tuesday", "über")


def _fill(connection: Connection, conversations: int) -> None:
    found = connection.execute(select(tables.member.c.id, tables.member.c.key))
    members = {str(name): int(key) for name, key in found}
    ada, grace, eve = members["ada"], members["grace"], members["eve"]
    draw = random.Random(1)
    start = 1_600_000_000_000
    for place in range(2 * conversations):
        mine = place % 2 == 0
        key = KEYS + place
        low, high = sorted((ada if mine else eve, grace))
        count = OWN // conversations
        last = start + (count - 1) * conversations * 2 + place
        row = Conversation(key, "one_to_one", 0, low, high, start, low, seq=count, active_ms=last)
        parts = [Participant(key, who, "participant", []) for who in (low, high)]
        write(connection, {Conversation: [row], Participant: parts})
        for first in range(0, count, 5_000):
            rows = [
                Message(
                    KEYS + n * conversations * 2 + place, key, n + 1, draw.choice((low, high)),
                    "direct", " ".join(draw.choices(WORDS[: 9 + (n % 7 == 0)], k=18)),
                    f"{place}.{n}",
                    start + n * conversations * 2 + place,
                )
                for n in range(first, min(first + 5_000, count))
            ]  # fmt: skip
            write(connection, {Message: rows})
    # One that is old: a search for it goes through everything.
    oldest = select(tables.message.c.key).where(
        tables.message.c.conversation == KEYS, tables.message.c.seq == 1
    )
    connection.execute(
        update(tables.message)
        .where(tables.message.c.key == oldest.scalar_subquery())
        .values(body="the needle")
    )


async def _prepare(server: Running, conversations: int) -> None:
    store = server.node.store
    await server.people("ada", "grace", "eve")
    if isinstance(store, SqliteStore):
        with store._file.writing.begin() as connection:
            _fill(connection, conversations)
        return
    async with store._database.writing.begin() as connection:
        await connection.run_sync(_fill, conversations)
    async with store._database.writing.begin() as connection:
        await connection.execute(text("ANALYZE"))


async def _timed(ada: HttpPeer, **params: Any) -> tuple[float, dict[str, Any]]:
    started = time.perf_counter()
    page = await ada.call("message.search", **params)
    return time.perf_counter() - started, page


async def _through(ada: HttpPeer, query: str) -> tuple[list[float], int]:
    """Every page's seconds until the end, and how many were found."""
    took: list[float] = []
    found = 0
    more: dict[str, Any] = {}
    while True:
        seconds, page = await _timed(ada, query=query, **more)
        took.append(seconds)
        found += len(page["messages"])
        if not page["more"]:
            return took, found
        more = {"before": page["next"]}


async def _measure(house: str, conversations: int) -> None:
    async with running_node(policy=Policy(), rate_limits=False) as server:
        await _prepare(server, conversations)
        async with HttpPeer(server.base, server.token("ada")) as ada:
            first = [(await _timed(ada, query="friday roof"))[0] for _ in range(RUNS)]
            print(f"{house}, {conversations} conversations: first 50 {_ms(first)} ms", end="")
            for what, query in (("one old message", "needle"), ("none, not ASCII", "nädel")):
                runs = [await _through(ada, query) for _ in range(RUNS)]
                whole = [sum(took) for took, _ in runs]
                answers = [seconds for took, _ in runs for seconds in took]
                print(
                    f"; {what} {_ms(whole)} ms in {len(runs[0][0])} answers of {_ms(answers)}"
                    f" ms, the longest {1000 * max(answers):.0f} ms",
                    end="",
                )
                assert {found for _, found in runs} == {1 if query == "needle" else 0}
            print(flush=True)


def _ms(seconds: list[float]) -> str:
    return f"{1000 * statistics.median(seconds):.0f}"


async def main() -> None:
    """Measure each store."""
    for house in ("sqlite", "postgres"):
        for conversations in (1, 100, 1_000):
            houses.CURRENT.set(house)
            await _measure(house, conversations)


if __name__ == "__main__":
    asyncio.run(main())
