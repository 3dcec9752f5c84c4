"""Participants who see a conversation from their joining on are found without reading all of them.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

from alembic import op

from server.store.migrations.columns import whole

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Until now every participant saw the whole history."""
    op.add_column("conversation", whole("newcomers", server_default="0"))
    op.add_column("participant", whole("since_pos", server_default="0"))
