"""message.search: words in one's own messages, the newest first, a bounded number at a time.

Only what the caller may see is looked through, by the same stays and the same clearing as every
other read; to who has left, by the texts as they were then. What is found is what they could have
found by reading.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from server.commands import results, views
from server.commands.command import PAGE, Command, Id, Limit, Params, text
from server.commands.facts import Reactions
from server.commands.places import Place, all_at_once, place, viewed
from server.commands.reading import at_of, messages_of, ranges
from server.commands.snapshot import Snapshot
from server.domain import conversations, search
from server.domain.own_view import Own, seen_of
from server.domain.rows import Member, Message, Revision
from server.domain.search import Lane, Merge, Moment, Span
from server.errors import Invalid, Unreachable

Map = dict[str, Any]
_ALL = 2**31


class Search(Params, frozen=True):
    """message.search."""

    query: Annotated[str, Meta(description="Words that all occur, in any order and case.")]
    limit: Limit = 50
    before: Annotated[str, Meta(max_length=64)] | None = None
    conversation: Annotated[Id, Meta(description="Only in this one.")] | None = None


class _Reader:
    """One answer's way through the caller's messages."""

    def __init__(self, me: Member, wanted: list[str], snapshot: Snapshot) -> None:
        self._me = me
        self._wanted = wanted
        self._snapshot = snapshot
        self._places: dict[int, Place] = {}
        self._merge = Merge()
        self._found: dict[Moment, Message] = {}

    def place(self, key: int) -> Place:
        """The conversation as the caller sees it."""
        if key not in self._places:
            self._places[key] = viewed(self._me, key, self._snapshot)
        return self._places[key]

    def begin(self, lanes: list[Lane], at: Moment | None) -> None:
        """Put the lanes in order; from `at` on, where the search goes on."""
        if at is not None:
            self._go_back(lanes, at)
        self._order(lanes)

    def _order(self, lanes: list[Lane]) -> None:
        """Have each lane wait at its next message that is there."""
        while lanes := [lane for lane in lanes if lane.next_seq]:
            known = self._snapshot.moments([(lane.conversation, lane.next_seq) for lane in lanes])
            between = []
            for lane in lanes:
                at = known.get(lane.conversation)
                if at is None:
                    continue  # nothing is left of it
                lane.skip_to(at[0].seq)
                if lane.next_seq == at[0].seq:
                    self._merge.wait_at(lane, at[0])
                else:
                    between.append(lane)  # what was left of this stay is gone: the one before it
            lanes = between

    def _go_back(self, lanes: list[Lane], at: Moment) -> None:
        """Skip what is newer than `at`, by halves: a conversation's times rise with its numbers."""
        low = {lane.conversation: 0 for lane in lanes}  # not newer
        high = {lane.conversation: lane.next_seq + 1 for lane in lanes}  # newer
        # First the last one of each: most conversations have been quiet since.
        points = [(key, seq - 1) for key, seq in high.items() if seq > 1]
        while points:
            known = self._snapshot.moments(points)
            for key, seq in points:
                there = known.get(key)
                if there is None or there[0] <= at:
                    low[key] = seq
                else:
                    high[key] = there[0].seq
            open_now = [key for key in low if high[key] - low[key] > 1]
            points = [(key, (low[key] + high[key]) // 2) for key in open_now]
        for lane in lanes:
            lane.skip_to(low[lane.conversation])

    def read(self, limit: int, most: int) -> None:
        """Read on until so many are found or looked through."""
        while most > 0 and self._merge.next is not None and len(self.ready()) <= limit:
            taken = list(self._merge.round(most))
            spans = [span for _, span in taken]
            most -= sum(span.until - span.after for span in spans)
            self._sift(spans)
            self._order([lane for lane, _ in taken])

    def _sift(self, spans: list[Span]) -> None:
        """Keep what matches as the caller may see it."""
        rows = self._snapshot.candidates(spans, self._wanted)
        over = {span.conversation for span in spans if span.over}
        changes: dict[int, list[Revision]] = {}
        left = {key: self.place(key).view for key in over}
        moments = {
            row.key: left[row.conversation].moment_of(row.seq)
            for row in rows
            if row.rev and row.conversation in left
        }
        old = [key for key, moment in moments.items() if moment >= 0]
        if old:
            changes = self._snapshot.revisions(old, min(moments[key] for key in old))
        self._snapshot.want(*((Member, row.sender) for row in rows))
        for row in rows:
            if views.out_of_sight_ms(row.sender, self._snapshot):
                continue
            then = row
            if row.key in changes:
                then = conversations.as_of(row, changes[row.key], moments[row.key])
            if not then.deleted_at and search.matches(f"{then.subject}\n{then.body}", self._wanted):
                self._found[Moment(row.sent_at, row.conversation, row.seq)] = row

    def ready(self) -> list[Moment]:
        """What is found and has nothing unread before it, the newest first."""
        ahead = self._merge.next
        return sorted((at for at in self._found if ahead is None or at > ahead), reverse=True)

    def page(self, limit: int, asked: set[int]) -> Map:
        """The newest that are ready, and where to go on. `asked` are conversations whose position
        is told, found or not."""
        some = self.ready()[:limit]
        out: dict[Moment, Map] = {}
        keys = {at.conversation for at in some} | asked
        all_at_once(self._me, keys, self._snapshot)
        rows = [self._found[at] for at in some]
        self._snapshot.want(*((Reactions, row.key) for row in rows))
        topics = {self.place(key).row.topic for key in keys if self.place(key).view.current} - {0}
        positions = self._snapshot.heads([self._me.topic, *topics])
        for key in keys:
            here = [at for at in some if at.conversation == key]
            rows = [self._found[at] for at in here]
            shown = messages_of(self._me, self.place(key), rows, self._snapshot)
            out |= dict(zip(here, shown, strict=True))
            if not self.place(key).view.current:
                positions |= at_of(self._me, self.place(key), self._snapshot)
        rest = [at for at in self._found if at not in out]
        after = max([*rest, *([self._merge.next] if self._merge.next else [])], default=None)
        page: Map = {
            "messages": [out[at] for at in some],
            "more": after is not None,
            "at": positions,
        }
        if after is not None:
            known = self._snapshot.moments([(after.conversation, after.seq)])
            page["next"] = self._snapshot.ids.message(known[after.conversation][1])
        return page


def _lanes(me: Member, snapshot: Snapshot) -> list[Lane]:
    """All conversations that the caller is or was in, in whichever list they are."""
    rows = snapshot.inbox(me.key, None, _ALL, "everything")
    snapshot.want(*((Own, (row.key, me.key)) for row, _ in rows))
    lanes = []
    for row, part in rows:
        view = conversations.view(row, part)
        if view is not None:
            own = snapshot.find(Own, (row.key, me.key))
            where = Place(row=row, mine=part, view=seen_of(view, own), topics=())
            lanes.append(Lane(row.key, ranges(where), view.dated))
    return lanes


def _start(me: Member, before: str, snapshot: Snapshot) -> Moment:
    """Where an earlier answer left off. Raises `Invalid` for what is not the caller's to name."""
    row = snapshot.find(Message, snapshot.ids.message_key(before) or 0)
    try:
        if row is None or not place(me, row.conversation, snapshot).view.sees_seq(row.seq):
            raise Unreachable
    except Unreachable:
        raise Invalid("before is not what an earlier search gave.", field="before") from None
    return Moment(row.sent_at, row.conversation, row.seq)


def find(me: Member, p: Search, snapshot: Snapshot) -> Map:
    """Messages with all of these words, the newest first, and where to go on."""
    text(p.query, snapshot.policy.search_characters, "query")
    limit = min(p.limit, PAGE)
    reader = _Reader(me, search.words(p.query), snapshot)
    if p.conversation is not None:
        where = reader.place(snapshot.ids.conversation_key(p.conversation) or 0)
        lanes = [Lane(where.row.key, ranges(where), where.view.dated)]
    else:
        lanes = _lanes(me, snapshot)
    reader.begin(lanes, None if p.before is None else _start(me, p.before, snapshot))
    reader.read(limit, snapshot.policy.search_messages)
    return reader.page(limit, set() if p.conversation is None else {lanes[0].conversation})


COMMANDS = (
    Command(
        name="message.search", params=Search, run=find, kind="read", rate="search",
        doc="Find words in one's own messages.", result=results.Found, errors=("unreachable",),
    ),
)  # fmt: skip
