"""The houses that one suite runs in: each allowed pair of store and bus, and two nodes.

`CURRENT` names the one that the test at hand runs in. The services behind it are real, started
when a test first needs them and ended with the process that runs the tests; every house has a
database of its own, copied from one that has been migrated, and a prefix of its own in Redis.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import text

from server.domain.policy import DEFAULT
from server.store.postgres import PostgresDatabase
from server.store.sqlite import SqliteFile
from tests.support.postgres_service import Postgres
from tests.support.redis_service import RedisService

EMBEDDED = "sqlite"
HOUSES = {
    EMBEDDED: 1,
    "sqlite+redis": 1,
    "postgres": 1,
    "postgres+redis": 1,
    "two nodes": 2,
}
CONTRACT = (EMBEDDED, "two nodes")
"""Where each test of the contract runs: both stores, alone and together."""

PAIRS = ("sqlite+redis", "postgres", "postgres+redis")
"""Where those run as well that go the ways of most commands: one node, which may hear itself."""

CURRENT: ContextVar[str] = ContextVar("house", default=EMBEDDED)
TEMPLATE = "migrated"
NOBODYS = text("DELETE FROM deployment WHERE name <> 'needs'")
"""Makes a database one that has not been started yet: each copy gets ids of its own."""

_numbers = itertools.count(1)
_kept: dict[Path | None, str] = {}


@functools.cache
def postgres() -> Postgres:
    """This process's PostgreSQL, with a migrated database to copy."""
    service = Postgres()
    service.__enter__()
    atexit.register(service.__exit__, None, None, None)
    service.create_database(TEMPLATE)
    asyncio.run(_migrate(service.url(TEMPLATE)))
    return service


@functools.cache
def redis() -> RedisService:
    """This process's Redis. It ends with the thread that starts it: let that be the main one."""
    service = RedisService()
    service.__enter__()
    atexit.register(service.__exit__, None, None, None)
    return service


async def _migrate(url: str) -> None:
    database = await PostgresDatabase.open(url, DEFAULT)
    async with database.writing.begin() as connection:
        await connection.execute(NOBODYS)
    await database.close()


@functools.cache
def sqlite() -> bytes:
    """A migrated file to copy."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        file = SqliteFile(path, DEFAULT)
        with file.writing.begin() as connection:
            connection.execute(NOBODYS)
        file.close()
        return path.read_bytes()


@asynccontextmanager
async def resources(data: Path | None = None) -> AsyncIterator[tuple[dict[str, Any], int]]:
    """What the nodes of the current house share, as settings, and how many there are.

    A house with a directory of the test's own is found again under it, until `forget`.
    """
    house = CURRENT.get()
    settings: dict[str, Any] = {}
    known = data in _kept
    name = _kept[data] if data in _kept else f"house_{next(_numbers)}"
    if house.startswith(("postgres", "two")):
        service = await asyncio.to_thread(postgres)
        if not known:
            await asyncio.to_thread(service.create_database, name, TEMPLATE)
        if data is not None:
            _kept[data] = name
        settings["database"] = service.url(name)
    if house.endswith(("redis", "nodes")):
        settings["redis"] = redis().url()
        settings["redis_prefix"] = f"{name}:"
    try:
        yield settings, HOUSES[house]
    finally:
        if "database" in settings and data is None:
            await asyncio.to_thread(postgres().drop_database, name)


def forget() -> None:
    """Remove the databases of houses that a test might have come back to."""
    while _kept:
        _, name = _kept.popitem()
        postgres().drop_database(name)
