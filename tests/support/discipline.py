"""Whether the locks that commands take are the right ones: checked as they decide.

The rule that makes them right: every fact that a decision reads changes only under the lock of a
topic that the command claims, by wanting or finding the topic's row. So each fact has guards, which
are topics: who writes it claims all of them, who reads it at least one. A `Discipline` follows the
decisions of the stores that it is given and remembers each fact for which that is not so.

Two kinds of reading are free: heads that are only glanced at, and members whose id or name is shown
in what is published. A refusal is free too: it changes nothing, and is true of the moment at which
its facts were read. `EXCEPT` are the others, each with its reason.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from server.commands import facts, purse
from server.commands.outcome import Call
from server.commands.work import Work
from server.domain import own_view, reports, rights, rows
from server.domain.rows import Conversation, Member, Row, Topic
from server.errors import CommandError
from server.store.claims import Rehearsal

Fact = tuple[type[Row], Any]
Rows = dict[Fact, Row]
SHOWN_BY = "server.commands.views"
EXCEPT = {
    # A conversation's topic and kind, which never change, to find what to attach to.
    "connect": {"Conversation"},
    "resume": {"Conversation"},
    # What a client_id made, told again by what never changes; and who of those mentioned is there.
    "message.send": {"Message", "Handle", "Member"},
    # Who bears an id at the moment that is noted, or from which a hold holds; conversations stay.
    "audit.read": {"Handle", "Member"},
    "hold.put": {"Handle", "Conversation"},
    # Deleted again: a tombstone stays as it is.
    "message.delete": {"Message", "Conversation", "Member"},
}


@dataclass
class Decision:
    """What one decision has done so far."""

    reads: dict[Fact, None] = field(default_factory=dict)
    claims: set[int] = field(default_factory=set)
    glances: int = 0


@dataclass(frozen=True)
class Violation:
    """A command that read or wrote a fact without its guards."""

    cmd: str
    did: str
    kind: str


class Discipline:
    """What the stores' decisions keep to. `decisions` counts them by command."""

    def __init__(self) -> None:
        self.violations: dict[Violation, str] = {}
        self.decisions: Counter[str] = Counter()
        self._known: Rows = {}  # every row ever put: guards are found by them
        self._now: Decision | None = None

    def follow(self, commits: Any) -> None:
        """Follow the decisions of one group commit, `GroupCommit` or `SharedCommit`."""
        name = "decide" if hasattr(commits, "decide") else "_decide"
        setattr(commits, name, self._following(getattr(commits, name)))

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While this lasts, what a decision asks for is seen."""
        want, find, glance, seen = Work.want, Work.find, Work.glance, Work.seen

        def watch_want(work: Work, *wants: Fact) -> None:
            self._claimed(*wants)
            want(work, *wants)

        def watch_find(work: Work, kind: type[Row], ident: Any) -> Row | None:
            self._claimed((kind, ident))
            row = find(work, kind, ident)
            self._read(kind, ident)
            return row

        with (
            patch.object(Work, "want", watch_want),
            patch.object(Work, "find", watch_find),
            patch.object(Work, "glance", self._glancing(glance)),
            patch.object(Work, "seen", self._glancing(seen)),
        ):
            yield

    def _claimed(self, *wants: Fact) -> None:
        if self._now is not None and not self._now.glances:
            self._now.claims |= {ident for kind, ident in wants if kind is Topic}

    def _read(self, kind: type[Row], ident: Any) -> None:
        if self._now is None or self._now.glances:
            return
        if kind is not Member or not _shown():
            self._now.reads[kind, ident] = None

    def _glancing(self, look: Callable[..., Any]) -> Callable[..., Any]:
        def glance(work: Work, *args: Any) -> Any:
            if self._now is None:
                return look(work, *args)
            self._now.glances += 1
            try:
                return look(work, *args)
            finally:
                self._now.glances -= 1

        return glance

    def _following(self, decide: Callable[[Call, Work], Any]) -> Callable[[Call, Work], Any]:
        def follow(call: Call, work: Work) -> Any:
            if isinstance(work, Rehearsal):
                return decide(call, work)
            self._now = decision = Decision()
            came_to = ""
            try:
                return decide(call, work)
            except CommandError as error:
                came_to = error.code
                raise
            except Exception:  # it is decided again, with more facts or under more locks
                decision.reads.clear()
                came_to = "again"
                raise
            finally:
                self._now = None
                if came_to != "again":
                    self._judge(call, work, decision, came_to)

        return follow

    def _judge(self, call: Call, work: Work, decision: Decision, came_to: str) -> None:
        self.decisions[call.cmd] += 1
        put = {} if came_to else work.put_rows
        made = {
            row.key
            for (kind, ident), row in put.items()
            if isinstance(row, Topic) and row.head == row.floor and (kind, ident) not in self._known
        }
        claims = decision.claims | made
        before = _Before(self._known, work)
        after = _Before({**self._known, **put}, work)
        free = EXCEPT.get(call.cmd, set())
        for kind, ident in decision.reads if not came_to else ():
            guards = before.guards(kind, ident)
            if guards and not guards & claims and kind.__name__ not in free:
                self._note(call, "read", kind, ident)
        for kind, ident in put:
            if not (before.guards(kind, ident) | after.guards(kind, ident)) <= claims:
                self._note(call, "wrote", kind, ident)
        self._known |= put

    def _note(self, call: Call, did: str, kind: type[Row], ident: Any) -> None:
        violation = Violation(call.cmd, did, kind.__name__)
        self.violations.setdefault(violation, f"{call.caller.member} {call.params} {ident}")


def _shown() -> bool:
    """Whether what is found now is only to be shown: it is asked for by the views."""
    frame = sys._getframe(2)
    for _ in range(6):
        if frame.f_globals.get("__name__") == SHOWN_BY:
            return True
        if frame.f_back is None:
            return False
        frame = frame.f_back
    return False


class _Before:
    """The guards of facts, by the rows as they were at one time."""

    def __init__(self, known: Rows, work: Work) -> None:
        self._known = known
        self._work = work

    def _row(self, kind: type[Any], ident: Any) -> Any:
        return self._known.get((kind, ident)) or self._work.world.known.get(kind, {}).get(ident)

    def _member(self, key: int) -> set[int]:
        row = self._row(Member, key)
        return {row.topic} - {0} if row is not None else set()

    def _members(self, *keys: int) -> set[int]:
        return set().union(*map(self._member, keys))

    def _conversation(self, key: int) -> set[int]:
        row = self._row(Conversation, key)
        if row is None:
            return set()
        return {row.topic} if row.topic else self._members(row.low, row.high)

    def _message(self, key: int) -> set[int]:
        row = self._row(rows.Message, key)
        return self._conversation(row.conversation) if row is not None else set()

    def _group(self, key: int) -> set[int]:
        row = self._row(rows.Group, key)
        return {row.topic} if row is not None else set()

    def guards(self, kind: type[Row], ident: Any) -> set[int]:
        """The topics under whose locks this fact changes."""
        if kind is Topic:
            return {ident}
        if kind is rows.Entry:
            return {ident[0]}
        if kind in (Conversation, facts.Viewers, facts.Newcomers):
            return self._conversation(ident)
        if kind is rows.Participant:
            return self._conversation(ident[0]) | self._member(ident[1])
        if kind is rows.Message or kind is facts.Reactions:
            return self._message(ident)
        if kind is rows.Revision or kind is rows.Reaction:
            return self._message(ident[0])
        if kind is rows.Pair:
            return self._members(*ident)
        if kind is rows.Group:
            return self._group(ident)
        if kind is rows.GroupMember:
            return self._group(ident[0]) | self._member(ident[1])
        if kind is rows.Admission:
            return self._conversation(ident)
        if kind is rows.Credit:
            row = self._row(kind, ident)
            return self._member(row.member) if row is not None else set()
        if kind is rows.Creation and not ident[0]:
            return {purse.OPERATOR}
        if kind is rows.Invitation:
            row = self._row(kind, ident)
            return self._members(row.sender, row.recipient) if row is not None else set()
        if kind is facts.Handle:
            row = self._row(kind, ident)
            return self._member(row.member) if row is not None and row.member else set()
        if kind is facts.Newest:
            return self._conversation(ident[0])
        if kind is facts.Texts:
            return self._message(ident[0])
        if kind is own_view.Own or kind is own_view.Draft:
            return self._member(ident[1])
        if kind is reports.Report:
            row = self._row(kind, ident)
            return self._member(row.reporter) if row is not None else set()
        if kind in _OF_A_MEMBER:
            return self._member(ident[0] if isinstance(ident, tuple) else ident)
        if kind is rows.LiveSession:
            row = self._row(kind, ident)
            return self._member(row.member) if row is not None else set()
        if kind in _OF_HOLDS:
            return {rights.HOLDS}
        assert kind in _FREE, kind
        return set()


_OF_A_MEMBER = {
    Member, facts.Memberships, facts.Devices, facts.Sessions, facts.Tokens, rows.Creation,
    rows.DeviceToken, rows.Refusal, rows.Wallet, rows.Tally, facts.Lots, facts.GroupsOf,
    facts.Connections, facts.OpenReports, rights.Erasure,
}  # fmt: skip
_OF_HOLDS = {rights.Hold, facts.Held, rights.Expiry}
# The fence log has a lock of its own; a name's topic is its member's, looked at where it is made.
# An act is written once; what is left of an id is written with the id; leases only ever go on.
_FREE = {
    facts.FenceHead, rows.Fence, facts.Named, facts.GroupNamed, rights.Audit, rights.Departed,
    facts.Passed,
}  # fmt: skip
