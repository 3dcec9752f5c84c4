"""The oracle's reading of one's own view: what a member marks, clears and drafts, for oneself.

Kept as lists since when it was so, like everything of the oracle's. Imports nothing from server.
"""

from __future__ import annotations

from typing import Any

from tests.support.oracle_members import Members
from tests.support.oracle_things import Entry, Map, Marks, No, Talk, at_moment
from tests.support.oracle_world import World

FRESH = Marks()


def last_seq(world: World, me: str, talk: Talk, moment: int) -> int:
    """How many messages somebody had before them in a conversation then."""
    then = world.as_of(me, talk, moment)
    return sum(1 for message in talk.messages if message.versions[0].moment <= then)


def marks_of(me: str, talk: Talk, moment: int) -> Marks:
    """What they had marked then."""
    marks: Marks = at_moment([(0, FRESH), *talk.own.get(me, [])], moment)
    return marks


def told(world: World, me: str, talk: Talk, moment: int) -> Map:
    """The same as it is told."""
    marks = marks_of(me, talk, moment)
    out: Map = {
        "muted": marks.muted, "starred": marks.starred, "unread_mark": marks.unread,
        "reported": False, "archived": marks.archived >= last_seq(world, me, talk, moment),
    }  # fmt: skip
    if marks.archived >= 0:
        out["archived_seq"] = marks.archived
    if marks.cleared >= 0:
        out["cleared_seq"] = marks.cleared
    return out


def shows(world: World, me: str, talk: Talk, which: str, unread: int) -> bool:
    """Whether a list shows a conversation."""
    marks, last = marks_of(me, talk, world.now), last_seq(world, me, talk, world.now)
    if marks.cleared >= last:
        return False
    if which == "starred":
        return marks.starred
    if (marks.archived >= last) != (which == "archived"):
        return False
    if which == "unread":
        return unread > 0 or marks.unread
    if which in ("connections", "others"):
        known = world.bond(*talk.roster).connected if talk.two else not talk.group
        return known == (which == "connections")
    return which in ("all", "archived", "requests")


class OwnViews(Members):
    """One method a command."""

    def data(self, member: str, entry: Entry, moment: int) -> Map:
        """What an event says to its reader at a moment: of one's own view, all of it then."""
        if entry.name not in ("conversation.changed", "draft.changed"):
            return super().data(member, entry, moment)
        talk = self.talks[entry.data["conversation"]]
        if entry.name == "draft.changed":
            return {**entry.data, "body": marks_of(member, talk, moment).draft}
        return {**entry.data, **told(self, member, talk, moment)}

    def _place(self, me: str, conversation: str) -> Talk:
        """A conversation that they are or were in."""
        talk = self.talks.get(conversation)
        if talk is None or talk not in self.visible_talks(me):
            raise No("unreachable")
        return talk

    def _marked(self, me: str, talk: Talk, **changed: Any) -> Map:
        before = marks_of(me, talk, self.now)
        after = before._replace(**changed)
        if after != before:
            talk.own.setdefault(me, []).append((self.now, after))
        if after._replace(draft="") != before._replace(draft=""):
            self._emit(f"member:{me}", "conversation.changed", {"conversation": talk.id})
        return {"conversation": talk.id, **told(self, me, talk, self.now)}

    def _conversation_set(
        self, me: str, conversation: str, muted: bool | None = None, starred: bool | None = None,
        archived: bool | None = None, unread: bool | None = None,
    ) -> Map:  # fmt: skip
        talk = self._place(me, conversation)
        last = last_seq(self, me, talk, self.now)
        changed: Map = {"muted": muted, "starred": starred, "unread": unread}
        changed = {name: value for name, value in changed.items() if value is not None}
        was = marks_of(me, talk, self.now).archived >= last
        if archived is not None and archived != was:
            changed["archived"] = last if archived else -1
        return self._marked(me, talk, **changed)

    def _conversation_clear(self, me: str, conversation: str) -> Map:
        talk = self._place(me, conversation)
        last = last_seq(self, me, talk, self.now)
        if talk.read.get(me, 0) < last:
            talk.read[me] = last
            self._emit(f"member:{me}", "read.moved", {"conversation": talk.id, "read": last})
        self._draft_set(me, conversation, "")
        return self._marked(me, talk, cleared=last, archived=-1, unread=False)

    def _draft_set(self, me: str, conversation: str, body: str) -> Map:
        self._check_text(body, self.rules.body, empty=True)
        talk = self._place(me, conversation)
        if body != marks_of(me, talk, self.now).draft:
            self._marked(me, talk, draft=body)
            self._emit(f"member:{me}", "draft.changed", {"conversation": talk.id})
        return {"conversation": talk.id, "body": body}
