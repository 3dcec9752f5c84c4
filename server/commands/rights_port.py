"""What members' rights ask of a snapshot: the part of the port for reads that is theirs alone.

The store implements it. Every list is bounded by its `limit`; a `Found` says from where to go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from server.domain.rights import Audit, Erasure, Hold
from server.domain.rows import Invitation, Participant, Reaction


class Found(msgspec.Struct, frozen=True):
    """Some of what was asked for; `after` is to be given next, None when there is no more."""

    keys: Sequence[Any]
    after: Any = None


class RightsQueries(Protocol):
    """Reads of one snapshot."""

    def erasures(self, after: Erasure | None, limit: int) -> list[Erasure]:
        """Members that are being erased, in the order in which it was asked for."""

    def is_parted(self, member: int) -> bool:
        """Whether a deleted member's parts, groups and connections have all ended."""

    def left_of(self, what: str, erasure: Erasure, after: Any, limit: int) -> Found:
        """What there is to do for an erasure: the keys of one of the kinds in
        `commands.erasing`. Those under hold are left out, or for "withdraw" are the ones."""

    def expired(self, before_ms: int, after: int, limit: int) -> Found:
        """Conversations whose first message that is left was sent before then, with that number:
        (conversation, seq), in order of key; `limit` conversations are looked at."""

    def expired_messages(
        self, conversation: int, seq: int, before_ms: int, limit: int
    ) -> list[tuple[int, int]]:
        """The messages of a conversation from `seq` on that were sent before then: (key, seq)."""

    def conversations_of(self, member: int, after: int, limit: int) -> list[Participant]:
        """The parts of a member, in order of the conversations' keys."""

    def reactions_of(
        self, member: int, after: tuple[int, int], limit: int
    ) -> tuple[list[tuple[int, int, Reaction]], tuple[int, int] | None]:
        """A member's present reactions: (conversation, seq, reaction), in that order, of messages
        behind that; and from where to go on, None at the end."""

    def invitations_of(self, member: int, before: int | None, limit: int) -> list[Invitation]:
        """Every invitation that a member sent or got, the newest first."""

    def devices_of(self, member: int, after: str, limit: int) -> list[tuple[str, int]]:
        """The devices that a member has connected with lately, by name, and when their last token
        ends."""

    def last_seen(self, member: int) -> int:
        """When a member was last there, where there are several nodes; 0 if that is not known."""

    def holds(self, before: int | None, limit: int) -> list[Hold]:
        """The holds, the newest first."""

    def acts(
        self, member: str | None, since_ms: int, before: tuple[int, int] | None, limit: int
    ) -> list[Audit]:
        """What the audit log says, the newest first: of one member, by them or about them."""

    def acts_before(self, before_ms: int, limit: int) -> list[int]:
        """The oldest entries of the audit log from before then, by key."""
