"""Who sees what of a conversation, against a list of everything that ever happened in it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from server.domain import conversations
from server.domain.policy import DEFAULT
from server.domain.rows import Conversation, Message, Participant, Reaction, Revision

MEMBER = 7
TWO = Conversation(1, conversations.ONE_TO_ONE, 0, 7, 8, 0, 7, seq=3)
SEVERAL = Conversation(1, conversations.SEVERAL, 2, 0, 0, 0, 1)

histories = st.lists(st.sampled_from(["message", "other", "join", "leave"]), max_size=40)


@dataclass
class History:
    """A conversation that things happen in, and at which positions the member was there."""

    whole: bool  # whether a later one sees the whole history
    row: Conversation = field(
        default_factory=lambda: Conversation(1, conversations.SEVERAL, 2, 0, 0, 0, 1)
    )
    part: Participant | None = None
    pos: int = 0
    here: bool = False
    stays: list[list[int]] = field(default_factory=list)  # the positions seen in each
    messages: dict[int, int] = field(default_factory=dict)  # seq → position

    def happen(self, what: str) -> None:
        if what == "join" and not self.here:
            self.pos += 1
            self.part = conversations.join(self.row, self.pos, MEMBER, self.part, whole=self.whole)
            self.here = True
            self.stays.append([self.pos])
        elif what == "leave" and self.here:
            assert self.part is not None
            self.pos += 1
            self.row = replace(self.row, active_ms=self.pos)
            self.part = conversations.leave(self.row, self.pos, self.part)
            self.here = False
        elif what in ("message", "other"):
            self.pos += 1
            if what == "message":
                self.row = replace(self.row, seq=self.row.seq + 1)
                self.messages[self.row.seq] = self.pos
            if self.here:
                self.stays[-1].append(self.pos)

    def visible(self) -> set[int]:
        """The positions that are theirs, by the rulebook's words."""
        if not self.stays:
            return set()
        if self.whole:  # to the end of their stay
            return set(range(1, self.stays[-1][-1] + 1))
        return {pos for stay in self.stays for pos in stay[1:]}


@given(whole=st.booleans(), history=histories)
def test_a_view_is_what_happened_while_one_was_there(whole: bool, history: list[str]) -> None:
    past = History(whole)
    for what in history:
        past.happen(what)
    view = conversations.view(past.row, past.part)

    if view is None:
        assert not past.stays
        return
    theirs = past.visible()
    assert view.current is past.here
    assert {pos for pos in range(1, past.pos + 1) if view.sees_pos(pos)} == theirs
    seen = {seq for seq, pos in past.messages.items() if pos in theirs}
    assert {seq for seq in past.messages if view.sees_seq(seq)} == seen
    assert view.sees_pos(past.pos + 1) is past.here
    assert view.sees_seq(past.row.seq + 1) is past.here
    if past.here:
        assert (view.pos, view.seq) == (-1, -1)
    else:
        last = past.stays[-1][-1]
        assert view.pos == last
        assert view.seq == sum(1 for pos in past.messages.values() if pos <= last)


@given(whole=st.booleans(), history=histories)
def test_presence_is_from_joining_until_before_leaving(whole: bool, history: list[str]) -> None:
    past = History(whole)
    for what in history:
        past.happen(what)
    there = {pos for stay in past.stays for pos in stay}
    if past.part is not None:
        present = {pos for pos in range(past.pos + 1) if conversations.role_at(past.part, pos)}
        assert present == there


