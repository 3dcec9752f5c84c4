"""The rulebook: approaches between members, groups, quotas and credits.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from server.store.migrations.columns import flag, key, whole, words

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what the rulebook's ways need; a conversation knows its size, as its roster says."""
    for name in ("approach", "stage"):
        op.add_column("pair", words(name, server_default=""))
    for name in ("approacher", "approached_ms"):
        op.add_column("pair", whole(name, server_default="0"))
    for name in ("group", "size", "viewers"):
        op.add_column("conversation", whole(name, server_default="0"))
    op.execute(
        "UPDATE conversation SET size = (SELECT count(*) FROM participant"
        " WHERE participant.conversation = conversation.key AND participant.role <> '')"
        " WHERE topic <> 0"
    )
    op.create_table(
        "group", key("key"), words("id"), whole("topic"), words("name"), whole("owner"),
        whole("size"), whole("managers"), whole("announced_ms"), sa.PrimaryKeyConstraint("key"),
    )  # fmt: skip
    op.create_index("group_id", "group", ["id"], unique=True)
    op.create_table(
        "group_member", key("group"), key("member"), words("role"),
        sa.PrimaryKeyConstraint("group", "member"), sqlite_with_rowid=False,
    )  # fmt: skip
    op.create_index("group_member_member", "group_member", ["member"])
    op.create_table(
        "admission", key("conversation"), whole("group"), whole("after"),
        flag("done"),
        sa.PrimaryKeyConstraint("conversation"),
    )  # fmt: skip
    op.create_index("admission_done", "admission", ["done"])
    op.create_table(
        "tally", key("member"), words("what"), key("period"), whole("count"),
        sa.PrimaryKeyConstraint("member", "what", "period"), sqlite_with_rowid=False,
    )  # fmt: skip
    op.create_table(
        "wallet", key("member"), whole("since_ms"), whole("months"), whole("balance"),
        sa.PrimaryKeyConstraint("member"),
    )  # fmt: skip
    op.create_table(
        "credit", key("key"), whole("member"), whole("at_ms"), whole("change"), words("reason"),
        whole("expires_ms"), whole("left"), sa.PrimaryKeyConstraint("key"),
    )  # fmt: skip
    op.create_index("credit_member", "credit", ["member", "at_ms", "key"])
    # Code of before would neither keep the sizes nor refuse what a declined request closes.
    needs = sa.table("deployment", sa.column("name"), sa.column("value"))
    op.execute(needs.delete().where(needs.c.name == "needs"))
    op.execute(needs.insert().values(name="needs", value=revision))
