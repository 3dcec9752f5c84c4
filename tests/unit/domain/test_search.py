"""What matches, and the order in which conversations are looked through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain import search
from server.domain.search import Lane, Merge, Moment


@pytest.mark.parametrize(
    ("query", "text", "found"),
    [
        ("roof", "The ROOF", True),
        ("roof wall", "wall and roof", True),
        ("roof wall", "roof only", False),
        ("oo", "roof", True),
        ("STRASSE", "in der Straße", True),
        ("straße", "IN DER STRASSE", True),
        ("cafe\u0301", "CAFÉ", True),
        ("café", "CAFE\u0301", True),
        ("cafe", "café", False),
        ("ПРИВЕТ", "привет", True),
        ("k", "\u212a", True),
    ],
)
def test_words_are_compared_without_case_and_by_what_they_spell(
    query: str, text: str, found: bool
) -> None:
    assert search.matches(text, search.words(query)) is found


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_a_word_of_a_text_is_found_in_it(before: str, word: str, after: str) -> None:
    wanted = search.words(word)
    assert search.matches(f"{before} {word} {after}", wanted)
    assert all(word == search.folded(word) and word for word in wanted)
    # Without anything beyond ASCII a text is what a database can lower by itself.
    if word.isascii():
        assert wanted == list(dict.fromkeys(word.lower().split()))[: search.WORDS]


stays = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), max_size=4).map(
    lambda parts: [
        (start, start + length)
        for n, (start, length) in enumerate(sorted(parts))
        if all(s + w <= start for s, w in sorted(parts)[:n])
    ]
)


@given(stays, st.lists(st.integers(1, 50), min_size=1, max_size=40))
def test_a_lane_gives_each_number_once_from_the_newest(
    parts: list[tuple[int, int]], sizes: list[int]
) -> None:
    lane = Lane(1, parts, over=False)
    expected = sorted((seq for a, u in parts for seq in range(a + 1, u + 1)), reverse=True)
    given_: list[int] = []
    while lane.next_seq:
        most = sizes[len(given_) % len(sizes)]
        before = lane.next_seq
        span = lane.take(most)
        assert span.until == before
        assert 0 < span.until - span.after <= most
        given_ += range(span.until, span.after, -1)
    assert given_ == expected


@given(stays, st.integers(0, 100))
def test_a_lane_goes_on_from_a_number(parts: list[tuple[int, int]], seq: int) -> None:
    lane = Lane(1, parts, over=False)
    lane.skip_to(seq)
    left = [n for a, u in parts for n in range(a + 1, u + 1) if n <= seq]
    assert lane.next_seq == max(left, default=0)


@given(st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=40), min_size=1, max_size=80))
def test_what_is_newer_than_the_next_moment_has_been_read(times: list[list[int]]) -> None:
    """Every conversation's times rise with its numbers; whatever the merge takes in a round,
    nothing unread is newer than what it says is next."""
    talks = {number: sorted(one) for number, one in enumerate(times, 1)}
    unread = {Moment(t, c, n) for c, one in talks.items() for n, t in enumerate(one, 1)}
    merge = Merge()

    def put(lane: Lane) -> None:
        if seq := lane.next_seq:
            talk = lane.conversation
            merge.wait_at(lane, Moment(talks[talk][seq - 1], talk, seq))

    for number, one in talks.items():
        put(Lane(number, [(0, len(one))], over=False))
    while merge.next is not None:
        assert merge.next == max(unread)
        taken = list(merge.round(50))
        assert 0 < sum(span.until - span.after for _, span in taken) <= 50
        for lane, span in taken:
            talk = talks[span.conversation]
            unread -= {
                Moment(talk[n - 1], span.conversation, n)
                for n in range(span.after + 1, span.until + 1)
            }
            put(lane)
    assert not unread
