"""Rows to and from the tables, set-based: many of a kind in one statement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    ARRAY,
    Boolean,
    Connection,
    Dialect,
    LargeBinary,
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
from server.store.tables import TABLES, Packed

R = TypeVar("R", bound=Row)
FENCES_MS = 24 * 3_600_000
AT_ONCE = 500  # bound parameters of one IN list


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
    return [*values, *(values[-1] for _ in range(_power(len(values)) - len(values)))]


def among(
    connection: Connection, which: ColumnElement[Any], values: Iterable[Any]
) -> ColumnElement[bool]:
    """Whether a column is one of these: a list on SQLite, one array elsewhere."""
    if _is_shared(connection):
        return which == any_(bindparam(None, list(values), type_=ARRAY(which.type)))
    return which.in_(padded(list(values)))


def by_identity(connection: Connection, kind: type[R], idents: Iterable[Any]) -> list[R]:
    """The rows of these identities that exist."""
    wanted = list(idents)
    if not wanted:
        return []
    if _is_shared(connection):
        found = connection.execute(_by_arrays(kind), _arrays(kind, wanted))
        return [build(kind, values) for values in found]
    width, rows = len(kind.identity), list[R]()
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        size = _power(len(some))
        statement, ways = _by_values(kind, connection.dialect, size)
        given = some if width == 1 else [part for ident in some for part in ident]
        nothing = [None] * (width * size - len(given))
        for one in connection.exec_driver_sql(statement, (*given, *nothing)):
            values = list(one)
            for place, way in ways:
                values[place] = way(values[place])
            rows.append(kind(*values))
    return rows


def _power(count: int) -> int:
    """The power of two from here on: few different statements, which are then prepared once."""
    return 1 << (count - 1).bit_length()


def _is_shared(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


@cache
def _by_values(kind: type[Row], dialect: Dialect, size: int) -> tuple[str, list[tuple[int, Any]]]:
    """A statement for so many identities, and what some columns' values go through.

    A join, in this order: SQLite reads the whole table for a list of pairs behind IN.
    """
    fields, identity = kind.__struct_fields__, kind.identity
    table = TABLES[kind]
    columns_of = ", ".join(f'"{table.name}"."{name}"' for name in fields)
    same = " AND ".join(f'"{table.name}"."{name}" = "wanted"."{name}"' for name in identity)
    names = ", ".join(f'"{name}"' for name in identity)
    rows = ", ".join([f"({', '.join('?' * len(identity))})"] * size)
    ways = [
        (place, way)
        for place, name in enumerate(fields)
        if (way := _way_out(table.c[name].type, dialect)) is not None
    ]
    return (
        f'WITH "wanted" ({names}) AS (VALUES {rows})'  # noqa: S608 - names of ours
        f' SELECT {columns_of} FROM "wanted" CROSS JOIN "{table.name}" ON {same}'
    ), ways


def _way_out(type_: Any, dialect: Dialect) -> Any:
    return type_.dialect_impl(dialect).result_processor(dialect, None)


@cache
def _by_arrays(kind: type[Row]) -> Executable:
    """The same with an array for each part of the identity: one statement for any number."""
    table, names = TABLES[kind], kind.identity
    wanted = func.unnest(*(bindparam(name, type_=ARRAY(table.c[name].type)) for name in names))
    parts = (column(name, table.c[name].type) for name in names)
    rows = wanted.table_valued(*parts).render_derived()
    same = [table.c[name] == rows.c[name] for name in names]
    return select(*columns(kind)).select_from(rows.join(table, and_(*same)))


def _arrays(kind: type[Row], idents: Sequence[Any]) -> dict[str, list[Any]]:
    names = kind.identity
    if len(names) == 1:
        return {names[0]: list(idents)}
    return {name: list(part) for name, part in zip(names, zip(*idents, strict=True), strict=True)}


_RANGE = ("first", "after", "until")


def entries_of(connection: Connection, ranges: Sequence[tuple[int, int, int]]) -> list[Entry]:
    """Of each (topic, after, until) the entries with positions in (after, until], in order."""
    if not ranges:
        return []
    shared = _is_shared(connection)
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


def write(connection: Connection, kind: type[Row], rows: Iterable[Row]) -> None:
    """Store the present versions of these rows in one statement."""
    shared = _is_shared(connection)
    statement, ways = (_upsert_arrays if shared else _upsert_each)(kind, connection.dialect)
    given = [msgspec.structs.astuple(row) for row in rows]
    if shared or ways:
        columns_of = list(zip(*given, strict=True))
        for place, way in ways:
            columns_of[place] = tuple(map(way, columns_of[place]))
        if shared:
            # An array a column: a batch costs a few values, not one for each field.
            connection.exec_driver_sql(statement, tuple(map(list, columns_of)))
            return
        given = list(zip(*columns_of, strict=True))
    connection.exec_driver_sql(statement, given)


def _ways(kind: type[Row], dialect: Dialect) -> list[tuple[int, Any]]:
    """What some fields' values go through on their way into the database, by place."""
    types = [TABLES[kind].c[name].type for name in kind.__struct_fields__]
    # Bytes and flags go in as they are: the drivers take them, and wrapping each costs as much
    # as the rest.
    return [
        (place, way)
        for place, type_ in enumerate(types)
        if not isinstance(type_, (LargeBinary, Boolean))
        and (way := type_.dialect_impl(dialect).bind_processor(dialect)) is not None
    ]


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
def _upsert_each(kind: type[Row], dialect: Dialect) -> tuple[str, list[tuple[int, Any]]]:
    marks = ", ".join("?" for _ in kind.__struct_fields__)
    return _upsert(kind, f"VALUES ({marks})"), _ways(kind, dialect)


@cache
def _upsert_arrays(kind: type[Row], dialect: Dialect) -> tuple[str, list[tuple[int, Any]]]:
    types = [TABLES[kind].c[name].type for name in kind.__struct_fields__]
    arrays = ", ".join(
        f"${place}::{type_.compile(dialect)}[]" for place, type_ in enumerate(types, 1)
    )
    rows = f"SELECT * FROM unnest({arrays})"  # noqa: S608 - types of ours
    return _upsert(kind, rows), _ways(kind, dialect)


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
