"""The port for reads: one consistent snapshot of the store.

Rights, rows and the heads of the topics are read together, so that `at` tells exactly which
events an answer already contains. The store implements it; handlers of reads ask it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from server.commands.rights_port import RightsQueries
from server.commands.work import Facts
from server.domain.rows import (
    Conversation,
    Entry,
    Invitation,
    Member,
    Message,
    Participant,
    Revision,
)


class Snapshot(Facts, Protocol):
    """What a read may ask beyond single rows. Every list is bounded by its caller or the rules."""

    @property
    def rights(self) -> RightsQueries:
        """What only members' rights ask."""

    def heads(self, topics: Sequence[int]) -> dict[str, int]:
        """The heads of these topics, by name."""

    def invitations(self, member: int, before: int | None, limit: int) -> list[Invitation]:
        """Pending ones received, and sent ones that are pending to their sender, newest first,
        with keys below `before`; between living members."""

    def others(self, member: int, which: str, after: Member | None, limit: int) -> list[Member]:
        """Living members who are "connected" to this one or "blocked" by it, by name and id,
        those that come after `after`."""

    def leftovers(self, limit: int) -> list[tuple[int, int, int]]:
        """What deleted members still have: (member, conversation, 0) for a part in one of more
        than two, (member, 0, other) for a connection or an invitation."""

    def inbox(
        self, member: int, before: tuple[int, int] | None, limit: int, *, unread: bool
    ) -> list[tuple[Conversation, Participant]]:
        """Conversations this member is or was in, the latest active first as they saw it, older
        than `before` (active_ms, key)."""

    def unread(self, member: int, rows: Sequence[tuple[Conversation, Participant]]) -> list[int]:
        """For each, how many messages of others after `read` this member may see."""

    def messages(
        self, conversation: int, after: int, before: int, limit: int, *, newest: bool
    ) -> list[Message]:
        """Messages with after < seq < before, ascending: the newest of them or the oldest."""

    def revisions(self, messages: Sequence[int], after_pos: int) -> dict[int, list[Revision]]:
        """Changes of these messages at positions after `after_pos`, ascending by rev."""

    def participants(self, conversation: int) -> list[Participant]:
        """Everybody who is or was in a conversation, in order of joining."""

    def title_at(self, conversation: Conversation, pos: int) -> str:
        """The title as of a position of the conversation's topic."""

    def attendance(self, members: Sequence[int]) -> dict[int, tuple[list[str], int]]:
        """Where there are several nodes: those on which each of these has a session, and when
        the last one that is over was there, Unix milliseconds."""

    def changed_heads(self, names: Sequence[str], since_ms: int) -> dict[str, int]:
        """The heads of those of these topics that moved since then, by name."""

    def entries(self, topic: int, after: int, limit: int) -> list[Entry]:
        """A topic's events with positions after `after`, in order."""
