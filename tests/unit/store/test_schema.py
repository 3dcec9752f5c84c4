"""Which code may serve a database."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from msgspec.structs import replace

from server.domain.policy import DEFAULT
from server.errors import StoreUnavailable
from server.store import schema
from server.store.sqlite import SqliteFile

FROM_JOINING = replace(DEFAULT, visible_to_newcomers="from_joining")


def serve_a_newer(file: SqliteFile, ours: str) -> None:
    """As code whose last migration is `ours` does, on a database that has had more."""
    with file.writing.begin() as connection:
        schema._serves_a_newer(connection, "9000", ours)


def test_code_that_keeps_nothing_from_newcomers_is_shut_out_once_there_may_be_some(
    tmp_path: Path,
) -> None:
    path = tmp_path / "subrosa.db"
    serve_a_newer(SqliteFile(path, DEFAULT), "0007")
    SqliteFile(path, FROM_JOINING)
    for policy in (FROM_JOINING, DEFAULT):  # for good: those who joined meanwhile stay newcomers
        file = SqliteFile(path, policy)
        serve_a_newer(file, schema.NEWCOMERS)
        with pytest.raises(StoreUnavailable, match="newer version"):
            serve_a_newer(file, "0007")


def test_the_last_migration_by_number_is_the_last_one_in_their_order() -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    assert schema.version() == script.get_current_head()
    assert schema._revisions() == sorted(r.revision for r in script.walk_revisions())
