"""The file that outlives the process: unsent messages, and how far the application has read.

One SQLite database for one member, synced to disk with each change and held by one process at a
time; readable by its owner only, since it holds message texts. Without a path it is in memory.
Every call runs in the file's own thread, in the order made. Called by `outbox` and `client`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from client_demo.errors import StateUnusable
from client_demo.protocol import Map

T = TypeVar("T")

_VERSION = 1
_TABLES = """
CREATE TABLE outbox (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id TEXT NOT NULL UNIQUE,
    params TEXT NOT NULL
);
CREATE TABLE topics (topic TEXT PRIMARY KEY, pos INTEGER NOT NULL);
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A message that is not known to be sent: the params of its `message.send`."""

    client_id: str
    params: Map

    @property
    def lane(self) -> str:
        """What it is kept in order with: messages to the same member or conversation."""
        to = self.params.get("to")
        return f"to:{to}" if to else f"in:{self.params.get('conversation')}"


@dataclass(frozen=True, slots=True)
class Saved:
    """What a state file says at the start: no member and no epoch if it is new."""

    member: str
    epoch: str
    topics: Mapping[str, int]
    entries: tuple[Entry, ...]


class StateFile:
    """An open state file. `close` it: the next process cannot open it before."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, "subrosa-state")
        self._db: sqlite3.Connection | None = None

    async def open(self) -> Saved:
        """Open or create the file and read it.

        Raises: StateUnusable if another process holds it or it is not a state file.
        """
        return await self._run(self._open)

    async def add(self, entry: Entry) -> None:
        """Keep a message; on disk when this returns."""
        await self._write(
            "INSERT INTO outbox (client_id, params) VALUES (?, ?)",
            (entry.client_id, json.dumps(entry.params)),
        )

    async def remove(self, client_id: str) -> None:
        """Forget a message: its outcome is known."""
        await self._write("DELETE FROM outbox WHERE client_id = ?", (client_id,))

    async def belong_to(self, member: str) -> None:
        """Note whose state this is."""
        await self._write("INSERT OR REPLACE INTO facts VALUES ('member', ?)", (member,))

    async def save(self, topics: Mapping[str, int], epoch: str) -> None:
        """Replace the positions: what a restarted client resumes from."""
        rows = list(topics.items())

        def write() -> None:
            with self._open_db() as db:
                db.execute("DELETE FROM topics")
                db.executemany("INSERT INTO topics VALUES (?, ?)", rows)
                db.execute("INSERT OR REPLACE INTO facts VALUES ('epoch', ?)", (epoch,))

        await self._run(write)

    async def close(self) -> None:
        """Let go of the file."""
        try:
            await self._run(self._close)
        finally:
            self._thread.shutdown(wait=False)

    # --- in the file's thread ---------------------------------------------------------------

    def _open(self) -> Saved:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        name = ":memory:" if self._path is None else str(self._path)
        db = sqlite3.connect(name, timeout=0.5, check_same_thread=False)
        try:
            # Exclusive: two processes over one outbox would send everything twice.
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                db.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {_VERSION}; COMMIT;")
            elif version != _VERSION:
                raise StateUnusable(f"{name} was written by another version of this client")
            facts = dict(db.execute("SELECT name, value FROM facts"))
            saved = Saved(
                member=facts.get("member", ""),
                epoch=facts.get("epoch", ""),
                topics=dict(db.execute("SELECT topic, pos FROM topics")),
                entries=tuple(
                    Entry(client_id, json.loads(params))
                    for client_id, params in db.execute(
                        "SELECT client_id, params FROM outbox ORDER BY row"
                    )
                ),
            )
        except sqlite3.OperationalError as error:
            db.close()
            raise StateUnusable(f"{name} is held by another process ({error})") from None
        except sqlite3.DatabaseError as error:
            db.close()
            raise StateUnusable(f"{name} is not a state file: {error}") from None
        except StateUnusable:
            db.close()
            raise
        self._db = db
        return saved

    def _open_db(self) -> sqlite3.Connection:
        if self._db is None:
            raise StateUnusable("the state file is not open")
        return self._db

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    async def _write(self, statement: str, values: tuple[str, ...]) -> None:
        def write() -> None:
            with self._open_db() as db:
                db.execute(statement, values)

        await self._run(write)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
