"""One's own view, against a list of everything that ever happened in a conversation."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from server.domain import conversations, own_view
from server.domain.own_view import NEVER, Marks, Own
from server.domain.rows import Conversation, Participant

ME = 7
happenings = st.lists(
    st.sampled_from(["message", "archive", "unarchive", "clear", "mark", "leave", "return"]),
    max_size=40,
)


@dataclass
class History:
    """A conversation as a member would remember it, beside the rows."""

    row: Conversation = field(
        default_factory=lambda: Conversation(1, conversations.SEVERAL, 2, 0, 0, 0, ME)
    )
    part: Participant = field(
        default_factory=lambda: conversations.join(
            Conversation(1, conversations.SEVERAL, 2, 0, 0, 0, ME), 0, ME, None, whole=True
        )
    )
    own: Own = field(default_factory=lambda: Own(1, ME))
    pos: int = 0
    here: bool = True
    shown: set[int] = field(default_factory=set)  # what the member has before them
    known: set[int] = field(default_factory=set)  # what they have seen or cleared
    away: set[int] = field(default_factory=set)  # said while they were gone
    archived: bool = False
    listed: bool = True

    @property
    def last(self) -> int:
        return own_view.last_seq(self.row, self.part)

    def happen(self, what: str) -> None:
        self.pos += 1
        if what == "message":
            seq = self.row.seq + 1
            self.row = Conversation(
                **{f: getattr(self.row, f) for f in self.row.__struct_fields__ if f != "seq"},
                seq=seq,
            )
            if self.here:
                self.shown.add(seq)
                self.archived, self.listed = False, True
            else:
                self.away.add(seq)
        elif what in ("archive", "unarchive"):
            self.own = own_view.marked(self.own, Marks(archived=what == "archive"), self.last)
            self.archived = what == "archive"
        elif what == "mark":
            self.own = own_view.marked(self.own, Marks(unread=True, starred=True), self.last)
        elif what == "clear":
            self.own = own_view.clear(self.own, self.last)
            self.shown.clear()
            self.archived, self.listed = False, False
        elif what == "leave" and self.here:
            self.part = conversations.leave(self.row, self.pos, self.part)
            self.here = False
        elif what == "return" and not self.here:
            self.part = conversations.join(self.row, self.pos, ME, self.part, whole=True)
            self.here = True
            if self.away:  # the whole history is theirs to see
                self.archived, self.listed = False, True
            self.shown |= self.away
            self.away.clear()


@given(happenings)
def test_what_is_seen_listed_and_archived_is_as_a_member_remembers_it(whats: list[str]) -> None:
    history = History()
    for what in whats:
        history.happen(what)
        view = conversations.view(history.row, history.part)
        assert view is not None
        seen = own_view.seen_of(view, history.own)
        numbers = range(1, history.row.seq + 1)
        assert {seq for seq in numbers if seen.sees_seq(seq)} == history.shown
        assert own_view.archived(history.own, history.last) == history.archived
        assert own_view.cleared(history.own, history.last) != history.listed
        assert (seen.pos, seen.seq, seen.current) == (view.pos, view.seq, view.current)


def test_marks_change_one_by_one_and_archiving_again_moves_nothing() -> None:
    own = Own(1, ME)
    assert own_view.marked(own, Marks(), 5) == own
    own = own_view.marked(own, Marks(archived=True, muted=True), 5)
    assert (own.archived_seq, own.muted, own.starred) == (5, True, False)
    assert own_view.marked(own, Marks(archived=True), 5) is not own
    assert own_view.marked(own, Marks(archived=True), 5) == own
    assert own_view.marked(own, Marks(archived=True), 6).archived_seq == 6
    assert own_view.marked(own, Marks(archived=False), 6).archived_seq == 5  # it came back already
    assert own_view.marked(own, Marks(archived=False), 5).archived_seq == NEVER


def test_clearing_keeps_what_is_about_the_conversation() -> None:
    own = Own(1, ME, muted=True, starred=True, unread=True, reported=True, archived_seq=3)
    own = own_view.clear(own, 4)
    assert own == Own(1, ME, muted=True, starred=True, reported=True, cleared_seq=4)
    assert not own_view.cleared(None, 0)
    assert own_view.cleared(own_view.clear(Own(1, ME), 0), 0)
