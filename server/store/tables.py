"""The schema: one table a kind of row, keyed by integers.

Columns carry the names of the row's fields; what is a list or a map is stored as JSON text. A new
version of the schema is a migration beside this module, forward only.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    text,
)

from server.domain import own_view, reports, rights, rows
from server.domain.rows import Row, Span

metadata = MetaData()
Key = BigInteger().with_variant(Integer(), "sqlite")


class Packed(TypeDecorator[Any]):
    """A structured value as JSON text, read back as the type it was."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.kind = kind
        self._decoder = msgspec.json.Decoder(kind)

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        return msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return self._decoder.decode(value or "null")


class Words(TypeDecorator[str]):
    """A text of any characters. PostgreSQL stores no NUL: it is spelt with another that nobody
    types, and that one with itself twice."""

    impl = Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Any:
        """Spell what is stored."""
        return _spelt if dialect.name == "postgresql" else None

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """Read it as it was."""
        return _read if dialect.name == "postgresql" else None


_MARK = "\x1a"


def _spelt(value: str | None) -> str | None:
    if value is None or ("\x00" not in value and _MARK not in value):
        return value
    return value.replace(_MARK, _MARK + _MARK).replace("\x00", _MARK + "0")


def _read(value: str | None) -> str | None:
    if value is None or _MARK not in value:
        return value
    return re.sub(f"{_MARK}(.)", lambda found: _MARK if found[1] == _MARK else "\x00", value)


def _key(name: str) -> Column[Any]:
    return Column(name, Key, primary_key=True, autoincrement=False)


def _int(name: str) -> Column[Any]:
    return Column(name, BigInteger, nullable=False)


def _text(name: str) -> Column[Any]:
    return Column(name, Words, nullable=False)


def _flag(name: str) -> Column[Any]:
    return Column(name, Boolean(create_constraint=False), nullable=False)


def _table(name: str, *columns: Column[Any] | Index) -> Table:
    # Without a rowid, a composite key is the table itself and not an index beside it.
    composite = sum(1 for c in columns if isinstance(c, Column) and c.primary_key) > 1
    return Table(name, metadata, *columns, sqlite_with_rowid=not composite)


deployment = Table("deployment", metadata, Column("name", Text, primary_key=True), _text("value"))
member = _table(
    "member", _key("key"), _text("id"), _int("topic"), _text("name"), _text("headline"),
    _text("avatar"), _text("plan"), Column("facets", Packed(dict[str, list[str]]), nullable=False),
    _flag("receipts"), _flag("active_status"), _flag("inmail"), _flag("sponsored"),
    _flag("open_profile"), _flag("alive"), _int("refused_until_us"), _flag("devices_revoked"),
    _int("erased_ms"),
    _flag("erased_whole"),
    Index("member_id", "id", unique=True),
)  # fmt: skip
topic = _table(
    "topic", _key("key"), _text("name"), _int("head"), _int("floor"), _int("changed_ms"),
    Index("topic_name", "name", unique=True),
)  # fmt: skip
entry = _table(
    "entry", _key("topic"), _key("pos"), _text("name"), _int("at_ms"), _int("conversation"),
    _int("message"), _int("member"), Column("data", Packed(dict[str, Any]), nullable=False),
)  # fmt: skip
pair = _table(
    "pair", _key("low"), _key("high"), _int("connected_ms"), _int("conversation"),
    _flag("low_blocks"), _flag("high_blocks"), _int("low_unblocked_ms"), _int("high_unblocked_ms"),
    _int("low_invitation"), _int("high_invitation"), _int("low_withdrew_ms"),
    _int("high_withdrew_ms"), _flag("low_refuses"), _flag("high_refuses"),
    _text("approach"), _int("approacher"), _int("approached_ms"), _int("paid"), _text("stage"),
    Index("pair_high", "high"),
)  # fmt: skip
invitation = _table(
    "invitation", _key("key"), _int("sender"), _int("recipient"), _text("note"), _int("sent_at"),
    _text("state"), Index("invitation_sender", "sender", "state"),
    Index("invitation_recipient", "recipient", "state"),
)  # fmt: skip
conversation = _table(
    "conversation", _key("key"), _text("kind"), _int("topic"), _int("low"), _int("high"),
    _int("created_ms"), _int("founder"), _text("title"), _int("seq"), _int("last_message"),
    _int("active_ms"), _int("rev"), _int("group"), _int("size"), _int("viewers"),
    _int("newcomers"),
)  # fmt: skip
participant = _table(
    "participant", _key("conversation"), _key("member"), _text("role"),
    Column("spans", Packed(list[Span]), nullable=False), _int("read"), _int("shown"),
    _int("shown_ms"), _int("ended_ms"), _int("after_seq"), _int("until_seq"),
    _int("since_pos"), Index("participant_member", "member"),
)  # fmt: skip
message = _table(
    "message", _key("key"), _int("conversation"), _int("seq"), _int("sender"), _text("kind"),
    _text("body"), _text("client_id"), _int("sent_at"), _int("rev"), _int("edited_at"),
    _int("deleted_at"), _text("subject"), _int("reply_to"),
    Column("mentions", Packed(list[int]), nullable=False),
    Index("message_seq", "conversation", "seq", unique=True),
)  # fmt: skip
revision = _table(
    "revision", _key("message"), _key("rev"), _int("pos"), Column("body", Words), _int("edited_at")
)
reaction = _table(
    "reaction", _key("message"), _key("member"), Column("emoji", Text, primary_key=True),
    _key("added_rev"), _int("removed_rev"),
)  # fmt: skip
creation = _table(
    "creation", _key("caller"), Column("client_id", Words, primary_key=True), _text("command"),
    Column("digest", LargeBinary, nullable=False), _int("ref"),
    # Of what the operator has made, a member's; a send has no part in it.
    Index("creation_operator", "ref", "client_id", sqlite_where=text("caller = 0"),
          postgresql_where=text("caller = 0")),
)  # fmt: skip
device_token = _table(
    "device_token", _key("member"), Column("device", Words, primary_key=True),
    Column("jti", Words, primary_key=True), _int("expires_ms"),
    Index("device_token_expires", "expires_ms"),
)  # fmt: skip
refusal = _table(
    "refusal", _key("member"), Column("jti", Words, primary_key=True), _int("expires_ms"),
    Index("refusal_expires", "expires_ms"),
)  # fmt: skip
fence = _table(
    "fence", _key("seq"), _text("kind"), _int("at_ms"), _int("member"), _int("other"),
    _int("conversation"), _int("pos"), _text("device"), _flag("on"), _text("who"),
)  # fmt: skip
group = _table(
    "group", _key("key"), _text("id"), _int("topic"), _text("name"), _int("owner"), _int("size"),
    _int("managers"), _int("announced_ms"), Index("group_id", "id", unique=True),
)  # fmt: skip
group_member = _table(
    "group_member", _key("group"), _key("member"), _text("role"),
    Index("group_member_member", "member"),
)  # fmt: skip
admission = _table(
    "admission", _key("conversation"), _int("group"), _int("after"), _flag("done"),
    Index("admission_done", "done"),
)  # fmt: skip
tally = _table(
    "tally", _key("member"), Column("what", Text, primary_key=True), _key("period"), _int("count")
)
wallet = _table("wallet", _key("member"), _int("since_ms"), _int("months"), _int("balance"))
credit = _table(
    "credit", _key("key"), _int("member"), _int("at_ms"), _int("change"), _text("reason"),
    _int("expires_ms"), _int("left"), Index("credit_member", "member", "at_ms", "key"),
)  # fmt: skip

