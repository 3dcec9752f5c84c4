"""What goes with a report: every text that its reporter could see, and no other."""

from __future__ import annotations

from msgspec.structs import replace

from server.domain.reports import exhibit
from server.domain.rows import Message, Revision

SENT = Message(1, 2, 3, 4, "direct", "third", "c", 100, rev=4, edited_at=300, subject="About")
CHANGES = [Revision(1, 1, 11, "first", 0), Revision(1, 4, 14, "second", 200)]


def texts(message: Message, changes: list[Revision], until: int = -1) -> list[tuple[str, int]]:
    return [(v.body, v.at_ms) for v in exhibit(message, changes, until, 50).versions]


def test_an_edited_message_has_all_its_texts() -> None:
    assert texts(SENT, CHANGES) == [("first", 100), ("second", 200), ("third", 300)]
    assert texts(replace(SENT, body="only", edited_at=0, rev=0), []) == [("only", 100)]
    assert exhibit(SENT, CHANGES, -1, 50).subject == "About"


def test_a_deleted_message_has_what_it_said_and_when_it_went() -> None:
    gone = replace(SENT, body="", deleted_at=400, rev=5)
    changes = [*CHANGES, Revision(1, 5, 15, "third", 300)]
    assert texts(gone, changes) == [("first", 100), ("second", 200), ("third", 300)]
    assert exhibit(gone, changes, -1, 50).deleted_at == 400


def test_to_who_has_left_it_is_as_it_was() -> None:
    gone = replace(SENT, body="", deleted_at=400, rev=5)
    changes = [*CHANGES, Revision(1, 5, 15, "third", 300)]
    assert texts(gone, changes, 14) == [("first", 100), ("second", 200), ("third", 300)]
    assert exhibit(gone, changes, 14, 50).deleted_at == 0
    assert exhibit(gone, changes, 15, 50).deleted_at == 400
    assert texts(gone, changes, 13) == [("first", 100), ("second", 200)]
    assert texts(gone, changes, 10) == [("first", 100)]


def test_of_very_many_texts_the_original_and_the_newest_are_kept() -> None:
    changes = [Revision(1, n, n, f"text {n}", 100 + n) for n in range(1, 100)]
    kept = exhibit(replace(SENT, body="last"), changes, -1, 3)
    assert [v.body for v in kept.versions] == ["text 1", "text 99", "last"]
    assert kept.left_out == 97
