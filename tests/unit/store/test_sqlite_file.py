"""The database file: nothing of what was removed is left between the rows."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import pytest
from sqlalchemy import Connection

from server.domain.policy import DEFAULT
from server.store import sqlite
from server.store.sqlite import SqliteFile


def fill_and_empty(file: SqliteFile, seed: int) -> None:
    """Write rows of many sizes, change some, so that pages are rebalanced; empty half of them."""
    dice = random.Random(seed)
    with file.writing.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE talk{seed} (key INTEGER PRIMARY KEY, body TEXT)")
        _write(connection, seed, range(3000), dice, (1, 3, 10, 40))
    with file.writing.begin() as connection:
        _write(connection, seed, dice.sample(range(3000), 150), dice, (1, 60))
    for start in range(1, 3000, 100):
        with file.writing.begin() as connection:
            _write(connection, seed, range(start, start + 100, 2), dice, (0,))


def _write(
    connection: Connection, seed: int, keys: Iterable[int], dice: random.Random,
    lengths: tuple[int, ...],
) -> None:  # fmt: skip
    statement = f"INSERT OR REPLACE INTO talk{seed} VALUES (?, ?)"
    for key in keys:
        word = "CANARY " if key % 2 else "OTHER "
        connection.exec_driver_sql(statement, (key, word * dice.choice(lengths)))


def test_a_file_written_anew_has_nothing_of_what_was_removed(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    file = SqliteFile(path, DEFAULT)

    def left() -> int:
        assert file.empty_log()
        return path.read_bytes().count(b"CANARY")

    seeds = 0
    while not left():  # often something is, not always
        assert seeds < 30
        fill_and_empty(file, seeds)
        seeds += 1
    assert file.compact()
    assert left() == 0
    with file.reading.begin() as connection:
        for seed in range(seeds):
            kept = connection.exec_driver_sql(f"SELECT count(*) FROM talk{seed} WHERE body != ''")
            assert kept.scalar() == 1500
    file.close()


def test_one_that_is_being_written_is_tried_again(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "s.db", DEFAULT)
    with file.writing.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE talk (key INTEGER)")
        assert not file.compact()
    assert file.compact()
    file.close()


def test_one_for_which_there_is_no_room_is_left_with_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = SqliteFile(tmp_path / "s.db", DEFAULT)
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    monkeypatch.setattr("sqlite3.connect", lambda *_, **__: Failing(full))
    assert file.compact()  # not again every few seconds
    monkeypatch.undo()
    file.close()
    assert "VACUUM is run while the server is stopped" in caplog.text


class Failing:
    """A connection on which nothing can be done."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def execute(self, statement: str) -> None:
        raise self._error

    def close(self) -> None:
        pass


def test_one_that_is_too_large_is_left_as_it_is_with_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sqlite, "COMPACTED_UP_TO", 1)
    file = SqliteFile(tmp_path / "s.db", DEFAULT)
    assert file.compact()
    file.close()
    assert "VACUUM is run while the server is stopped" in caplog.text
