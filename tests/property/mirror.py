"""What a client knows by its events: state once read, and everything that has arrived since.

A device keeps answers of reads with the positions they were read at, and every event. What it
believes is put together the way docs/protocol.md says: events behind `at` are applied in order. At
the end that must be what a fresh read says. It knows what a `reset`, or a gap at an end of access,
has made stale, so that it has to be read anew.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

Map = dict[str, Any]
Key = tuple[str, str]  # a read, and the conversation that it is about
LISTS = ("connection.list", "block.list", "invitation.list", "settings.get")
OF_TALK = ("conversation.get", "conversation.history")


class Mirror:
    """One device's."""

    def __init__(self, member: str) -> None:
        self.events: defaultdict[str, dict[int, Map]] = defaultdict(dict)
        self.bases: dict[Key, Map] = {}
        self.stale: dict[Key, int] = {}  # with a number that tells one staleness from the next
        self.talks: dict[str, str] = {}  # conversation → topic
        self._own = f"member:{member}"
        self._count = 0
        self._whole = True  # its own topic is known from its beginning

    # What arrives

    def make_stale(self, conversation: str = "", *, new: bool = False) -> None:
        """One conversation, or everything, has to be read again; a new one has no history yet."""
        self._count += 1
        wanted = [(cmd, conversation) for cmd in OF_TALK]
        if new:
            wanted = wanted[:1]
        if not conversation:
            self._whole = False
            lists = [(cmd, "") for cmd in (*LISTS, "conversation.list")]
            wanted = lists + [(cmd, talk) for talk in self.talks for cmd in OF_TALK]
        self.stale |= dict.fromkeys(wanted, self._count)

    def event(self, frame: Map) -> None:
        """An event with a position has arrived."""
        topic, data = frame["topic"], frame["data"]
        self.events[topic][frame["pos"]] = frame
        talk = data.get("conversation", "")
        if frame["event"] == "message.created" and talk not in self.talks:
            self.talks[talk] = topic
            if not self._whole:
                self.make_stale(talk)
        elif frame["event"] == "conversation.joined":
            self.talks[talk] = data["topic"]
            self.make_stale(talk, new=data["pos"] == 0)
        elif frame["event"] == "conversation.left":
            missed = max(self.events[data["topic"]], default=0) < data["pos"]
            if missed:
                self.make_stale(talk)

    def answer(self, key: Key, asked: int, known: int, result: Map) -> None:
        """A read that was asked for has been answered; `known` is the position in its own topic
        that it had then, for answers that do not say of when they are."""
        if self.stale.get(key) == asked:
            del self.stale[key]
        if key[0] == "conversation.list":
            for one in result["conversations"]:
                several = one["kind"] != "one_to_one"
                topic = f"conversation:{one['id']}" if several else self._own
                if self.talks.setdefault(one["id"], topic) == topic:
                    self.make_stale(one["id"])
            return
        if key[0] == "invitation.list":
            mine = [i for i in result["invitations"] if f"member:{i['to']}" == self._own]
            result = {**result, "invitations": mine}
        self.bases[key] = {"at": {self._own: known}, **result}

    # What follows from it

    def listed(self, cmd: str) -> Any:
        """What it thinks that one of `LISTS` would answer; None where it knows that it does not."""
        if (cmd, "") in self.stale:
            return None
        base = self.bases.get((cmd, ""), {})
        return _LISTS[cmd](base, self._since((cmd, ""), self._own))

    def _since(self, key: Key, topic: str) -> list[Map]:
        at = self.bases.get(key, {}).get("at", {}).get(topic, 0)
        return [frame for pos, frame in sorted(self.events[topic].items()) if pos > at]

    def messages(self, talk: str) -> dict[str, Map] | None:
        """The messages of a conversation, by id, in order."""
        key = ("conversation.history", talk)
        if key in self.stale:
            return None
        messages = {m["message"]: m for m in self.bases.get(key, {}).get("messages", [])}
        for frame in self._since(key, self.talks[talk]):
            if frame["data"].get("conversation") == talk:
                _apply(messages, frame["event"], frame["data"])
        cleared = self._changed(talk, {}).get("cleared_seq", -1)
        return {ident: m for ident, m in messages.items() if m["seq"] > cleared}

    def _changed(self, talk: str, base: Map, key: Key = ("", "")) -> Map:
        """One's own marks on a conversation as last told, behind a read or ever."""
        events = [f for f in self._since(key, self._own) if f["event"] == "conversation.changed"]
        told = [f["data"] for f in events if f["data"]["conversation"] == talk]
        return told[-1] if told else base

    def about(self, talk: str) -> Map | None:
        """A conversation's title, who is in it where that can be told, and what has been read."""
        key = ("conversation.get", talk)
        base = self.bases.get(key)
        if key in self.stale or base is None:
            return None
        title, read, seq = base["title"], base["read"], base["seq"]
        draft = base.get("draft", "")
        people: set[str] | None = {p["member"] for p in base["participants"]}
        for frame in self._since(key, self.talks[talk]):
            if frame["event"] == "conversation.renamed":
                title = frame["data"]["title"]
            elif frame["event"] == "roster.changed" and people is not None:
                people = _roster(people, frame["data"])
            elif frame["event"] == "message.created" and frame["data"]["conversation"] == talk:
                seq = max(seq, frame["data"]["seq"])
        for frame in self._since(key, self._own):
            if frame["event"] == "read.moved" and frame["data"]["conversation"] == talk:
                read = frame["data"]["read"]
            elif frame["event"] == "draft.changed" and frame["data"]["conversation"] == talk:
                draft = frame["data"]["body"]
        marks = own_marks({**self._changed(talk, base, key), "seq": seq, "draft": draft})
        return {"title": title, "people": people, "read": read, **marks}


