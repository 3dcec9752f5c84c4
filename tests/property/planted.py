"""Bugs to plant in the product from outside, each as a context in which it has them.

Every one of them is a mistake that somebody could make. A checker that lets one pass proves
nothing about the product, so each is looked for with the rules and the seed that find nothing
without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace
from sqlalchemy import Connection

from server.commands import creations, log, members, signals, table, views
from server.commands.outcome import Call, Event, Outcome
from server.commands.work import Work
from server.domain import contact, conversations
from server.domain.rows import Message
from server.realtime import log_pages
from server.realtime.audience import Audience
from server.realtime.framing import Framed
from server.realtime.hub import Hub
from server.realtime.log_pages import Wanted
from server.realtime.replays import Missed, Replays
from server.realtime.session import Session
from server.realtime.topics import LiveTopic
from server.store.group_commit import Batch
from server.store.sqlite import SqliteStore

Plant = Callable[[], AbstractContextManager[object]]


@contextmanager
def acknowledge_before_commit() -> Iterator[None]:
    """Outcomes are given out while their transaction is open; the next batch commits it."""
    late: list[tuple[Connection, Any]] = []

    def settle() -> None:
        while late:
            connection, transaction = late.pop()
            transaction.commit()
            connection.close()

    @contextmanager
    def transaction(store: SqliteStore) -> Iterator[Connection]:
        settle()
        connection = store._file.writing.connect()
        begun = connection.begin()
        try:
            yield connection
        except BaseException:
            begun.rollback()
            connection.close()
            raise
        late.append((connection, begun))

    close = SqliteStore._close

    def close_after(store: SqliteStore) -> None:
        store._thread.join()
        settle()
        close(store)

    with (
        patch.object(SqliteStore, "_transaction", transaction),
        patch.object(SqliteStore, "_close", close_after),
    ):
        yield


def decide_outside_the_transaction() -> AbstractContextManager[object]:
    """A batch's commands are all decided on what they found when they came in."""
    decide = Batch.decide_all

    def decide_all(batch: Batch, calls: Sequence[Call]) -> Iterator[Outcome]:
        apply, later = batch._apply, list[Work]()
        batch._apply = later.append  # type: ignore[assignment, method-assign]
        outcomes = list(decide(batch, calls))
        for work in later:
            apply(work)
        yield from outcomes

    return patch.object(Batch, "decide_all", decide_all)


def attach_before_the_roster_is_passed() -> AbstractContextManager[object]:
    """A resuming session is in the audience at once, and reads what it missed meanwhile."""
    attach = Hub._attach

    def too_soon(hub: Hub, session: Session, topic: str, pos: int, head: int) -> None:
        attach(hub, session, topic, pos, head)
        if topic in session.topics:
            hub.topics[topic].sessions[session] = None

    return patch.object(Hub, "_attach", too_soon)


def no_dedupe() -> AbstractContextManager[object]:
    """A client_id that was used before makes something again."""
    return patch.object(creations, "made", lambda *_args: None)


def no_dedupe_of_events() -> AbstractContextManager[object]:
    """What the bus repeats is delivered again."""
    receive = Hub.receive

    def again(hub: Hub, event: Event, **more: bool) -> None:
        live = hub.topics.get(event.topic)
        if live is not None and event.pos <= live.pos:
            hub._deliver(live, event, late=True)
        receive(hub, event, **more)

    return patch.object(Hub, "receive", again)


def replay_of_deleted_text() -> AbstractContextManager[object]:
    """The log is replayed with the text that a message had when it was sent."""
    build = log._of_message

    def as_it_was(entry: Any, changes: list[Any], as_of: int, snapshot: Any, counts: Any) -> Any:
        row = snapshot.find(Message, entry.message)
        if row.deleted_at and entry.name == "message.created":
            texts = [r.body for r in snapshot.revisions([row.key], -1)[row.key] if r.body]
            if texts:
                return views.message(replace(row, deleted_at=0, body=texts[-1]), snapshot)
        return build(entry, changes, as_of, snapshot, counts)

    return patch.object(log, "_of_message", as_it_was)


def buffer_not_dropped_on_removal() -> AbstractContextManager[object]:
    """What waits for a topic that the session has lost is flushed all the same."""

    def drop_topic(session: Session, topic: str) -> None:
        session.topics.pop(topic, None)

    return patch.object(Session, "drop_topic", drop_topic)


