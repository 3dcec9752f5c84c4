"""A naive messenger house for one reader, ada: does commands, keeps logs, answers reads.

For the client's model: whatever was done, the state read at some moment plus the events after it
must be the state read at the end. As on the wire, logs hold references, and an event is built
from the message as it is when the log is read: `live` has them as they were sent at the time,
`events` as a later replay sends them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from client_demo.protocol import Event

Map = dict[str, Any]
ME = "ada"
MINE = f"member:{ME}"
OTHERS = ["grace", "alan", "mary"]


@dataclass
class Room:
    id: str
    kind: str
    topic: str
    people: list[str]
    title: str = ""
    messages: list[Map] = field(default_factory=list)
    read: int = 0
    here: bool = True
    shown: dict[str, int] = field(default_factory=dict)
    own: dict[str, bool] = field(
        default_factory=lambda: dict.fromkeys(
            ("muted", "starred", "unread_mark", "reported"), False
        )
    )
    archived: int = -1
    cleared: int = -1
    draft: str = ""

    def marks(self) -> Map:
        return {
            **self.own,
            "archived": self.archived >= len(self.messages),
            **({"archived_seq": self.archived} if self.archived >= 0 else {}),
            **({"cleared_seq": self.cleared} if self.cleared >= 0 else {}),
        }


class House:
    def __init__(self) -> None:
        self.rooms = {
            "two": Room("two", "one_to_one", MINE, [ME, "grace"]),
            "many": Room("many", "several", "conversation:many", [ME, "grace", "alan"]),
        }
        self.log: list[tuple[str, int, str, Map]] = []
        self.live: list[Event] = []
        self.heads: dict[str, int] = {}

    # --- reads ------------------------------------------------------------------------------

    def at(self, room: Room) -> dict[str, int]:
        return {topic: self.heads.get(topic, 0) for topic in {MINE, room.topic}}

    def conversation(self, ident: str) -> Map:
        room = self.rooms[ident]
        unread = [
            m
            for m in room.messages
            if m["seq"] > room.read and m["sender"] != ME and "deleted_at" not in m
        ]
        return {
            "id": ident,
            "kind": room.kind,
            "title": room.title,
            "participants": [
                {"member": m, "name": m.title(), "role": "participant"}
                | ({"shown": room.shown[m]} if room.shown.get(m) and room.here else {})
                for m in room.people
            ],
            "participant_count": len(room.people),
            "last": dict(room.messages[-1]) if len(room.messages) > max(room.cleared, 0) else None,
            **room.marks(),
            **({"draft": room.draft} if room.draft else {}),
            "seq": len(room.messages),
            "read": room.read,
            "unread": len(unread),
            "state": "open" if room.here else "closed",
            "at": self.at(room),
        }

    def history(self, ident: str, before: int | None, limit: int) -> Map:
        room = self.rooms[ident]
        there = [m for m in room.messages if m["seq"] > room.cleared]
        found = [m for m in there if before is None or m["seq"] < before]
        page = found[-limit:]
        return {
            "messages": [dict(m) for m in page],
            "more": len(found) > limit,
            "at": self.at(room),
        }

    def events(self, start: int, end: int) -> list[Event]:
        """The log's entries from start to end, built from what is now; signals are not in it."""
        return [
            Event(name, self._built(name, ref), t, p) for t, p, name, ref in self.log[start:end]
        ]

    def _built(self, name: str, ref: Map) -> Map:
        if name == "conversation.changed":
            return {**ref, **self.rooms[ref["conversation"]].marks()}
        if name == "draft.changed":
            return {**ref, "body": self.rooms[ref["conversation"]].draft}
        if not name.startswith("message."):
            return ref
        message = self.rooms[ref["conversation"]].messages[ref["seq"] - 1]
        if name != "message.reacted":
            return dict(message)
        return {
            "conversation": ref["conversation"],
            "message": message["message"],
            "rev": message["rev"],
            "member": ref["member"],
            "emojis": [
                r["emoji"] for r in message.get("reactions", ()) if ref["member"] in r["members"]
            ],
        }

    # --- commands: each does nothing where it cannot be done ---------------------------------

    def _emit(self, topic: str, name: str, ref: Map) -> None:
        self.heads[topic] = self.heads.get(topic, 0) + 1
        self.log.append((topic, self.heads[topic], name, ref))
        self.live += self.events(len(self.log) - 1, len(self.log))

    def send(self, ident: str, who: str) -> None:
        room = self.rooms[ident]
        if who not in room.people or not room.here:
            return
        seq = len(room.messages) + 1
        room.messages.append(
            {
                "conversation": ident,
                "message": f"{ident}-{seq}",
                "seq": seq,
                "sender": who,
                "kind": "direct",
                "body": f"{who} says {seq}",
                "client_id": f"c{seq}",
                "sent_at": seq,
                "rev": 0,
                "reactions": [],
            }
        )
        self._emit(room.topic, "message.created", {"conversation": ident, "seq": seq})

    def _alive(self, ident: str, pick: int) -> Map | None:
        room = self.rooms[ident]
        if not room.messages or not room.here:
            return None
        message = room.messages[pick % len(room.messages)]
        return None if "deleted_at" in message else message

    def edit(self, ident: str, pick: int) -> None:
        message = self._alive(ident, pick)
        if message is not None:
            message["rev"] += 1
            message |= {"body": f"changed {message['rev']}", "edited_at": message["rev"]}
            ref = {"conversation": ident, "seq": message["seq"]}
            self._emit(self.rooms[ident].topic, "message.edited", ref)

    def delete(self, ident: str, pick: int) -> None:
        message = self._alive(ident, pick)
        if message is not None:
            message["rev"] += 1
            for gone in ("kind", "body", "client_id", "reactions", "edited_at"):
                message.pop(gone, None)
            message["deleted_at"] = message["rev"]
            ref = {"conversation": ident, "seq": message["seq"]}
            self._emit(self.rooms[ident].topic, "message.deleted", ref)

    def react(self, ident: str, pick: int, who: str, emoji: str) -> None:
        message = self._alive(ident, pick)
        if message is None or who not in self.rooms[ident].people:
            return
        reactions: list[Map] = [dict(r) for r in message["reactions"]]
        mine = next((r for r in reactions if r["emoji"] == emoji), None)
        if mine is None:
            reactions.append({"emoji": emoji, "members": [who]})
        elif who in mine["members"]:
            mine["members"] = [m for m in mine["members"] if m != who]
        else:
            mine["members"] = [*mine["members"], who]
        message["reactions"] = [r for r in reactions if r["members"]]
        message["rev"] += 1
        ref = {"conversation": ident, "seq": message["seq"], "member": who}
        self._emit(self.rooms[ident].topic, "message.reacted", ref)

    def read(self, ident: str, pick: int) -> None:
        room = self.rooms[ident]
        seq = min(pick, len(room.messages))
        if seq > room.read:
            room.read = seq
            self._emit(MINE, "read.moved", {"conversation": ident, "read": seq})

    def mark(self, ident: str, name: str, on: bool) -> None:
        room = self.rooms[ident]
        if name == "archived":
            room.archived = len(room.messages) if on else -1
        else:
            room.own[name] = on
        self._emit(MINE, "conversation.changed", {"conversation": ident})

    def clear(self, ident: str) -> None:
        room = self.rooms[ident]
        self.read(ident, len(room.messages))
        self.write(ident, "")
        room.cleared, room.archived = len(room.messages), -1
        self.mark(ident, "unread_mark", on=False)

    def write(self, ident: str, body: str) -> None:
        if self.rooms[ident].draft != body:
            self.rooms[ident].draft = body
            self._emit(MINE, "draft.changed", {"conversation": ident})

    def begin(self, ident: str, who: str, *, said: int, after: int = 0) -> None:
        """Bring the reader into a conversation where so much was said before, and more after."""
        room = Room(ident, "several", f"conversation:{ident}", [ME, who, "mary"])
        self.rooms[ident] = room
        for _ in range(said):
            self.send(ident, who)
        told = {"conversation": ident, "topic": room.topic, "pos": self.heads.get(room.topic, 0)}
        self.log, self.live = self.log[: -said or None], self.live[: -said or None]
        self._emit(MINE, "conversation.joined", told)
        for _ in range(after):
            self.send(ident, who)

    def rename(self, title: str) -> None:
        room = self.rooms["many"]
        if room.here and room.title != title:
            room.title = title
            ref = {"conversation": "many", "title": title, "rev": 0}
            self._emit(room.topic, "conversation.renamed", ref)

    def roster(self, who: str) -> None:
        """Add a member, or let them leave."""
        room = self.rooms["many"]
        if not room.here:
            return
        change = "left" if who in room.people else "added"
        if change == "added":
            room.people.append(who)
        else:
            room.people.remove(who)
            room.shown.pop(who, None)
        changes = [{"member": who, "name": who.title(), "change": change, "role": "participant"}]
        data = {
            "conversation": "many",
            "rev": 0,
            "changes": changes,
            "participant_count": len(room.people),
        }
        self._emit(room.topic, "roster.changed", data)

    def leave(self) -> None:
        room = self.rooms["many"]
        if room.here:
            room.here = False
            data = {"conversation": "many", "topic": room.topic, "pos": self.heads[room.topic]}
            self._emit(MINE, "conversation.left", data)
