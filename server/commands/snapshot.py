"""The port for reads: one consistent snapshot of the store.

Rights, rows and the heads of the topics are read together, so that `at` tells exactly which
events an answer already contains. The store implements it; handlers of reads ask it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from server.commands.rights_port import RightsQueries
from server.commands.work import Facts
from server.domain.reports import Report
from server.domain.rows import (
    Conversation,
    Credit,
    Entry,
    Group,
    Invitation,
    Member,
    Message,
    Participant,
    Revision,
)
from server.domain.search import Moment, Span


class Snapshot(Facts, Protocol):
    """What a read may ask beyond single rows. Every list is bounded by its caller or the rules."""

    @property
    def rights(self) -> RightsQueries:
        """What only members' rights ask."""

    def heads(self, topics: Sequence[int]) -> dict[str, int]:
        """The heads of these topics, by name."""

    def invitations(self, member: int, before: int | None, limit: int) -> list[Invitation]:
        """Pending ones received, and sent ones that are pending to their sender, newest first,
        with keys below `before`; from living members, and to any that have not been erased."""

    def others(self, member: int, which: str, after: Member | None, limit: int) -> list[Member]:
        """Living members who are "connected" to this one or "blocked" by it, by name and id,
        those that come after `after`."""

    def announcements(self, limit: int) -> list[tuple[int, list[int]]]:
        """Announcements that are not done: their conversation, and the next of the group's
        members by key, at most `limit`; none when all have been."""

    def ledger(self, member: int, before: tuple[int, int] | None, limit: int) -> list[Credit]:
        """A member's entries, the newest first, older than `before` (at_ms, key)."""

    def groups(self, member: int) -> list[tuple[Group, str]]:
        """The groups that a member is in, by name, with their role."""

    def group_roles(self, group: str) -> dict[str, str]:
        """The living members of a group, by id, with their roles; empty if there is no group."""

    def leftovers(self, limit: int) -> list[dict[str, int]]:
        """What deleted members still have: by key the `member`, and the `conversation` of more
        than two, the `group`, or the `other` of a connection or an invitation."""

    def inbox(
        self, member: int, before: tuple[int, int] | None, limit: int, which: str
    ) -> list[tuple[Conversation, Participant]]:
        """Conversations this member is or was in, the latest active first as they saw it, older
        than `before` (active_ms, key): "everything", or a filter of conversation.list."""

    def unread(self, member: int, rows: Sequence[tuple[Conversation, Participant]]) -> list[int]:
        """For each, how many messages of others after `read` this member may see."""

    def messages(
        self, conversation: int, after: int, before: int, limit: int, *, newest: bool
    ) -> list[Message]:
        """Messages with after < seq < before, ascending: the newest of them or the oldest."""

    def revisions(self, messages: Sequence[int], after_pos: int) -> dict[int, list[Revision]]:
        """Changes of these messages at positions after `after_pos`, ascending by rev."""

    def candidates(self, spans: Sequence[Span], words: Sequence[str]) -> list[Message]:
        """The messages in these spans that may have all of these folded words, in any order: all
        that do, and others; where a conversation is over, all that have been changed as well."""

    def moments(self, points: Sequence[tuple[int, int]]) -> dict[int, tuple[Moment, int]]:
        """By conversation, for each (conversation, seq): the newest message up to there, and its
        key; none where there is none."""

    def reports(self, before: Report | None, limit: int) -> list[Report]:
        """Open reports, the newest first, those that are older than `before`."""

    def reports_of(self, member: int, before: int | None, limit: int) -> list[Report]:
        """A member's own, open or closed, the newest first, with keys below `before`."""

    def participants(self, conversation: int) -> list[Participant]:
        """Everybody who is or was in a conversation, in order of joining."""

    def title_at(self, conversation: Conversation, pos: int) -> str:
        """The title as of a position of the conversation's topic."""

    def attendance(self, members: Sequence[int]) -> dict[int, tuple[list[str], int]]:
        """Where there are several nodes: those on which each of these has a session, and when
        the last one that is over was there, Unix milliseconds."""

    def changed_heads(self, names: Sequence[str], since_ms: int) -> dict[str, int]:
        """The heads of those of these topics that moved since then, by name."""

    def entries(self, ranges: Sequence[tuple[int, int, int]]) -> list[Entry]:
        """The events of several topics: for each (topic, after, until) those with positions after
        `after` up to `until`. Ranges do not overlap; those of a topic come in order."""
