"""The first schema.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from server.store.migrations.columns import flag, key, whole, words

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "conversation",
        key("key"),
        words("kind"),
        whole("topic"),
        whole("low"),
        whole("high"),
        whole("created_ms"),
        whole("founder"),
        words("title"),
        whole("seq"),
        whole("last_message"),
        whole("active_ms"),
        whole("rev"),
        sa.PrimaryKeyConstraint("key"),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "creation",
        key("caller"),
        words("client_id"),
        words("command"),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        whole("ref"),
        sa.PrimaryKeyConstraint("caller", "client_id"),
        sqlite_with_rowid=False,
    )
    op.create_table("deployment", words("name"), words("value"), sa.PrimaryKeyConstraint("name"))
    op.create_table(
        "device_token",
        key("member"),
        words("device"),
        words("jti"),
        whole("expires_ms"),
        sa.PrimaryKeyConstraint("member", "device", "jti"),
        sqlite_with_rowid=False,
    )
    op.create_index("device_token_expires", "device_token", ["expires_ms"], unique=False)
    op.create_table(
        "entry",
        key("topic"),
        key("pos"),
        words("name"),
        whole("at_ms"),
        whole("conversation"),
        whole("message"),
        whole("member"),
        words("data"),
        sa.PrimaryKeyConstraint("topic", "pos"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "fence",
        key("seq"),
        words("kind"),
        whole("at_ms"),
        whole("member"),
        whole("other"),
        whole("conversation"),
        whole("pos"),
        words("device"),
        flag("on"),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "invitation",
        key("key"),
        whole("sender"),
        whole("recipient"),
        words("note"),
        whole("sent_at"),
        words("state"),
        sa.PrimaryKeyConstraint("key"),
        sqlite_with_rowid=True,
    )
    op.create_index("invitation_recipient", "invitation", ["recipient", "state"], unique=False)
    op.create_index("invitation_sender", "invitation", ["sender", "state"], unique=False)
    op.create_table(
        "member",
        key("key"),
        words("id"),
        whole("topic"),
        words("name"),
        words("headline"),
        words("avatar"),
        words("plan"),
        words("facets"),
        flag("receipts"),
        flag("active_status"),
        flag("inmail"),
        flag("sponsored"),
        flag("open_profile"),
        flag("alive"),
        whole("refused_until_us"),
        flag("devices_revoked"),
        sa.PrimaryKeyConstraint("key"),
        sqlite_with_rowid=True,
    )
    op.create_index("member_id", "member", ["id"], unique=True)
    op.create_table(
        "message",
        key("key"),
        whole("conversation"),
        whole("seq"),
        whole("sender"),
        words("kind"),
        words("body"),
        words("client_id"),
        whole("sent_at"),
        whole("rev"),
        whole("edited_at"),
        whole("deleted_at"),
        words("subject"),
        whole("reply_to"),
        words("mentions"),
        sa.PrimaryKeyConstraint("key"),
        sqlite_with_rowid=True,
    )
    op.create_index("message_seq", "message", ["conversation", "seq"], unique=True)
    op.create_table(
        "pair",
        key("low"),
        key("high"),
        whole("connected_ms"),
        whole("conversation"),
        flag("low_blocks"),
        flag("high_blocks"),
        whole("low_unblocked_ms"),
        whole("high_unblocked_ms"),
        whole("low_invitation"),
        whole("high_invitation"),
        whole("low_withdrew_ms"),
        whole("high_withdrew_ms"),
        flag("low_refuses"),
        flag("high_refuses"),
        sa.PrimaryKeyConstraint("low", "high"),
        sqlite_with_rowid=False,
    )
    op.create_index("pair_high", "pair", ["high"], unique=False)
    op.create_table(
        "participant",
        key("conversation"),
        key("member"),
        words("role"),
        words("spans"),
        whole("read"),
        whole("shown"),
        whole("shown_ms"),
        whole("ended_ms"),
        whole("after_seq"),
        whole("until_seq"),
        sa.PrimaryKeyConstraint("conversation", "member"),
        sqlite_with_rowid=False,
    )
    op.create_index("participant_member", "participant", ["member"], unique=False)
    op.create_table(
        "reaction",
        key("message"),
        key("member"),
        words("emoji"),
        key("added_rev"),
        whole("removed_rev"),
        sa.PrimaryKeyConstraint("message", "member", "emoji", "added_rev"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "refusal",
        key("member"),
        words("jti"),
        whole("expires_ms"),
        sa.PrimaryKeyConstraint("member", "jti"),
        sqlite_with_rowid=False,
    )
    op.create_index("refusal_expires", "refusal", ["expires_ms"], unique=False)
    op.create_table(
        "revision",
        key("message"),
        key("rev"),
        whole("pos"),
        sa.Column("body", sa.Text(), nullable=True),
        whole("edited_at"),
        sa.PrimaryKeyConstraint("message", "rev"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "topic",
        key("key"),
        words("name"),
        whole("head"),
        whole("floor"),
        whole("changed_ms"),
        sa.PrimaryKeyConstraint("key"),
        sqlite_with_rowid=True,
    )
    op.create_index("topic_changed", "topic", ["changed_ms"], unique=False)
    op.create_index("topic_name", "topic", ["name"], unique=True)
