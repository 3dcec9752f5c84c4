"""The ids under which an operator gave a member credits go with the member.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """An index of the operator's alone: what members send is not in it."""
    own = sa.text("caller = 0")
    op.create_index(
        "creation_operator", "creation", ["ref", "client_id"], unique=False,
        sqlite_where=own, postgresql_where=own,
    )  # fmt: skip
