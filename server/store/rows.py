"""Rows to and from the tables, set-based: many of a kind in one statement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, TypeVar

import msgspec
from sqlalchemy import BindParameter, Connection, Table, bindparam, delete, func, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.elements import ColumnElement

from server.domain.rows import DeviceToken, Fence, Refusal, Row
from server.store.tables import TABLES

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
    """These values, the last one repeated up to a power of two: few different statements, which
    are then prepared once, whatever the number of values."""
    if not values:
        return []
    size = 1 << (len(values) - 1).bit_length()
    return [*values, *(values[-1] for _ in range(size - len(values)))]


@cache
def _by_identity(kind: type[Row]) -> Executable:
    table = TABLES[kind]
    names = kind.identity
    wanted: BindParameter[Any] = bindparam("wanted", expanding=True)
    if len(names) == 1:
        return select(*columns(kind)).where(table.c[names[0]].in_(wanted))
    return select(*columns(kind)).where(tuple_(*(table.c[n] for n in names)).in_(wanted))


def by_identity(connection: Connection, kind: type[R], idents: Iterable[Any]) -> list[R]:
    """The rows of these identities that exist."""
    rows: list[R] = []
    wanted = list(idents)
    for start in range(0, len(wanted), AT_ONCE):
        some = padded(wanted[start : start + AT_ONCE])
        found = connection.execute(_by_identity(kind), {"wanted": some})
        rows += [build(kind, values) for values in found]
    return rows


@cache
def _upsert(kind: type[Row], dialect: str) -> Executable:
    table: Table = TABLES[kind]
    insert = sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
    rest = [name for name in kind.__struct_fields__ if name not in kind.identity]
    if not rest:
        return insert.on_conflict_do_nothing()
    return insert.on_conflict_do_update(
        index_elements=list(kind.identity), set_={name: insert.excluded[name] for name in rest}
    )


def write(connection: Connection, kind: type[Row], rows: Iterable[Row]) -> None:
    """Store the present versions of these rows in one statement."""
    connection.execute(
        _upsert(kind, connection.dialect.name), [msgspec.structs.asdict(row) for row in rows]
    )


def purge(connection: Connection, now_ms: int) -> None:
    """Forget tokens that have expired, with which nobody can come back, and old fences: a node
    that has not read them is found out by the gap."""
    for kind in (DeviceToken, Refusal):
        table = TABLES[kind]
        connection.execute(delete(table).where(table.c.expires_ms < now_ms))
    fence = TABLES[Fence].c
    last = select(func.max(fence.seq)).scalar_subquery()
    connection.execute(
        delete(TABLES[Fence]).where(fence.at_ms < now_ms - FENCES_MS, fence.seq < last)
    )
