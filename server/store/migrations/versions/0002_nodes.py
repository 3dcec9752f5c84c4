"""Several nodes: their leases, their sessions, and blocks of keys for each.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEYED = ("member", "topic", "invitation", "conversation", "message")
BLOCK = 10_000


def upgrade() -> None:
    """Add what nodes need. Heads are compared by name since: the times need no index, which every
    event would have to keep."""
    op.drop_index("topic_changed", "topic")
    op.create_table(
        "lease",
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.Column("passed", sa.BigInteger(), nullable=False),
        sa.Column("sessions", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node"),
    )
    op.create_table(
        "live_session",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("member", sa.BigInteger(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("opened_ms", sa.BigInteger(), nullable=False),
        sa.Column("silent_ms", sa.BigInteger(), nullable=False),
        sa.Column("unwanted", sa.Boolean(create_constraint=False), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("live_session_member", "live_session", ["member"], unique=False)
    op.create_index("live_session_node", "live_session", ["node"], unique=False)
    op.create_table(
        "last_seen",
        sa.Column("member", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("member"),
    )
    op.add_column("fence", sa.Column("who", sa.Text(), nullable=False, server_default=""))
    if op.get_bind().dialect.name == "postgresql":
        # Behind every key that is in use: a database may have been brought here from elsewhere.
        used = " UNION ALL ".join(f"SELECT max(key) AS key FROM {name}" for name in KEYED)  # noqa: S608
        last = op.get_bind().scalar(sa.text(f"SELECT max(key) FROM ({used}) AS used")) or 0  # noqa: S608
        op.execute(f"CREATE SEQUENCE key_block START {last // BLOCK + 1}")
