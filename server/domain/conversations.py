"""What a member may see and do in a conversation: pure functions of its rows.

Access is a function of the log: a stay (`Span`) says from where to where. Whoever is gone keeps
what they could see until then and is answered as of their last position, nothing after it.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from server.domain.policy import Policy
from server.domain.rows import Conversation, Message, Participant, Reaction, Revision, Span

ONE_TO_ONE = "one_to_one"
SEVERAL = "several"
GROUP = "group"
PARTICIPANT = "participant"
VIEWER = "viewer"  # of a group's conversation: reads from their mention on, does nothing


class View(msgspec.Struct, frozen=True):
    """What one member may see of a conversation, as (after, until] ranges.

    `current` is whether they are in it now; `pos` and `seq` are the last they may see, and -1
    where that is the head, whatever it becomes. `by_stay`: each stay's as of its own end.
    """

    current: bool
    pos: int
    seq: int
    pos_ranges: tuple[tuple[int, int], ...]
    seq_ranges: tuple[tuple[int, int], ...]
    by_stay: bool = False

    def sees_seq(self, seq: int) -> bool:
        """Whether the message with this sequence number is theirs to see."""
        return any(after < seq and (until < 0 or seq <= until) for after, until in self.seq_ranges)

    def follows(self, seq: int) -> bool:
        """Whether the message with this sequence number is theirs to see as it is now."""
        return self.sees_seq(seq) and self.moment_of(seq) < 0

    @property
    def dated(self) -> bool:
        """Whether some of it may be to see as of an earlier moment."""
        return self.pos >= 0 or self.by_stay

    def moment(self, pos: int) -> int:
        """As of which position they see what is at `pos`; -1 for as it is now. To whom the present
        stay does not show it, it is as of the end of one that does: what came of it since is not
        theirs."""
        return self._moment(pos, self.pos_ranges)

    def moment_of(self, seq: int) -> int:
        """The same for the message with this sequence number."""
        return self._moment(seq, self.seq_ranges)

    def _moment(self, number: int, ranges: tuple[tuple[int, int], ...]) -> int:
        if self.by_stay:
            stays = reversed(list(zip(ranges, self.pos_ranges, strict=True)))
            for (after, until), (_, end) in stays:
                if after < number and (until < 0 or number <= until):
                    return end
        return self.pos

    def sees_pos(self, pos: int) -> bool:
        """Whether the event at this position of the topic is theirs to see."""
        return any(after < pos and (until < 0 or pos <= until) for after, until in self.pos_ranges)


EVERYTHING = View(True, -1, -1, ((0, -1),), ((0, -1),))


def view(conversation: Conversation, participant: Participant | None) -> View | None:
    """What this participant may see; None for who never was in it."""
    if participant is None:
        return None
    if conversation.kind == ONE_TO_ONE:
        return EVERYTHING
    spans = participant.spans
    if not spans:
        return None
    last = spans[-1]
    current = last.left < 0
    return View(
        current,
        -1 if current else last.left - 1,
        -1 if current else last.until_seq,
        tuple((s.after_pos, s.left - 1 if s.left >= 0 else -1) for s in spans),
        tuple((s.after_seq, s.until_seq) for s in spans),
        last.after_pos > 0 and len(spans) > 1,
    )


def nowhere(one: int, other: int) -> Conversation:
    """The one_to_one that two members do not have yet."""
    low, high = (one, other) if one < other else (other, one)
    return Conversation(0, ONE_TO_ONE, 0, low, high, 0, one)


def join(
    conversation: Conversation,
    pos: int,
    member: int,
    before: Participant | None,
    role: str = PARTICIPANT,
    *,
    whole: bool,
) -> Participant:
    """The participant row of a member who joins by the event at `pos` (0: a founder), and sees the
    whole history or what follows. Who was a viewer until now goes on from where that began."""
    span = Span(pos, pos, conversation.seq, viewer=role == VIEWER)
    if whole:
        span = Span(pos, 0, 0)
    elif before is not None and before.spans and before.spans[-1].left == pos:
        watched = before.spans[-1]
        span = Span(pos, watched.after_pos, watched.after_seq)
    if before is None:
        before = Participant(conversation.key, member, role, [])
    spans = [*before.spans, span]
    return replace(
        before,
        role=role,
        spans=spans,
        ended_ms=0,
        after_seq=min(one.after_seq for one in spans),
        until_seq=-1,
        since_pos=0 if span.viewer else span.after_pos,
    )


def leave(conversation: Conversation, pos: int, participant: Participant) -> Participant:
    """The participant row of a member whose access ends by the event at `pos`."""
    *earlier, last = participant.spans
    ended = replace(last, left=pos, until_seq=conversation.seq)
    return replace(
        participant,
        role="",
        spans=[*earlier, ended],
        ended_ms=conversation.active_ms,
        until_seq=conversation.seq,
        since_pos=0,
    )


def role_at(participant: Participant, pos: int) -> str:
    """What this member was as of the topic's position `pos`: "" for one who was not there."""
    for span in participant.spans:
        if span.joined <= pos and (span.left < 0 or pos < span.left):
            return VIEWER if span.viewer else PARTICIPANT
    return ""


def as_of(message: Message, revisions: list[Revision], pos: int) -> Message:
    """The message as it was at position `pos` of its conversation's topic.

    `revisions` are the message's changes in ascending order of `rev`.
    """
    later = [change for change in revisions if change.pos > pos]
    if not later:
        return message
    text = next((change for change in later if change.body is not None), None)
    rev = later[0].rev - 1
    if text is None:  # only reactions changed since
        return replace(message, rev=rev)
    return replace(message, rev=rev, body=text.body, edited_at=text.edited_at, deleted_at=0)


def reactions_as_of(reactions: list[Reaction], rev: int) -> list[Reaction]:
    """The reactions that a message had at its revision `rev`, not taken back yet."""
    return [
        replace(r, removed_rev=0)
        for r in reactions
        if r.added_rev <= rev and (not r.removed_rev or r.removed_rev > rev)
    ]


def has_signals(count: int, policy: Policy) -> bool:
    """Whether a conversation of `count` participants carries receipts and typing."""
    return count <= policy.signals_up_to


def changeable(message: Message, now_ms: int, policy: Policy) -> bool:
    """Whether its sender may still edit or delete it: within 60 minutes of sending."""
    return now_ms - message.sent_at <= policy.edit_window_ms
