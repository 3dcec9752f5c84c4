"""Searching one's own messages: what matches, and the order in which they are looked through.

Nothing is indexed by its words: an index that all share would tell by its time what others write,
and would cost every send. A search goes through one's own messages, the newest first, a bounded
number at a time. Several conversations are merged as they are read: of each the next message's
time is known, and the one whose next is the newest is read on, a few messages first and twice as
many each time after.
"""

from __future__ import annotations

import heapq
import unicodedata
from collections.abc import Iterator, Sequence

import msgspec

FIRST = 16  # messages read of a conversation at first; most have nothing as new as the few do
LARGEST = 1_024
ROUND = 2_048  # messages read at once, of one conversation or many
TOGETHER = 64  # conversations read at once
WORDS = 10


def folded(text: str) -> str:
    """A text as it is compared: without case, and the same however accents are spelt."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def words(query: str) -> list[str]:
    """The different words of a query, folded, in order; at most `WORDS` count."""
    return list(dict.fromkeys(folded(query).split()))[:WORDS]


def matches(text: str, wanted: Sequence[str]) -> bool:
    """Whether every word occurs, anywhere in it."""
    compared = folded(text)
    return all(word in compared for word in wanted)


class Moment(msgspec.Struct, frozen=True, order=True):
    """Where a message is in the order of a search: by time, then by conversation and number."""

    sent_at: int
    conversation: int
    seq: int


class Span(msgspec.Struct, frozen=True):
    """Messages of a conversation with after < seq <= until; of one that is over, as of then."""

    conversation: int
    after: int
    until: int
    over: bool


class Lane:
    """A conversation's messages that its reader may see, looked through from the newest back."""

    def __init__(self, conversation: int, stays: Sequence[tuple[int, int]], over: bool) -> None:
        self.conversation = conversation
        self.over = over
        self.size = FIRST
        self._stays = [stay for stay in stays if stay[0] < stay[1]]  # (after, until], ascending

    @property
    def next_seq(self) -> int:
        """The newest number not looked at yet; 0 at the end."""
        return self._stays[-1][1] if self._stays else 0

    def skip_to(self, seq: int) -> None:
        """Go on from the newest number up to this one."""
        while self._stays and self._stays[-1][0] >= seq:
            self._stays.pop()
        if self._stays and self._stays[-1][1] > seq:
            self._stays[-1] = (self._stays[-1][0], seq)

    def take(self, most: int) -> Span:
        """The next span, of at most so many messages; the one after it is twice as large."""
        after, until = self._stays[-1]
        low = max(after, until - min(self.size, most))
        self.size = min(2 * self.size, LARGEST)
        self.skip_to(low)
        return Span(self.conversation, low, until, self.over)


class Merge:
    """Several lanes as one order. Whoever reads gives each lane's next moment, by `wait_at`."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, int, Lane]] = []

    def wait_at(self, lane: Lane, moment: Moment) -> None:
        """The lane's next message is at this moment."""
        at = (-moment.sent_at, -moment.conversation, -moment.seq)
        heapq.heappush(self._heap, (*at, lane))

    @property
    def next(self) -> Moment | None:
        """The newest that has not been read; None at the end."""
        if not self._heap:
            return None
        sent_at, conversation, seq, _ = self._heap[0]
        return Moment(-sent_at, -conversation, -seq)

    def round(self, most: int) -> Iterator[tuple[Lane, Span]]:
        """Take what is to be read next, the newest lanes first, at most so many messages."""
        left = min(most, ROUND)
        for _ in range(TOGETHER):
            if not self._heap or left <= 0:
                return
            lane = heapq.heappop(self._heap)[3]
            span = lane.take(left)
            left -= span.until - span.after
            yield lane, span
