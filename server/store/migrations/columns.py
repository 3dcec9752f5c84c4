"""The columns that migrations make, by what they hold; none of them is ever null."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def key(name: str) -> sa.Column[Any]:
    """A part of a primary key that the server gives."""
    return sa.Column(name, KEY, autoincrement=False, nullable=False)


def whole(name: str, **more: Any) -> sa.Column[Any]:
    """An integer."""
    return sa.Column(name, sa.BigInteger(), nullable=False, **more)


def words(name: str, **more: Any) -> sa.Column[Any]:
    """A text."""
    return sa.Column(name, sa.Text(), nullable=False, **more)


def flag(name: str, **more: Any) -> sa.Column[Any]:
    """A yes or no."""
    return sa.Column(name, sa.Boolean(create_constraint=False), nullable=False, **more)
