"""What was decided is remembered: what becomes of an erased member's messages, what was paid.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from server.store.migrations.columns import flag, whole

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Erasures asked for before keep the messages; an InMail from before has cost one credit."""
    op.add_column("erasure", flag("whole", server_default=sa.false()))
    op.add_column("member", flag("erased_whole", server_default=sa.false()))
    op.add_column("pair", whole("paid", server_default="0"))
    pair = sa.table("pair", sa.column("paid"), sa.column("approach"))
    op.execute(pair.update().where(pair.c.approach == "inmail").values(paid=1))
    op.create_index("report_of", "report", ["conversation", "closed_ms"], unique=False)
