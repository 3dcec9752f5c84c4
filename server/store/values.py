"""What rows' values go through on their way into the database, and out of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Boolean, Dialect, LargeBinary
from sqlalchemy.types import TypeEngine

from server.domain.rows import Row
from server.store.tables import TABLES

Way = Callable[[Any], Any] | None
Ways = list[tuple[int, Callable[[Any], Any]]]


def way_in(type_: TypeEngine[Any], dialect: Dialect) -> Way:
    """What a value of this type goes through to be stored; None where it goes in as it is."""
    # As bytes and flags do: the drivers take them, and wrapping each costs as much as the rest.
    if isinstance(type_, (LargeBinary, Boolean)):
        return None
    return type_.dialect_impl(dialect).bind_processor(dialect)


@cache
def ways_in(kind: type[Row], dialect: Dialect) -> Ways:
    """What some fields' values go through to be stored, by place."""
    types = _types(kind)
    return [(n, way) for n, type_ in enumerate(types) if (way := way_in(type_, dialect))]


@cache
def ways_out(kind: type[Row], dialect: Dialect) -> Ways:
    """What some fields' values go through when they are read, by place."""
    found = (type_.dialect_impl(dialect).result_processor(dialect, None) for type_ in _types(kind))
    return [(n, way) for n, way in enumerate(found) if way is not None]


def arrays(kind: type[Row], names: Sequence[str], dialect: Dialect, first: int) -> str:
    """An array for each of these columns, as PostgreSQL's parameters from the `first` one on."""
    types = (TABLES[kind].c[name].type.compile(dialect) for name in names)
    return ", ".join(f"${place}::{type_}[]" for place, type_ in enumerate(types, first))


def _types(kind: type[Row]) -> Sequence[TypeEngine[Any]]:
    return [TABLES[kind].c[name].type for name in kind.__struct_fields__]