def buffer_not_dropped_on_revocation() -> AbstractContextManager[object]:
    """What waits for a session that has ended is given to it before it is closed."""
    end = Hub.end

    def last_words(hub: Hub, session: Session, code: int, reason: str) -> None:
        if session.pending and not session.wire.full:
            session.wire.write([item.frame for item in session.pending])
        end(hub, session, code, reason)

    return patch.object(Hub, "end", last_words)


def fence_applied_after_the_answer() -> AbstractContextManager[object]:
    """Who gave the command hears of it first, the sessions that it ends a moment later."""
    apply = Hub.apply

    def late(hub: Hub, outcome: Outcome) -> None:
        apply(hub, replace(outcome, endings=[]))
        for ending in outcome.endings:
            asyncio.get_running_loop().call_later(0.003, hub._end, ending)

    return patch.object(Hub, "apply", late)


def signals_ignore_the_senders_switch() -> AbstractContextManager[object]:
    """Typing is shown of those who have switched it off."""
    audience = signals._audience

    def as_if_on(me: Any, where: Any, work: Any) -> int | None:
        return audience(replace(me, receipts=True), where, work)

    return patch.object(signals, "_audience", as_if_on)


def signals_ignore_the_receivers_switch() -> AbstractContextManager[object]:
    """Typing is shown to those who have switched it off."""

    def know(audience: Audience, receipts: bool, fence: int) -> None:
        audience.receipts = True

    return patch.object(Audience, "know", know)


def as_of_ignored() -> AbstractContextManager[object]:
    """Who has left reads messages as they are now."""
    return patch.object(conversations, "as_of", lambda message, _revisions, _pos: message)


@contextmanager
def resume_without_rights() -> Iterator[None]:
    """A client is given whatever conversation it names."""

    def past(me: Any, resume: dict[str, int], heads: dict[str, int], work: Any) -> dict[str, int]:
        return {name: 1 << 40 for name in resume if name not in heads}

    def view(_topic: str, _member: int, _snapshot: Any) -> conversations.View:
        return conversations.EVERYTHING

    with patch.object(members, "_past", past), patch.object(log_pages, "_view", view):
        yield


def resume_from_anywhere() -> AbstractContextManager[object]:
    """A newcomer goes on from before they joined, as if there had been nothing to read anew."""
    read = members._open

    def from_the_start(me: Any, resume: dict[str, int], work: Any, *more: Any) -> dict[str, int]:
        heads = read(me, resume, work, *more)
        work.opened = replace(work.opened, since=dict.fromkeys(heads, 0))
        return heads

    return patch.object(members, "_open", from_the_start)


def newcomers_see_all() -> AbstractContextManager[object]:
    """The whole history, though the policy says: from joining."""
    join = conversations.join

    def all_of_it(*more: Any, whole: bool) -> Any:
        return join(*more, whole=True)

    return patch.object(conversations, "join", all_of_it)


def blocks_are_forgotten() -> AbstractContextManager[object]:
    """A block ends the connection, and no more."""
    return patch.object(contact, "visible", lambda other, _pair: other is not None and other.alive)


def a_gap_stays_open() -> AbstractContextManager[object]:
    """A session that has caught up joins one event too late."""
    since = LiveTopic.since

    def skipping(live: LiveTopic, pos: int) -> list[Framed] | None:
        behind = since(live, pos)
        return behind and behind[1:]

    return patch.object(LiveTopic, "since", skipping)


def a_page_is_anybodys() -> AbstractContextManager[object]:
    """Who asks for the same positions in the same moment is given the same page."""
    choose = log_pages._Reading._range

    def first(reading: Any, wanted: Wanted) -> Any:
        asked = (wanted.topic, wanted.after)
        known = reading.__dict__.setdefault("known", {})
        return known.setdefault(asked, choose(reading, wanted))

    return patch.object(log_pages._Reading, "_range", first)


def another_hold_is_as_good() -> AbstractContextManager[object]:
    """Who lost a topic while catching up and has it again goes on with what was begun before."""
    resume = Replays._resume

    async def by_name(replays: Replays, session: Session, missed: Missed) -> None:
        held = session.topics.get(missed.live.name)
        if held is not None:
            await resume(replays, session, Missed(missed.live, held))

    return patch.object(Replays, "_resume", by_name)


def private_reading_is_shown() -> AbstractContextManager[object]:
    """Others see how far somebody read while their receipts were off."""
    command = table.MEMBER["receipt.read"]

    def read(me: Any, p: Any, work: Any) -> dict[str, Any]:
        return command.run(replace(me, receipts=True), p, work)

    return patch.dict(table.MEMBER, {"receipt.read": replace(command, run=read)})
