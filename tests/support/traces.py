"""What a house's database says, every word of it: for tests of what has to be gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from server.commands.snapshot import Snapshot
from server.domain.rights import Erasure
from server.store.sqlite import SqliteStore
from server.store.tables import metadata
from tests.support.running import Running


def rows_as_text(connection: Connection) -> str:
    """Every row of every table, as it is stored."""
    lines = []
    for name in metadata.tables:
        for row in connection.execute(text(f'SELECT * FROM "{name}"')):
            lines.append(f"{name}: {tuple(row)}")
    return "\n".join(lines)


async def stored(server: Running) -> str:
    """Every word in the database of a house; with SQLite, every byte of its files too."""
    store = server.node.store
    if not isinstance(store, SqliteStore):
        async with store._database.reading.connect() as connection:
            return await connection.run_sync(rows_as_text)
    file = store._file

    def look() -> str:
        with file.reading.begin() as connection:
            return rows_as_text(connection) + bytes_of(file._path)

    return await asyncio.to_thread(look)


def bytes_of(database: Path) -> str:
    """A database file and what lies beside it."""
    files = [database, database.with_name(f"{database.name}-wal")]
    return "".join(path.read_bytes().decode("latin-1") for path in files if path.exists())


async def entries(server: Running, **asked: Any) -> list[dict[str, Any]]:
    """The audit log, the oldest first."""
    found: list[dict[str, Any]] = (await server.operate("audit.list", **asked))["entries"]
    return found[::-1]


async def erased(server: Running) -> None:
    """Wait until every erasure is complete, and nothing is left of it on the disk."""
    await _until(server, lambda gone: False)
    while not (server.node.dispatcher.deletions.settled and await server.node.store.settle()):
        await asyncio.sleep(0.01)


async def held(server: Running) -> None:
    """Wait until every erasure has come as far as a hold lets it."""
    await _until(server, lambda gone: gone.hidden)
    await server.node.dispatcher.deletions.erase()


async def _until(server: Running, is_over: Callable[[Erasure], bool]) -> None:
    def pending(snapshot: Snapshot) -> bool:
        return not all(map(is_over, snapshot.rights.erasures(None, 200)))

    while await server.node.store.read(pending):
        await asyncio.sleep(0.01)