@pytest.mark.parametrize(("whole", "begins"), [(True, 0), (False, 5)])
def test_a_viewer_made_a_participant_keeps_what_they_could_see(whole: bool, begins: int) -> None:
    row = replace(SEVERAL, seq=3)
    viewer = conversations.join(row, 5, MEMBER, None, conversations.VIEWER, whole=False)
    row = replace(row, seq=6)
    left = conversations.leave(row, 9, viewer)
    part = conversations.join(row, 9, MEMBER, left, whole=whole)

    view = conversations.view(row, part)
    assert view is not None
    assert {pos for pos in range(1, 12) if view.sees_pos(pos)} == set(range(begins + 1, 12))
    assert view.sees_seq(4)
    assert view.sees_seq(3) is whole
    assert part.after_seq == (0 if whole else 3)
    was = [conversations.role_at(part, pos) for pos in (4, 5, 8, 9)]
    assert was == ["", "viewer", "viewer", "participant"]


@given(whole=st.booleans(), history=histories)
def test_what_queries_bound_messages_by_holds_all_that_is_seen(
    whole: bool, history: list[str]
) -> None:
    past = History(whole)
    for what in history:
        past.happen(what)
    view, part = conversations.view(past.row, past.part), past.part
    if view is None or part is None:
        return
    until = past.row.seq if part.until_seq < 0 else part.until_seq
    for seq in past.messages:
        if view.sees_seq(seq):
            assert part.after_seq < seq <= until
    assert bool(part.role) is past.here
    assert (part.ended_ms > 0) is not past.here


def test_a_founder_is_there_from_the_beginning() -> None:
    row = History(whole=False).row
    founder = conversations.join(row, 0, MEMBER, None, whole=False)
    view = conversations.view(row, founder)
    assert view is not None
    assert view.sees_pos(1)
    assert view.sees_seq(1)


def test_between_two_everything_is_seen_for_good() -> None:
    part = Participant(1, MEMBER, "participant", [])
    assert conversations.view(TWO, part) is conversations.EVERYTHING
    assert conversations.view(TWO, None) is None


def test_who_never_came_sees_nothing() -> None:
    row = History(whole=True).row
    assert conversations.view(row, None) is None
    assert conversations.view(row, Participant(1, MEMBER, "", [])) is None


# --- a message as it was ---------------------------------------------------------------------

SENT = Message(1, 1, 1, MEMBER, "direct", "first", "c", 0, subject="s")


@given(changes=st.lists(st.sampled_from(["edit", "react", "delete"]), max_size=8), data=st.data())
def test_a_message_as_of_a_position_is_what_it_was(changes: list[str], data: st.DataObject) -> None:
    now, revisions, versions = SENT, [], [(1, SENT)]
    for pos, change in enumerate(changes, start=2):
        if now.deleted_at:
            break
        text = None if change == "react" else now.body
        before = replace(now)
        now = replace(now, rev=now.rev + 1)
        if change == "edit":
            now = replace(now, body=f"text {pos}", edited_at=pos)
        elif change == "delete":
            now = replace(now, body="", deleted_at=pos)
        revisions.append(Revision(1, now.rev, pos, text, before.edited_at))
        versions.append((pos, now))
    pos = data.draw(st.integers(1, len(changes) + 2))

    then = conversations.as_of(now, revisions, pos)

    assert then == [version for since, version in versions if since <= pos][-1]


def test_reactions_as_of_a_revision() -> None:
    thumb = Reaction(1, MEMBER, "👍", 1, 3)
    heart = Reaction(1, 8, "❤️", 2)
    assert [conversations.reactions_as_of([thumb, heart], rev) for rev in range(4)] == [
        [],
        [replace(thumb, removed_rev=0)],
        [replace(thumb, removed_rev=0), heart],
        [heart],
    ]


@pytest.mark.parametrize(("age_ms", "allowed"), [(0, True), (3_600_000, True), (3_600_001, False)])
def test_a_message_can_be_changed_for_an_hour(age_ms: int, allowed: bool) -> None:
    assert conversations.changeable(SENT, SENT.sent_at + age_ms, DEFAULT) is allowed


@pytest.mark.parametrize(("count", "carries"), [(2, True), (50, True), (51, False)])
def test_above_fifty_there_are_no_signals(count: int, carries: bool) -> None:
    assert conversations.has_signals(count, DEFAULT) is carries