def own_marks(got: Map) -> Map:
    """What one has marked, with what a message has brought back by now."""
    names = ("muted", "starred", "unread_mark", "archived_seq", "cleared_seq", "seq")
    marks = {name: got.get(name, -1) for name in names}
    archived = marks["archived_seq"] >= marks["seq"]
    return {**marks, "archived": archived, "draft": got.get("draft", "")}


def plain(message: Map, many: bool) -> Map:
    """A message with its reactions in no order, which only a fresh read tells; with `many`
    participants they are counted, and not to be followed at all."""
    if "reactions" not in message:
        return message
    reacted = {} if many else {r["emoji"]: set(r["members"]) for r in message["reactions"]}
    return {**message, "reactions": reacted}


def _apply(messages: dict[str, Map], name: str, data: Map) -> None:
    known = messages.get(data.get("message", ""))
    if name == "message.created":
        messages[data["message"]] = data
    elif known is None:
        return  # of before this reader's time
    elif name in ("message.edited", "message.deleted"):
        messages[data["message"]] = data
    elif name == "message.reacted" and "reactions" in known:
        messages[data["message"]] = _react(known, data)


def _react(message: Map, data: Map) -> Map:
    reacted = {r["emoji"]: [m for m in r.get("members", ()) if m != data["member"]]
               for r in message["reactions"]}  # fmt: skip
    for emoji in data["emojis"]:
        reacted.setdefault(emoji, []).append(data["member"])
    reactions = [{"emoji": emoji, "members": who} for emoji, who in reacted.items() if who]
    return {**message, "rev": max(message["rev"], data["rev"]), "reactions": reactions}


def _roster(people: set[str], data: Map) -> set[str] | None:
    if "changes" not in data:
        return None  # too many to be told one by one: who they are has to be read
    for change in data["changes"]:
        who = {change["member"]}
        people = people | who if change["change"] == "added" else people - who
    return people


def _connections(base: Map, events: list[Map]) -> set[str]:
    known = {m["member"] for m in base.get("members", [])}
    for frame in events:
        if frame["event"] == "connection.added":
            known.add(frame["data"]["member"])
        elif frame["event"] == "connection.removed":
            known.discard(frame["data"]["member"])
    return known


def _blocks(base: Map, events: list[Map]) -> set[str]:
    known = {m["member"] for m in base.get("members", [])}
    for frame in events:
        if frame["event"] == "block.changed":
            change = known.add if frame["data"]["blocked"] else known.discard
            change(frame["data"]["member"])
    return known


def _invitations(base: Map, events: list[Map]) -> set[str]:
    """Those received: of one's own, a device learns by its own answers."""
    known = {i["invitation"]: i["from"] for i in base.get("invitations", [])}
    for frame in events:
        data = frame["data"]
        if frame["event"] == "invitation.received":
            known[data["invitation"]] = data["from"]
        elif frame["event"] in ("invitation.answered", "invitation.withdrawn"):
            known.pop(data["invitation"], None)
    return set(known)


def _settings(base: Map, events: list[Map]) -> Map | None:
    read = {name: value for name, value in base.items() if name != "at"}
    changed = [frame["data"] for frame in events if frame["event"] == "settings.changed"]
    return changed[-1] if changed else read or None


_LISTS = {
    "connection.list": _connections,
    "block.list": _blocks,
    "invitation.list": _invitations,
    "settings.get": _settings,
}
