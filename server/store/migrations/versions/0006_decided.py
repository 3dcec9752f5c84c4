"""What becomes of an erased member's messages is decided once, when it is asked for.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from server.store.migrations.columns import flag

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Erasures asked for before keep the messages."""
    op.add_column("erasure", flag("whole", server_default=sa.false()))
    op.add_column("member", flag("erased_whole", server_default=sa.false()))
    op.create_index("report_of", "report", ["conversation", "closed_ms"], unique=False)
