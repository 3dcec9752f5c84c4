"""What is one member's alone: marks, drafts; and reports.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from server.store.migrations.columns import flag, key, whole, words

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tables of their own: what others' messages touch stays as small as it was."""
    op.create_table(
        "own",
        key("conversation"),
        key("member"),
        *map(flag, ("muted", "starred", "unread", "reported")),
        whole("archived_seq"),
        whole("cleared_seq"),
        sa.PrimaryKeyConstraint("conversation", "member"),
        sqlite_with_rowid=False,
    )
    op.create_index("own_member", "own", ["member"], unique=False)
    op.create_table(
        "draft",
        key("conversation"),
        key("member"),
        words("body"),
        sa.PrimaryKeyConstraint("conversation", "member"),
        sqlite_with_rowid=False,
    )
    op.create_index("draft_member", "draft", ["member"], unique=False)
    op.create_table(
        "report",
        key("key"),
        *map(whole, ("reporter", "conversation", "message")),
        *map(words, ("reason", "text")),
        whole("at_ms"),
        words("exhibits"),
        whole("closed_ms"),
        sa.PrimaryKeyConstraint("key"),
        sqlite_with_rowid=True,
    )
    op.create_index("report_reporter", "report", ["reporter", "closed_ms"], unique=False)
    op.create_index("report_open", "report", ["closed_ms", "at_ms", "key"], unique=False)
