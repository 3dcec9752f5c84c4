"""A second, naive reading of the rulebook: what must be answered, logged and signalled, to whom.

The oracle is told of every command in order of commit, by who gave it, and says what its answer
must be, which events each log gains and which signals may go out. Imports nothing from server. Here
are the decisions on messages and conversations; those on members are in `oracle_members`, reads
in `oracle_reads`, and who sees what in `oracle_world`.
"""

from __future__ import annotations

from typing import Any

from tests.support.oracle_own import OwnViews, marks_of
from tests.support.oracle_world import Map, Message, No, Signal, Stay, Talk, Version


class Oracle(OwnViews):
    """One method a command; errors are raised before anything changes."""

    def _tell(self, talk: Talk, name: str, message: Message, member: str = "") -> None:
        for topic in talk.topics():
            self._emit(topic, name, {}, message, member)

    def _signal(self, talk: Talk, name: str, sender: str, **data: Any) -> None:
        to = frozenset(one for one in talk.roster if self.signals_pass(talk, sender, one))
        whole = {"conversation": talk.id, "member": sender, **data}
        self.signals.append(Signal(self.now, name, whole, talk, to, self.ms))

    def _writable(self, me: str, talk: Talk) -> None:
        if not self.inside(me, talk) or (talk.two and not self.way_open(me, talk.other(me))):
            raise No("unreachable")

    def _visible_to(self, me: str, ident: str) -> Message:
        message = self.messages.get(ident)
        if message is None:
            raise No("unreachable")
        talk = self._place(me, message.talk.id)
        if not talk.two and not self.sees(me, talk.topic, message.pos):
            raise No("unreachable")
        if message.now.map["seq"] <= marks_of(me, talk, self.now).cleared:
            raise No("unreachable")
        return message

    # Messages

    def _message_send(
        self, me: str, body: str, client_id: str, to: str | None = None,
        conversation: str | None = None, subject: str = "", reply_to: str | None = None,
        mentions: Any = (),
    ) -> Map:  # fmt: skip
        if (to is None) == (conversation is None):
            raise No("invalid")
        self._check_text(body, self.rules.body)
        self._not_me(me, to or "")
        repeated = self._repeated(me, client_id)
        if repeated is not None:
            return repeated
        if to is not None:
            if to not in self.people or not self.way_open(me, to):
                raise No("unreachable")
            talk = self.bond(me, to).talk
        else:
            talk = self._place(me, conversation or "")
            self._writable(me, talk)
        if reply_to is not None and self._visible_to(me, reply_to).talk is not talk:
            raise No("unreachable")
        talk = talk or self._pairs_own(me, to or "")
        ident = self._new("message", self.messages)
        data: Map = {
            "conversation": talk.id, "message": ident, "seq": len(talk.messages) + 1, "sender": me,
            "kind": "direct", "body": body, "client_id": client_id, "sent_at": self.ms, "rev": 0,
        }  # fmt: skip
        if subject:
            data["subject"] = subject
        if reply_to is not None:
            data["reply_to"] = reply_to
        if named := [one for one in dict.fromkeys(mentions) if one in talk.roster]:
            data["mentions"] = named
        pos = 0 if talk.two else self.head(talk.topic) + 1
        message = Message(talk, me, pos, [Version(self.now, data, ())])
        self.messages[ident] = message
        talk.messages.append(message)
        talk.active.append((self.now, self.ms))
        self._tell(talk, "message.created", message)
        names = ("conversation", "message", "seq", "kind", "sent_at")
        return self._create(me, client_id, {name: data[name] for name in names})

    def _own(self, me: str, message: Message) -> None:
        first = message.versions[0].map
        too_late = self.ms - first["sent_at"] > self.rules.edit_ms
        if message.sender != me or "deleted_at" in message.now.map or too_late:
            raise No("refused")

    def _change(self, message: Message, name: str, changed: Map, member: str = "",
                reacted: tuple[tuple[str, str], ...] | None = None) -> None:  # fmt: skip
        before = message.now
        known = before.reacted if reacted is None else reacted
        changed = {**changed, "rev": before.map["rev"] + 1}
        message.versions.append(Version(self.now, changed, known))
        self._tell(message.talk, name, message, member)

    def _message_edit(self, me: str, message: str, body: str) -> Map:
        self._check_text(body, self.rules.body)
        found = self._visible_to(me, message)
        self._writable(me, found.talk)
        self._own(me, found)
        changed = {**found.now.map, "body": body, "edited_at": self.ms}
        self._change(found, "message.edited", changed)
        return self.message_map(found, self.now)

    def _message_delete(self, me: str, message: str) -> Map:
        found = self._visible_to(me, message)
        talk = found.talk
        if me not in talk.roster or (talk.two and self.bond(*talk.roster).blockers):
            raise No("unreachable")
        if not (found.sender == me and "deleted_at" in found.now.map):
            self._own(me, found)
            kept = ("conversation", "message", "seq", "sender", "sent_at")
            tombstone = {name: found.now.map[name] for name in kept}
            self._change(found, "message.deleted", {**tombstone, "deleted_at": self.ms})
        return found.now.map

    def _message_react(self, me: str, message: str, emoji: str, on: bool = True) -> Map:
        found = self._visible_to(me, message)
        self._writable(me, found.talk)
        if "deleted_at" in found.now.map:
            raise No("refused")
        reacted = found.now.reacted
        mine = [one for who, one in reacted if who == me]
        if (emoji in mine) != on:
            if on and len(mine) >= self.rules.reactions:
                raise No("refused")
            without = tuple(one for one in reacted if one != (me, emoji))
            now = (*reacted, (me, emoji)) if on else without
            self._change(found, "message.reacted", found.now.map, me, now)
        return {"reactions": self.message_map(found, self.now)["reactions"]}

    def _message_unreact(self, me: str, message: str, emoji: str) -> Map:
        return self._message_react(me, message, emoji, on=False)

    # Reading and typing

    def _receipt_read(self, me: str, conversation: str, seq: int) -> Map:
        talk = self._place(me, conversation)
        then = self.as_of(me, talk, self.now)
        seq = min(seq, sum(1 for m in talk.messages if m.versions[0].moment <= then))
        before = talk.read.get(me, 0)
        if seq > before:
            talk.read[me] = seq
            self._emit(f"member:{me}", "read.moved", {"conversation": talk.id, "read": seq})
            shown = self.people[me].receipts and me in talk.roster
            if shown and (self.way_open(*talk.roster) if talk.two else self.small(talk)):
                talk.shown[me] = seq
                self._signal(talk, "receipt.read", me, seq=seq, seen_at=self.ms)
        if seq >= before:
            self._marked(me, talk, unread=False)
        return {"read": talk.read.get(me, 0)}

    def _typing_start(self, me: str, conversation: str) -> Map:
        self._writable(me, talk := self._place(me, conversation))
        self._signal(talk, "typing.started", me, expires_in_ms=6000)
        return {}

    def _typing_stop(self, me: str, conversation: str) -> Map:
        self._writable(me, talk := self._place(me, conversation))
        self._signal(talk, "typing.stopped", me)
        return {}

    # Conversations

    def _pairs_own(self, a: str, b: str) -> Talk:
        bond = self.bond(a, b)
        if bond.talk is None:
            ident = self._new("conversation", self.talks)
            bond.talk = Talk(ident, True, [(self.now, (a, b))], [(self.now, "")],
                             [(self.now, self.ms)])  # fmt: skip
            self.talks[ident] = bond.talk
        return bond.talk

    def _found(self, members: tuple[str, ...], title: str) -> Talk:
        ident = self._new("conversation", self.talks)
        talk = Talk(ident, False, [(self.now, members)], [(self.now, title)],
                    [(self.now, self.ms)])  # fmt: skip
        self.talks[ident] = talk
        for member in members:
            talk.stays[member] = [Stay(0, self.now, 0)]
            self._told(talk, member, "conversation.joined", 0)
        return talk

    def _told(self, talk: Talk, member: str, name: str, pos: int) -> None:
        data = {"conversation": talk.id, "topic": talk.topic, "pos": pos}
        self._emit(f"member:{member}", name, data)

    def _reachable(self, me: str, *members: str) -> None:
        for member in members:
            if member not in self.people or not self.way_open(me, member):
                raise No("unreachable")

    def _conversation_start(self, me: str, members: list[str], title: str = "",
                            client_id: str | None = None) -> Map:  # fmt: skip
        self._check_text(title, self.rules.title, empty=True)
        self._not_me(me, *members)
        others = tuple(dict.fromkeys(members))
        repeated = self._repeated(me, client_id)
        if repeated is not None:
            return repeated
        if len(others) + 1 > self.rules.participants:
            raise No("refused")
        self._reachable(me, *others)
        one = len(others) == 1
        talk = self._pairs_own(me, others[0]) if one else self._found((me, *others), title)
        return self._create(me, client_id, {"conversation": talk.id})

    def _several(self, me: str, conversation: str) -> Talk:
        """A conversation of more than two that they are in now."""
        talk = self._place(me, conversation)
        if me not in talk.roster:
            raise No("unreachable")
        if talk.two:
            raise No("refused")
        return talk

    def _roster(self, talk: Talk, roster: tuple[str, ...], member: str, change: str) -> int:
        talk.rev += 1
        data: Map = {
            "conversation": talk.id, "rev": talk.rev, "participant_count": len(roster),
        }  # fmt: skip
        if len(roster) <= self.rules.signals_up_to:
            who = {"member": member, "name": self.people[member].name}
            data["changes"] = [{**who, "change": change, "role": "participant"}]
        talk.rosters.append((self.now, roster))
        return self._emit(talk.topic, "roster.changed", data)

    def _conversation_add(self, me: str, conversation: str, member: str,
                          client_id: str | None = None) -> Map:  # fmt: skip
        self._not_me(me, member)
        repeated = self._repeated(me, client_id)
        if repeated is not None:
            return repeated
        talk = self._place(me, conversation)
        if talk.two:
            if member == talk.other(me):
                raise No("refused")
            self._reachable(me, talk.other(me), member)
            talk = self._found((me, talk.other(me), member), "")
            return self._create(me, client_id, {"conversation": talk.id})
        self._several(me, conversation)
        self._reachable(me, member)
        if member not in talk.roster:
            if len(talk.roster) >= self.rules.participants:
                raise No("refused")
            pos = self._roster(talk, (*talk.roster, member), member, "added")
            after = 0 if self.rules.newcomers == "full" else pos
            talk.stays.setdefault(member, []).append(Stay(pos, self.now, after))
            self._told(talk, member, "conversation.joined", pos)
        return self._create(me, client_id, {"conversation": talk.id})

    def _end(self, talk: Talk, member: str, change: str) -> Map:
        roster = tuple(one for one in talk.roster if one != member)
        pos = self._roster(talk, roster, member, change)
        stay = talk.stays[member][-1]
        stay.left, stay.ended = pos, self.now
        self._told(talk, member, "conversation.left", pos - 1)
        return {}

    def _conversation_remove(self, me: str, conversation: str, member: str) -> Map:
        self._not_me(me, member)
        talk = self._several(me, conversation)
        if member not in talk.roster:
            raise No("unreachable")
        return self._end(talk, member, "removed")

    def _conversation_leave(self, me: str, conversation: str) -> Map:
        return self._end(self._several(me, conversation), me, "left")

    def _conversation_rename(self, me: str, conversation: str, title: str) -> Map:
        self._check_text(title, self.rules.title, empty=True)
        talk = self._several(me, conversation)
        if title != talk.titles[-1][1]:
            talk.rev += 1
            talk.titles.append((self.now, title))
            data = {"conversation": talk.id, "title": title, "rev": talk.rev}
            self._emit(talk.topic, "conversation.renamed", data)
        return {}