live_session = _table(
    "live_session", Column("id", Text, primary_key=True), _int("member"), _text("node"),
    _int("opened_ms"), _int("silent_ms"), _flag("unwanted"),
    Index("live_session_member", "member"), Index("live_session_node", "node"),
)  # fmt: skip
own = _table(
    "own", _key("conversation"), _key("member"), _flag("muted"), _flag("starred"),
    _flag("unread"), _flag("reported"), _int("archived_seq"), _int("cleared_seq"),
    Index("own_member", "member"),
)  # fmt: skip
draft = _table(
    "draft", _key("conversation"), _key("member"), _text("body"), Index("draft_member", "member")
)
report = _table(
    "report", _key("key"), _int("reporter"), _int("conversation"), _int("message"),
    _text("reason"), _text("text"), _int("at_ms"),
    Column("exhibits", Packed(list[reports.Exhibit]), nullable=False), _int("closed_ms"),
    Index("report_reporter", "reporter", "closed_ms"),
    Index("report_of", "conversation", "closed_ms"),
    Index("report_open", "closed_ms", "at_ms", "key"),
)  # fmt: skip
last_seen = _table("last_seen", _key("member"), _int("at_ms"))
# Members' rights.
erasure = _table(
    "erasure",
    _key("member"),
    _int("topic"),
    _int("head"),
    _int("asked_ms"),
    _flag("hidden"),
    _flag("whole"),
)
departed = _table(
    "departed", Column("digest", Text, primary_key=True), _int("head"), _int("refused_until_us"),
    _int("expires_ms"),
)  # fmt: skip
expiry = _table("expiry", _key("conversation"), _int("seq"))
hold = _table(
    "hold", _key("key"), _int("member"), _int("conversation"), _text("reason"), _int("at_ms"),
    Index("hold_member", "member"), Index("hold_conversation", "conversation"),
)  # fmt: skip
audit = _table(
    "audit", _key("key"), _int("at_ms"), _text("by"), _text("actor"), _text("cmd"), _text("about"),
    _text("other"), _text("outcome"), Column("detail", Packed(dict[str, Any]), nullable=False),
    Index("audit_at", "at_ms", "key"),
)  # fmt: skip
# Nodes' own, not rows that commands decide on.
lease = Table(
    "lease", metadata, Column("node", Text, primary_key=True), _int("beat"), _int("passed"),
    _int("sessions"),
)  # fmt: skip

TABLES: dict[type[Row], Table] = {
    rows.Member: member,
    rows.Topic: topic,
    rows.Entry: entry,
    rows.Pair: pair,
    rows.Invitation: invitation,
    rows.Conversation: conversation,
    rows.Participant: participant,
    rows.Message: message,
    rows.Revision: revision,
    rows.Reaction: reaction,
    rows.Creation: creation,
    rows.DeviceToken: device_token,
    rows.Refusal: refusal,
    rows.Fence: fence,
    rows.LiveSession: live_session,
    rows.Group: group,
    rows.GroupMember: group_member,
    rows.Admission: admission,
    rows.Tally: tally,
    rows.Wallet: wallet,
    rows.Credit: credit,
    own_view.Own: own,
    own_view.Draft: draft,
    reports.Report: report,
    rights.Erasure: erasure,
    rights.Departed: departed,
    rights.Expiry: expiry,
    rights.Hold: hold,
    rights.Audit: audit,
    rights.LastSeen: last_seen,
}
KEYED = (member, topic, invitation, conversation, message, group, credit, report, hold, audit)
