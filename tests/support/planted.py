"""Failures planted where a store decides, writes and commits, the same way in every store.

They are planted on all nodes of a house, and last as long as the context.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.util import await_only

from server.app import Node
from server.store.group_commit import Decide
from server.store.sqlite import SqliteStore
from tests.support import houses
from tests.support.running import Running

Plant = Callable[[Node], None]
"""Called in the midst of a transaction of the node's; raises, or does some harm."""


async def cut_all(node: Node) -> None:
    """Cut every connection to the node's database, of all nodes."""
    assert node.settings.database is not None
    name = node.settings.database.rpartition("/")[2]
    await asyncio.to_thread(houses.postgres().terminate_backends, name)


def cut(node: Node) -> None:
    """The same from the midst of a transaction."""
    await_only(cut_all(node))


def fail(node: Node) -> None:
    """Fail as the database's driver does, with the connection in order."""
    dialect: Any = _writing(node).dialect
    raise dialect.dbapi.OperationalError("planted")


@contextmanager
def deciding(server: Running, decide: Decide) -> Iterator[None]:
    """Decide commands like this instead."""
    with ExitStack() as stack:
        for node in server.nodes:
            commits = node.store.commits
            name = "_decide" if isinstance(node.store, SqliteStore) else "decide"
            stack.callback(setattr, commits, name, getattr(commits, name))
            setattr(commits, name, decide)
        yield


@contextmanager
def at_writing(server: Running, word: str, plant: Plant = fail) -> Iterator[None]:
    """Do this before a statement that writes this word somewhere."""
    with ExitStack() as stack:
        for node in server.nodes:
            engine = _writing(node)

            def before(_c: Any, _d: Any, statement: str, parameters: Any, *_: Any,
                       node: Node = node) -> None:  # fmt: skip
                if ("INSERT" in statement or "UPDATE" in statement) and word in repr(parameters):
                    plant(node)

            event.listen(engine, "before_cursor_execute", before)
            stack.callback(event.remove, engine, "before_cursor_execute", before)
        yield


@contextmanager
def at_commit(server: Running, plant: Plant = fail, *, stored: bool) -> Iterator[None]:
    """Do this instead of a commit, or, `stored`, behind it, and fail."""
    with ExitStack() as stack:
        for node in server.nodes:
            dialect: Any = _writing(node).dialect

            def commits(connection: Any, node: Node = node, dialect: Any = dialect) -> None:
                if stored:
                    type(dialect).do_commit(dialect, connection)
                plant(node)
                if not stored:
                    type(dialect).do_commit(dialect, connection)
                fail(node)

            dialect.do_commit = commits
            stack.callback(vars(dialect).pop, "do_commit")
        yield


def _writing(node: Node) -> Engine:
    """Where the node's commands are written."""
    if isinstance(node.store, SqliteStore):
        return node.store._file.writing
    return node.store._database.writing.sync_engine
