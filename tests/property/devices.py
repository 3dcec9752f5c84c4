"""What a member's client keeps from one connection to the next: positions, and what it knows.

It follows docs/protocol to the letter and nothing else: `connect` says where its topics are,
events move them on, `conversation.joined` and `.left` begin and end them.
"""

from __future__ import annotations

from typing import Any

from tests.property.mirror import Mirror

Map = dict[str, Any]


class Device:
    """One of a member's. `heads` are those of its present connection."""

    def __init__(self, member: str, name: str, subprotocol: str) -> None:
        self.member = member
        self.name = name
        self.subprotocol = subprotocol
        self.mirror = Mirror(member)
        self.own = f"member:{member}"
        self.positions: dict[str, int] = {self.own: 0}  # made a moment ago: nothing is missed
        self.heads: dict[str, int] = {}

    def connected(self, heads: dict[str, int], reset: set[str]) -> None:
        """`connect` was answered, all topics included; `reset` are those live from their heads."""
        self.heads = heads
        for topic in reset:
            self.positions[topic] = heads[topic]
            kind, _, name = topic.partition(":")
            self.mirror.make_stale(name if kind == "conversation" else "")
            if kind == "conversation":
                self.mirror.talks[name] = topic

    def event(self, frame: Map) -> None:
        """An event with a position has arrived."""
        topic, pos, data = frame["topic"], frame["pos"], frame["data"]
        if topic in self.positions:
            self.positions[topic] = pos
        self.mirror.event(frame)
        if topic != self.own or not frame["event"].startswith("conversation."):
            return
        news = pos > self.heads.get(topic, 0)  # or told of by `connect` already
        if frame["event"] == "conversation.joined" and news:
            self.positions[data["topic"]] = data["pos"]
        elif frame["event"] == "conversation.left" and (news or data["topic"] not in self.heads):
            self.positions.pop(data["topic"], None)
