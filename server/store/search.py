"""What a search asks of the store: messages in given spans that may match, and when they were sent.

The database sifts where it can be exact: a text of ASCII alone has the words or has not. Every
other one is let through, and compared by the one rule of `server.domain.search`, so that both
databases find the same.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.types import BigInteger, Boolean

from server.domain.rows import Message
from server.domain.search import Moment, Span
from server.store.lookups import by_identity
from server.store.tables import Words

# A NUL ends what SQLite calls a text's length, so that such a text counts as not ASCII.
_SQLITE = """SELECT m.key FROM json_each(:spans) AS s CROSS JOIN message AS m
 ON m.conversation = json_extract(s.value, '$[0]')
 AND m.seq > json_extract(s.value, '$[1]') AND m.seq <= json_extract(s.value, '$[2]')
WHERE (m.deleted_at = 0 AND ({ascii}
 OR length(m.body) + length(m.subject)
  <> length(CAST(m.body AS BLOB)) + length(CAST(m.subject AS BLOB))))
 OR (json_extract(s.value, '$[3]') AND m.rev > 0)"""
_POSTGRES = """SELECT m.key FROM unnest(:conversations, :afters, :untils, :overs)
 AS s(conversation, after, until, over)
 JOIN message AS m ON m.conversation = s.conversation AND m.seq > s.after AND m.seq <= s.until
WHERE (m.deleted_at = 0 AND ({ascii}
 OR length(m.body) + length(m.subject) <> octet_length(m.body) + octet_length(m.subject)))
 OR (s.over AND m.rev > 0)"""
_HAS = {
    "sqlite": "instr(lower(m.subject || char(10) || m.body), :word{n}) > 0",
    "postgresql": 'strpos(lower((m.subject || chr(10) || m.body) COLLATE "C"), :word{n}) > 0',
}
_SQLITE_AT = """SELECT m.conversation, m.seq, m.sent_at, m.key
FROM json_each(:points) AS p CROSS JOIN message AS m
 ON m.conversation = json_extract(p.value, '$[0]') AND m.seq =
 (SELECT max(n.seq) FROM message AS n WHERE n.conversation = json_extract(p.value, '$[0]')
  AND n.seq <= json_extract(p.value, '$[1]'))"""
_POSTGRES_AT = """SELECT m.conversation, m.seq, m.sent_at, m.key
FROM unnest(:conversations, :seqs) AS p(conversation, seq)
 CROSS JOIN LATERAL (SELECT n.conversation, n.seq, n.sent_at, n.key FROM message AS n
  WHERE n.conversation = p.conversation AND n.seq <= p.seq ORDER BY n.seq DESC LIMIT 1) AS m"""


def _arrays(**lists: Any) -> list[Any]:
    return [bindparam(name, type_=ARRAY(kind)) for name, kind in lists.items()]


def _statement(connection: Connection, wanted: Sequence[str]) -> TextClause:
    dialect = connection.dialect.name
    # What is not ASCII occurs in no text of ASCII.
    possible = all(word.isascii() for word in wanted)
    has = " AND ".join(_HAS[dialect].format(n=n) for n in range(len(wanted)))
    given = [bindparam(f"word{n}", type_=Words()) for n in range(len(wanted))] if possible else []
    ascii_ = f"({has})" if possible else "1 = 0"
    if dialect == "sqlite":
        return text(_SQLITE.format(ascii=ascii_)).bindparams(*given)
    arrays = _arrays(
        conversations=BigInteger(), afters=BigInteger(), untils=BigInteger(), overs=Boolean()
    )
    return text(_POSTGRES.format(ascii=ascii_)).bindparams(*arrays, *given)


def candidates(
    connection: Connection, spans: Sequence[Span], wanted: Sequence[str]
) -> list[Message]:
    """The messages in these spans that may have all of these words, in any order: all that do,
    and others. Of conversations that are over, each that has been changed, too."""
    if connection.dialect.name == "sqlite":
        lines = [[s.conversation, s.after, s.until, int(s.over)] for s in spans]
        given: dict[str, Any] = {"spans": json.dumps(lines)}
    else:
        given = {
            "conversations": [s.conversation for s in spans],
            "afters": [s.after for s in spans],
            "untils": [s.until for s in spans],
            "overs": [s.over for s in spans],
        }
    if all(word.isascii() for word in wanted):
        given |= {f"word{n}": word for n, word in enumerate(wanted)}
    found = connection.scalars(_statement(connection, wanted), given)
    return by_identity(connection, Message, list(found))


def moments(
    connection: Connection, points: Sequence[tuple[int, int]]
) -> dict[int, tuple[Moment, int]]:
    """For each (conversation, seq): the newest message up to there, and its key; none, where there
    is none."""
    if connection.dialect.name == "sqlite":
        found = connection.execute(text(_SQLITE_AT), {"points": json.dumps(points)})
    else:
        statement = text(_POSTGRES_AT).bindparams(
            *_arrays(conversations=BigInteger(), seqs=BigInteger())
        )
        given = {"conversations": [c for c, _ in points], "seqs": [s for _, s in points]}
        found = connection.execute(statement, given)
    return {
        conversation: (Moment(sent_at, conversation, seq), key)
        for conversation, seq, sent_at, key in found
    }
