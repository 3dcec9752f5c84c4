"""Brings a database to this version, and reads what is one for the whole deployment.

Migrations run forward only, in one transaction, before anything else is read.
"""

from __future__ import annotations

import itertools
import secrets
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, column, func, insert, inspect, select, table, text

from server.commands.work import Deployment
from server.domain.ids import Ids
from server.domain.policy import Policy
from server.errors import StoreUnavailable
from server.store import tables

MIGRATIONS = Path(__file__).parent / "migrations"
NEEDS = "needs"
"""Names the oldest revision whose code may serve this database; a migration sets it, and the first
start by a policy that code from before would break."""

NEWCOMERS: Final = "0008"
"""From when changes of earlier messages are kept from participants who see what follows only."""

MIGRATING: Final = 1
"""The advisory locks' space of migrations; topics are locked in the other, of one number."""


def _revisions() -> list[str]:
    """Those of this code's migrations, which are numbered; the last one is its version."""
    names = (path.name for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
    return sorted(name.partition("_")[0] for name in names)


def version() -> str:
    """The version of the schema that this code is of."""
    return _revisions()[-1]


def migrate(connection: Connection) -> None:
    """Run the migrations that this database has not had, within the transaction.

    Raises `StoreUnavailable` for a database that a newer version has migrated so that this one
    cannot serve it.
    """
    revisions = _revisions()
    present = _present(connection)
    if present == revisions[-1]:
        return
    if present is not None and present not in revisions:
        _serves_a_newer(connection, present, revisions[-1])
        return
    _upgrade(connection)


def _present(connection: Connection) -> str | None:
    """What Alembic has written down of this database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.scalar(select(column("version_num")).select_from(table("alembic_version")))


def _upgrade(connection: Connection) -> None:
    # Here: a tenth of a start's time goes into loading it, and most have nothing to migrate.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _serves_a_newer(connection: Connection, present: str, ours: str) -> None:
    """While nodes are replaced one by one, those of the version before go on, and may start."""
    table = tables.deployment
    needs = connection.scalar(select(table.c.value).where(table.c.name == NEEDS))
    if needs is None or ours < str(needs):
        raise StoreUnavailable(
            f"the database is of a newer version ({present}): run the version that made it"
        )


def deployment(connection: Connection, policy: Policy) -> Deployment:
    """The deployment's ids, epoch and next key, where this process alone writes; made at the
    first start."""
    last = max(connection.scalar(select(func.max(keyed.c.key))) or 0 for keyed in tables.KEYED)
    return _deployment(connection, policy, itertools.count(last + 1))


def open_shared(connection: Connection, policy: Policy) -> Deployment:
    """Migrate and read the same where several processes write, of whom one does so at a time."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:space, 0)"), {"space": MIGRATING})
    migrate(connection)
    return _deployment(connection, policy, KeyBlocks())


class KeyBlocks:
    """Keys of a block that is this process's alone, and the next block when one is used up.

    A sequence gives blocks; `fill` is to be called in each transaction before keys are taken.
    """

    SIZE: Final = 10_000
    _SPARE: Final = 4_096  # more than any batch takes

    def __init__(self) -> None:
        self._keys: deque[range] = deque()
        self._next = 0
        self._end = 0

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        while self._next >= self._end:
            block = self._keys.popleft()
            self._next, self._end = block.start, block.stop
        key = self._next
        self._next += 1
        return key

    def fill(self, connection: Connection) -> None:
        """See to it that a batch's keys are there."""
        if self._end - self._next + sum(map(len, self._keys)) < self._SPARE:
            block = connection.scalar(text("SELECT nextval('key_block')"))
            assert block is not None
            self._keys.append(range(block * self.SIZE, (block + 1) * self.SIZE))


def _deployment(connection: Connection, policy: Policy, keys: Iterator[int]) -> Deployment:
    table = tables.deployment
    values = {str(row.name): str(row.value) for row in connection.execute(select(table))}
    if "epoch" not in values:
        made = {"epoch": secrets.token_urlsafe(12), "id_secret": secrets.token_hex(32)}
        connection.execute(
            insert(table), [{"name": name, "value": value} for name, value in made.items()]
        )
        values |= made
    if policy.visible_to_newcomers != "full" and values.get(NEEDS, "") < NEWCOMERS:
        connection.execute(table.delete().where(table.c.name == NEEDS))
        connection.execute(insert(table), [{"name": NEEDS, "value": NEWCOMERS}])
    return Deployment(
        ids=Ids(bytes.fromhex(values["id_secret"])),
        policy=policy,
        epoch=values["epoch"],
        keys=keys,
    )
