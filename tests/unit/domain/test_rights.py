"""What is left of a member, a message and an id: the pure rules."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain import rights
from server.domain.policy import DAY, DEFAULT, Policy
from server.domain.rows import Member, Message

ADA = Member(
    7, "ada", 9, "Ada", headline="Engineer", avatar="https://example.org/a.png", plan="career",
    facets={"skills": ["timber"]}, open_profile=True, alive=False, refused_until_us=5_000_000,
    devices_revoked=True,
)  # fmt: skip
WORDS = Message(
    1, 2, 3, 7, "direct", "a body", "client", 1_000, rev=4, edited_at=2_000, subject="a subject",
    reply_to=5, mentions=[7],
)  # fmt: skip


def test_nobody_has_nothing_of_who_it_was() -> None:
    row = rights.nobody(ADA, "deleted.x", 77)
    left = msgspec.structs.asdict(row)
    fresh = msgspec.structs.asdict(Member(7, "deleted.x", 0, "", alive=False, erased_ms=77))
    switches = {"receipts", "active_status", "inmail", "sponsored"}
    assert {k: v for k, v in left.items() if k not in switches} == {
        k: v for k, v in fresh.items() if k not in switches
    }
    assert not any(left[switch] for switch in switches)
    assert rights.nobody(msgspec.structs.replace(ADA, erased_ms=3), "x", 77).erased_ms == 3


def test_an_emptied_message_is_its_place_alone() -> None:
    bare = rights.emptied(WORDS, 9_000)
    assert rights.is_empty(bare)
    assert not rights.is_empty(WORDS)
    assert bare == Message(
        1, 2, 3, 7, "direct", "", "", 1_000, rev=5, edited_at=2_000, deleted_at=9_000
    )
    assert rights.emptied(bare, 10_000) == bare
    tombstone = msgspec.structs.replace(WORDS, body="", deleted_at=8_000)
    assert not rights.is_empty(tombstone)
    again = rights.emptied(tombstone, 9_000)
    assert (again.rev, again.deleted_at) == (4, 8_000)
    assert rights.is_empty(again)


@given(st.integers(0, 36_500), st.integers(0, 2**45))
def test_what_is_kept_for_days_is_kept_for_so_many(days: int, now_ms: int) -> None:
    since = rights.kept_since_ms(days, now_ms)
    assert 0 <= since <= now_ms
    if days == 0:
        assert since == 0
    elif now_ms >= days * DAY:
        assert now_ms - since == days * DAY


def test_by_default_no_message_is_too_old() -> None:
    assert rights.expired_before_ms(DEFAULT, 2**45) == 0
    assert rights.expired_before_ms(Policy(retention_days=1), 3 * DAY) == 2 * DAY


def test_an_id_is_known_again_by_who_has_the_secret_alone() -> None:
    one, two = bytes(32), bytes([1] * 32)
    kept = rights.departed(ADA, 41, one)
    assert kept.digest == rights.digest(one, "ada")
    assert kept.digest not in (rights.digest(two, "ada"), rights.digest(one, "Ada"))
    assert "ada" not in kept.digest
    assert (kept.head, kept.refused_until_us) == (41, 5_000_000)
    # A token lives for a day, and none made later is refused by this.
    assert kept.expires_ms > 5_000 + DAY
    assert kept.digest != rights.LATEST


@pytest.mark.parametrize("field", ["retention_days", "audit_days"])
def test_days_are_whole_and_not_without_end(field: str) -> None:
    for wrong in (-1, 36_501, 1.5, "1"):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({field: wrong}, Policy)
