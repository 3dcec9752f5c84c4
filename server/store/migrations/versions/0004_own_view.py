"""What is one member's alone: marks, drafts; and reports.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _key(name: str) -> sa.Column[int]:
    return sa.Column(name, KEY, autoincrement=False, nullable=False)


def _whole(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(create_constraint=False), nullable=False)


def _words(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def upgrade() -> None:
    """Tables of their own: what others' messages touch stays as small as it was."""
    op.create_table(
        "own",
        _key("conversation"),
        _key("member"),
        *map(_flag, ("muted", "starred", "unread", "reported")),
        _whole("archived_seq"),
        _whole("cleared_seq"),
        sa.PrimaryKeyConstraint("conversation", "member"),
        sqlite_with_rowid=False,
    )
    op.create_index("own_member", "own", ["member"], unique=False)
    op.create_table(
        "draft",
        _key("conversation"),
        _key("member"),
        _words("body"),
        sa.PrimaryKeyConstraint("conversation", "member"),
        sqlite_with_rowid=False,
    )
    op.create_index("draft_member", "draft", ["member"], unique=False)
    op.create_table(
        "report",
        _key("key"),
        *map(_whole, ("reporter", "conversation", "message")),
        *map(_words, ("reason", "text")),
        _whole("at_ms"),
        _words("exhibits"),
        _whole("closed_ms"),
        sa.PrimaryKeyConstraint("key"),
        sqlite_with_rowid=True,
    )
    op.create_index("report_reporter", "report", ["reporter", "closed_ms"], unique=False)
    op.create_index("report_open", "report", ["closed_ms", "at_ms", "key"], unique=False)
