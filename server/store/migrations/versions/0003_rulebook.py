"""The rulebook: approaches between members, groups, quotas and credits.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _key(name: str) -> sa.Column[int]:
    return sa.Column(name, KEY, autoincrement=False, nullable=False)


def _int(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def upgrade() -> None:
    """Add what the rulebook's ways need; a conversation knows its size, as its roster says."""
    for name in ("approach", "stage"):
        op.add_column("pair", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    for name in ("approacher", "approached_ms"):
        op.add_column("pair", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    for name in ("group", "size", "viewers"):
        op.add_column(
            "conversation", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")
        )
    op.execute(
        "UPDATE conversation SET size = (SELECT count(*) FROM participant"
        " WHERE participant.conversation = conversation.key AND participant.role <> '')"
        " WHERE topic <> 0"
    )
    op.create_table(
        "group", _key("key"), _text("id"), _int("topic"), _text("name"), _int("owner"),
        _int("size"), _int("managers"), _int("announced_ms"), sa.PrimaryKeyConstraint("key"),
    )  # fmt: skip
    op.create_index("group_id", "group", ["id"], unique=True)
    op.create_table(
        "group_member", _key("group"), _key("member"), _text("role"),
        sa.PrimaryKeyConstraint("group", "member"), sqlite_with_rowid=False,
    )  # fmt: skip
    op.create_index("group_member_member", "group_member", ["member"])
    op.create_table(
        "admission", _key("conversation"), _int("group"), _int("after"),
        sa.Column("done", sa.Boolean(create_constraint=False), nullable=False),
        sa.PrimaryKeyConstraint("conversation"),
    )  # fmt: skip
    op.create_index("admission_done", "admission", ["done"])
    op.create_table(
        "tally", _key("member"), _text("what"), _key("period"), _int("count"),
        sa.PrimaryKeyConstraint("member", "what", "period"), sqlite_with_rowid=False,
    )  # fmt: skip
    op.create_table(
        "wallet", _key("member"), _int("since_ms"), _int("months"), _int("balance"),
        sa.PrimaryKeyConstraint("member"),
    )  # fmt: skip
    op.create_table(
        "credit", _key("key"), _int("member"), _int("at_ms"), _int("change"), _text("reason"),
        _int("expires_ms"), _int("left"), sa.PrimaryKeyConstraint("key"),
    )  # fmt: skip
    op.create_index("credit_member", "credit", ["member", "at_ms", "key"])
    # Code of before would neither keep the sizes nor refuse what a declined request closes.
    needs = sa.table("deployment", sa.column("name"), sa.column("value"))
    op.execute(needs.delete().where(needs.c.name == "needs"))
    op.execute(needs.insert().values(name="needs", value=revision))
