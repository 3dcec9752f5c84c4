"""Members' rights: erasures, holds, retention and the audit log.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from server.store.migrations.columns import flag, key, whole, words

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what erasing, holding and auditing need."""
    op.add_column("member", whole("erased_ms", server_default="0"))
    op.create_table(
        "erasure",
        key("member"),
        whole("topic"),
        whole("head"),
        whole("asked_ms"),
        flag("hidden"),
        sa.PrimaryKeyConstraint("member"),
    )
    op.create_table(
        "departed",
        words("digest"),
        whole("head"),
        whole("refused_until_us"),
        whole("expires_ms"),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "expiry", key("conversation"), whole("seq"), sa.PrimaryKeyConstraint("conversation")
    )
    op.create_table(
        "hold",
        key("key"),
        whole("member"),
        whole("conversation"),
        words("reason"),
        whole("at_ms"),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("hold_member", "hold", ["member"], unique=False)
    op.create_index("hold_conversation", "hold", ["conversation"], unique=False)
    op.create_table(
        "audit",
        key("key"),
        whole("at_ms"),
        words("by"),
        words("actor"),
        words("cmd"),
        words("about"),
        words("other"),
        words("outcome"),
        words("detail"),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("audit_at", "audit", ["at_ms", "key"], unique=False)
