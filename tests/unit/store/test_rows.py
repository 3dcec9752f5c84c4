"""Rows are found by their keys, in whatever number, and come back as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.domain.policy import DEFAULT
from server.domain.rows import Creation, DeviceToken, Entry, Member, Row, Topic
from server.store import lookups, rows
from server.store.sqlite import SqliteFile
from server.store.tables import TABLES


@pytest.mark.parametrize("kind", TABLES, ids=lambda kind: kind.__name__)
def test_no_row_is_looked_for_in_a_whole_table(kind: type[Row], tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "s.db", DEFAULT)
    with file.reading.begin() as connection:
        statement = lookups._by_values(kind, kind.identity, 4)
        plan = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {statement}", (1,) * 4 * len(kind.identity)
        )
        steps = [str(step[3]) for step in plan]
    file.close()
    assert any(step.startswith(f"SEARCH {TABLES[kind].name} USING") for step in steps), steps


@pytest.mark.parametrize("count", [1, 2, 3, lookups.AT_ONCE + 1])
def test_rows_are_found_by_their_identity_as_they_were_written(count: int, tmp_path: Path) -> None:
    written: list[list[Row]] = [
        [
            Member(n, f"m{n}", n, "Ada\x00", facets={"skills": ["a", "b"]}, receipts=n % 2 == 0)
            for n in range(count)
        ],
        [Creation(1, f"c\x00{n}", "message.send", bytes([n % 256, 0]), n) for n in range(count)],
        [DeviceToken(n, "phone", f"j{n}", n) for n in range(count)],
    ]
    file = SqliteFile(tmp_path / "s.db", DEFAULT)
    with file.writing.begin() as connection:
        for some in written:
            kind = type(some[0])
            rows.write(connection, {kind: some})
            found = lookups.by_identity(connection, kind, [row.ident for row in some])
            assert sorted(found, key=str) == sorted(some, key=str)
        assert lookups.by_identity(connection, Creation, [(1, "nobody's"), (2, "c\x000")]) == []
        assert lookups.by_identity(connection, Member, []) == []
    file.close()


def test_entries_are_found_by_ranges_of_several_topics(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "s.db", DEFAULT)
    with file.writing.begin() as connection:
        rows.write(connection, {Topic: [Topic(key, f"t{key}", 9) for key in (1, 2, 3)]})
        log = [
            Entry(key, pos, "message.created", 0, data={"n": pos})
            for key in (1, 2, 3)
            for pos in range(1, 10)
        ]
        rows.write(connection, {Entry: log})
        found = rows.entries_of(connection, [(1, 0, 2), (1, 6, 7), (3, 8, 20)])
        assert [(row.topic, row.pos) for row in found] == [(1, 1), (1, 2), (1, 7), (3, 9)]
        assert found[0].data == {"n": 1}
        assert rows.entries_of(connection, []) == []
        plan = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN " + str(rows._entries(False).compile(connection.engine)),  # type: ignore[attr-defined]
            ("[[1, 0, 2]]", *(f"$[{place}]" for place in range(3))),
        )
        assert any(str(step[3]).startswith("SEARCH entry USING PRIMARY KEY") for step in plan)
    file.close()
