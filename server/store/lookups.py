"""Rows by what names them: any number, of several kinds at once.

PostgreSQL answers all of it in one statement, an array of rows for each kind, since there the way
to the database is what costs. SQLite is asked kind by kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Dialect

from server.domain.rows import Row
from server.store.tables import TABLES
from server.store.values import Ways, arrays, way_in, ways_out

R = TypeVar("R", bound=Row)
AT_ONCE = 500  # identities of one statement on SQLite


class Lookup(NamedTuple):
    """Rows of one kind whose columns `names` together are one of `idents`: bare values for one
    column, tuples for several. The names are the primary key's, or those of a unique index."""

    kind: type[Row]
    names: tuple[str, ...]
    idents: Sequence[Any]


def look_up(connection: Connection, lookups: Sequence[Lookup]) -> list[list[Any]]:
    """Of each of these the rows that exist, in no order; as of one moment on PostgreSQL."""
    if is_shared(connection):
        return _all_at_once(connection, lookups) if lookups else []
    return [_one_kind(connection, lookup) for lookup in lookups]


def by_identity(connection: Connection, kind: type[R], idents: Iterable[Any]) -> list[R]:
    """The rows of these identities that exist."""
    wanted = list(idents)
    return look_up(connection, [Lookup(kind, kind.identity, wanted)])[0] if wanted else []


def is_shared(connection: Connection) -> bool:
    """Whether this is the database that several processes share."""
    return connection.dialect.name == "postgresql"


def power(count: int) -> int:
    """The power of two from here on: few different statements, which are then prepared once."""
    return 1 << (count - 1).bit_length()


def _one_kind(connection: Connection, lookup: Lookup) -> list[Row]:
    kind, names, wanted = lookup
    ways = ways_out(kind, connection.dialect)
    rows: list[Row] = []
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        size = power(len(some))
        given = some if len(names) == 1 else [part for ident in some for part in ident]
        nothing = [None] * (len(names) * size - len(given))
        found = connection.exec_driver_sql(_by_values(kind, names, size), (*given, *nothing))
        rows += (_built(kind, values, ways) for values in found)
    return rows


def _all_at_once(connection: Connection, lookups: Sequence[Lookup]) -> list[list[Row]]:
    dialect = connection.dialect
    statement = _by_arrays(tuple((kind, names) for kind, names, _ in lookups), dialect)
    given: list[list[Any]] = []
    for kind, names, idents in lookups:
        parts = [idents] if len(names) == 1 else zip(*idents, strict=True)
        for name, part in zip(names, parts, strict=True):
            way = way_in(TABLES[kind].c[name].type, dialect)
            given.append(list(map(way, part)) if way is not None else list(part))
    answer = connection.exec_driver_sql(statement, tuple(given)).one()
    return [
        [_built(kind, values, ways_out(kind, dialect)) for values in found]
        for (kind, _, _), found in zip(lookups, answer, strict=True)
    ]


def _built(kind: type[R], found: Sequence[Any], ways: Ways) -> R:
    if not ways:
        return kind(*found)
    values = list(found)
    for place, way in ways:
        values[place] = way(values[place])
    return kind(*values)


def _fields(kind: type[Row]) -> str:
    return ", ".join(f'"{TABLES[kind].name}"."{name}"' for name in kind.__struct_fields__)


def _same(kind: type[Row], names: Sequence[str]) -> str:
    return " AND ".join(f'"{TABLES[kind].name}"."{name}" = "wanted"."{name}"' for name in names)


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


@cache
def _by_values(kind: type[Row], names: tuple[str, ...], size: int) -> str:
    """A statement for so many identities. A join, in this order: SQLite reads the whole table for
    a list of pairs behind IN."""
    values = ", ".join([f"({', '.join('?' * len(names))})"] * size)
    return (
        f'WITH "wanted" ({_quoted(names)}) AS (VALUES {values})'  # noqa: S608 - names of ours
        f' SELECT {_fields(kind)} FROM "wanted"'
        f' CROSS JOIN "{TABLES[kind].name}" ON {_same(kind, names)}'
    )


@cache
def _by_arrays(sought: tuple[tuple[type[Row], tuple[str, ...]], ...], dialect: Dialect) -> str:
    """One statement for any number of identities of each kind, with an array for each of the
    columns that name them."""
    place, parts = 1, list[str]()
    for kind, names in sought:
        wanted = arrays(kind, names, dialect, place)
        place += len(names)
        parts.append(
            f"ARRAY(SELECT ROW({_fields(kind)})"  # noqa: S608 - names of ours
            f' FROM unnest({wanted}) AS "wanted" ({_quoted(names)})'
            f' JOIN "{TABLES[kind].name}" ON {_same(kind, names)})'
        )
    return f"SELECT {', '.join(parts)}"
