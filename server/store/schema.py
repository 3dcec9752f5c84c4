"""Brings a database to this version, and reads what is one for the whole deployment.

Migrations run forward only, in one transaction, before anything else is read.
"""

from __future__ import annotations

import itertools
import secrets
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, func, insert, select

from server.commands.work import Deployment
from server.domain.ids import Ids
from server.domain.policy import Policy
from server.errors import StoreUnavailable
from server.store import tables

MIGRATIONS = Path(__file__).parent / "migrations"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def migrate(engine: Engine) -> None:
    """Run the migrations that this database has not had. Raises `StoreUnavailable` for a
    database that a newer version has migrated."""
    config = _config()
    script = ScriptDirectory.from_config(config)
    with engine.begin() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
        if present == script.get_current_head():
            return
        if present is not None and present not in {r.revision for r in script.walk_revisions()}:
            raise StoreUnavailable(
                f"the database is of a newer version ({present}): run the version that made it"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def deployment(connection: Connection, policy: Policy) -> Deployment:
    """The deployment's ids, epoch and next key; made at the first start."""
    table = tables.deployment
    values = {str(row.name): str(row.value) for row in connection.execute(select(table))}
    if not values:
        values = {"epoch": secrets.token_urlsafe(12), "id_secret": secrets.token_hex(32)}
        connection.execute(
            insert(table), [{"name": name, "value": value} for name, value in values.items()]
        )
    last = max(connection.scalar(select(func.max(keyed.c.key))) or 0 for keyed in tables.KEYED)
    return Deployment(
        ids=Ids(bytes.fromhex(values["id_secret"])),
        policy=policy,
        epoch=values["epoch"],
        keys=itertools.count(last + 1),
    )
