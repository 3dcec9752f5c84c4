"""Rows to and from the tables, set-based: many of a kind in one statement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    ARRAY,
    Connection,
    Dialect,
    and_,
    any_,
    bindparam,
    column,
    delete,
    func,
    select,
)
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.elements import ColumnElement

from server.domain.rights import LATEST, Departed
from server.domain.rows import DeviceToken, Entry, Fence, Refusal, Row
from server.store.lookups import is_shared, power
from server.store.tables import TABLES, Packed
from server.store.values import arrays, ways_in

R = TypeVar("R", bound=Row)
FENCES_MS = 24 * 3_600_000


def build(kind: type[R], values: Sequence[Any]) -> R:
    """A row from a result whose columns are the table's, in order."""
    return kind(*values)


@cache
def columns(kind: type[Row]) -> tuple[ColumnElement[Any], ...]:
    """A kind's columns in the order of its fields."""
    table = TABLES[kind]
    return tuple(table.c[name] for name in kind.__struct_fields__)


def fetch(connection: Connection, kind: type[R], *where: ColumnElement[bool]) -> list[R]:
    """All rows of a kind that match."""
    found = connection.execute(select(*columns(kind)).where(*where))
    return [build(kind, values) for values in found]


def padded(values: Sequence[Any]) -> list[Any]:
    """These values, the last one repeated up to a power of two."""
    if not values:
        return []
    return [*values, *(values[-1] for _ in range(power(len(values)) - len(values)))]


def among(
    connection: Connection, which: ColumnElement[Any], values: Iterable[Any]
) -> ColumnElement[bool]:
    """Whether a column is one of these: a list on SQLite, one array elsewhere."""
    if is_shared(connection):
        return which == any_(bindparam(None, list(values), type_=ARRAY(which.type)))
    return which.in_(padded(list(values)))


_RANGE = ("first", "after", "until")


def entries_of(connection: Connection, ranges: Sequence[tuple[int, int, int]]) -> list[Entry]:
    """Of each (topic, after, until) the entries with positions in (after, until], in order."""
    if not ranges:
        return []
    shared = is_shared(connection)
    given = dict(zip(_RANGE, map(list, zip(*ranges, strict=True)), strict=True))
    found = connection.execute(_entries(shared), given if shared else {"ranges": ranges})
    return [build(Entry, values) for values in found]


@cache
def _entries(shared: bool) -> Executable:
    """One statement for any number of ranges: three arrays, or on SQLite a list of lists."""
    entry = TABLES[Entry].c
    parts: Sequence[ColumnElement[Any]]
    if shared:
        unnested = func.unnest(*(bindparam(name, type_=ARRAY(entry.pos.type)) for name in _RANGE))
        names = (column(name, entry.pos.type) for name in _RANGE)
        rows = unnested.table_valued(*names).render_derived()
        parts = [rows.c[name] for name in _RANGE]
    else:
        rows = func.json_each(bindparam("ranges", type_=Packed(list))).table_valued("value")
        parts = [func.json_extract(rows.c.value, f"$[{place}]") for place in range(3)]
    mine = and_(entry.topic == parts[0], entry.pos > parts[1], entry.pos <= parts[2])
    source = rows.join(TABLES[Entry], mine)
    return select(*columns(Entry)).select_from(source).order_by(entry.topic, entry.pos)


def write(connection: Connection, rows: Mapping[type[Row], Iterable[Row]]) -> None:
    """Store the present versions of these rows, by kind: a statement each, one in all where the
    way to the database is what costs."""
    dialect = connection.dialect
    if is_shared(connection):
        if rows:
            given = [values for kind in rows for values in _columns_in(kind, rows[kind], dialect)]
            connection.exec_driver_sql(_upsert_arrays(tuple(rows), dialect), tuple(given))
        return
    for kind, some in rows.items():
        if ways_in(kind, dialect):
            given = list(zip(*_columns_in(kind, some, dialect), strict=True))
        else:
            given = [msgspec.structs.astuple(row) for row in some]
        connection.exec_driver_sql(_upsert_each(kind), given)


def _columns_in(kind: type[Row], rows: Iterable[Row], dialect: Dialect) -> list[Sequence[Any]]:
    """Their values column by column, as the database takes them."""
    given: list[Sequence[Any]] = [
        list(values) for values in zip(*map(msgspec.structs.astuple, rows), strict=True)
    ]
    for place, way in ways_in(kind, dialect):
        given[place] = [way(value) for value in given[place]]
    return given


def _upsert(kind: type[Row], source: str) -> str:
    rest = [
        f'"{name}" = excluded."{name}"'
        for name in kind.__struct_fields__
        if name not in kind.identity
    ]
    then = f"UPDATE SET {', '.join(rest)}" if rest else "NOTHING"
    quoted = ", ".join(f'"{name}"' for name in kind.__struct_fields__)
    identity = ", ".join(f'"{name}"' for name in kind.identity)
    return (
        f'INSERT INTO "{TABLES[kind].name}" ({quoted}) {source} ON CONFLICT ({identity}) DO {then}'
    )


@cache
def _upsert_each(kind: type[Row]) -> str:
    marks = ", ".join("?" for _ in kind.__struct_fields__)
    return _upsert(kind, f"VALUES ({marks})")


@cache
def _upsert_arrays(kinds: tuple[type[Row], ...], dialect: Dialect) -> str:
    """One statement for several kinds, with an array for each of their columns."""
    place, parts = 1, list[str]()
    for kind in kinds:
        names = kind.__struct_fields__
        given = arrays(kind, names, dialect, place)
        place += len(names)
        parts.append(_upsert(kind, f"SELECT * FROM unnest({given})"))  # noqa: S608 - types of ours
    *others, last = parts
    if not others:
        return last
    return f"WITH {', '.join(f'w{n} AS ({part})' for n, part in enumerate(others))} {last}"


def drop(connection: Connection, kind: type[Row], those: Mapping[str, Sequence[Any]]) -> None:
    """Remove the rows of a kind whose columns have one of these values each."""
    table = TABLES[kind]
    same = (among(connection, table.c[name], values) for name, values in those.items())
    connection.execute(delete(table).where(*same))


def purge(connection: Connection, now_ms: int) -> None:
    """Forget tokens that have expired, with which nobody can come back, and old fences: a node
    that has not read them is found out by the gap."""
    for kind in (DeviceToken, Refusal):
        table = TABLES[kind]
        connection.execute(delete(table).where(table.c.expires_ms < now_ms))
    gone = TABLES[Departed].c
    connection.execute(
        delete(TABLES[Departed]).where(gone.expires_ms < now_ms, gone.digest != LATEST)
    )
    fence = TABLES[Fence].c
    last = select(func.max(fence.seq)).scalar_subquery()
    connection.execute(
        delete(TABLES[Fence]).where(fence.at_ms < now_ms - FENCES_MS, fence.seq < last)
    )
