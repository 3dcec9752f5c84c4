"""What the decision and the reading of reports ask of the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, select, tuple_

from server.commands.facts import Newest, OpenReports, Texts, World
from server.domain.reports import Report
from server.domain.rows import Revision, Row
from server.store import tables
from server.store.rows import among, build, columns, fetch


def open_reports(connection: Connection, before: Report | None, limit: int) -> list[Report]:
    """Those that are open, the newest first, older than `before`."""
    report = tables.report.c
    query = select(*columns(Report)).where(report.closed_ms == 0)
    if before is not None:
        query = query.where(tuple_(report.at_ms, report.key) < (before.at_ms, before.key))
    newest = query.order_by(report.at_ms.desc(), report.key.desc()).limit(limit)
    found = connection.execute(newest)
    return [build(Report, values) for values in found]


def reports_of(connection: Connection, member: int, before: int | None, limit: int) -> list[Report]:
    """A member's own, open or closed, the newest first, with keys below `before`."""
    report = tables.report.c
    query = select(*columns(Report)).where(report.reporter == member)
    if before is not None:
        query = query.where(report.key < before)
    found = connection.execute(query.order_by(report.key.desc()).limit(limit))
    return [build(Report, values) for values in found]


def _of_reporters(connection: Connection, idents: list[Any], world: World) -> None:
    report = tables.report.c
    lists: dict[int, list[Report]] = {ident: [] for ident in idents}
    mine = among(connection, report.reporter, idents)
    for row in fetch(connection, Report, mine, report.closed_ms == 0):
        lists[row.reporter].append(row)
    for ident, rows in lists.items():
        world.learn(OpenReports, ident, OpenReports(ident, rows))


def _newest(connection: Connection, idents: list[Any], world: World) -> None:
    message = tables.message.c
    for conversation, until, count in idents:
        found = connection.scalars(
            select(message.key)
            .where(message.conversation == conversation, message.seq <= until)
            .order_by(message.seq.desc())
            .limit(count)
        )
        row = Newest(conversation, until, count, list(found))
        world.learn(Newest, row.ident, row)


def _texts(connection: Connection, idents: list[Any], world: World) -> None:
    change = tables.revision.c
    lists: dict[int, list[Revision]] = {message: [] for message, _ in idents}
    texts = among(connection, change.message, list(lists))
    for row in fetch(connection, Revision, texts, change.body.is_not(None)):
        lists[row.message].append(row)
    for message, rev in idents:
        changes = sorted(lists[message], key=lambda row: row.rev)
        world.learn(Texts, (message, rev), Texts(message, rev, changes))


INDEXES: dict[type[Row], Callable[[Connection, list[Any], World], None]] = {
    OpenReports: _of_reporters,
    Newest: _newest,
    Texts: _texts,
}
