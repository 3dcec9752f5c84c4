"""A second, naive reading of the rulebook: what must be answered, logged and signalled, to whom.

The oracle is told of every command in order of commit, by who gave it, and says what its answer
must be, which events each log gains and which signals may go out. Imports nothing from server. Here
are the decisions on messages, reading and typing; who is in what is in `oracle_rosters`, how
somebody is reached in `oracle_ways`, members in `oracle_members`, reads in `oracle_reads`, and who
sees what in `oracle_world`.
"""

from __future__ import annotations

from typing import Any

from tests.support.oracle_own import OwnViews, marks_of
from tests.support.oracle_rosters import Rosters
from tests.support.oracle_things import Answer, Map, Message, No, Signal, Talk, Version
from tests.support.oracle_ways import Standing, standing


class Oracle(OwnViews, Rosters):
    """One method a command; errors are raised before anything changes."""

    def _tell(self, talk: Talk, name: str, message: Message, member: str = "") -> None:
        kept = frozenset(
            one for one in talk.present if not talk.two and message.pos <= talk.stays[one][-1].after
        )  # what becomes of messages from before they came, viewers or not, is not theirs
        for topic in talk.topics():
            self._emit(topic, name, {}, message, member, kept)

    def _signal(
        self, talk: Talk, name: str, sender: str, message: Message | None = None, **data: Any
    ) -> None:
        to = frozenset(
            one for one in talk.roster
            if self.signals_pass(talk, sender, one)
            and (message is None or self.follows(one, message))
        )  # fmt: skip
        whole = {"conversation": talk.id, "member": sender, **data}
        self.signals.append(Signal(self.now, name, whole, talk, to, self.ms))

    def _writable(self, me: str, talk: Talk) -> None:
        """Whether they may say something here, beyond a first message to somebody."""
        if not talk.two:
            self._present(me, talk)
            large = talk.group and not self.small(talk)
            if large and not self.groups[talk.group].leads(me):
                raise No("refused")
            return
        other = talk.other(me)
        bond = self.bond(me, other)
        if bond.blockers:
            raise No("unreachable")
        now = standing(self, me, other)
        asked = bond.approach is not None and bond.approach.request and not bond.connected
        if now.waits or (now.answers and asked):
            raise No("refused")
        if not now.kind:
            raise No("unreachable")

    def _present(self, me: str, talk: Talk) -> None:
        """A participant now: who only views does nothing but read."""
        if me not in talk.present:
            raise No("unreachable")
        if me in talk.viewers:
            raise No("refused")

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
        mentions: Any = (), max_cost: int = 0,
    ) -> Map:  # fmt: skip
        if (to is None) == (conversation is None):
            raise No("invalid")
        self._check_text(body, self.rules.body)
        self._check_text(subject, self.rules.subject, empty=True)
        self._not_me(me, to or "")
        repeated = self._repeated(me, client_id)
        if repeated is not None:
            return repeated
        talk, taken = self._way(me, to, conversation, body, max_cost)
        if reply_to is not None and self._visible_to(me, reply_to).talk is not talk:
            raise No("unreachable")
        talk = talk or self._pairs_own(me, to or "")
        ident = self._new("message", self.messages)
        data: Map = {
            "conversation": talk.id, "message": ident, "seq": len(talk.messages) + 1, "sender": me,
            "kind": taken.kind, "body": body, "client_id": client_id, "sent_at": self.ms, "rev": 0,
        }  # fmt: skip
        if subject:
            data["subject"] = subject
        if reply_to is not None:
            data["reply_to"] = reply_to
        if named := self._mentioned(me, talk, mentions):
            data["mentions"] = named
        pos = 0 if talk.two else self.head(talk.topic) + 1
        message = Message(talk, me, pos, [Version(self.now, data, ())])
        self.messages[ident] = message
        talk.messages.append(message)
        talk.active.append((self.now, self.ms))
        self._tell(talk, "message.created", message)
        if talk.two:
            self._take(me, talk.other(me), taken, talk)
        names = ("conversation", "message", "seq", "kind", "sent_at")
        return self._create(me, client_id, {name: data[name] for name in names})

    def _way(self, me: str, to: str | None, conversation: str | None, body: str,
             max_cost: int) -> tuple[Talk | None, Standing]:  # fmt: skip
        """Where a message goes, and by which way; of two who have no conversation yet, nowhere."""
        if to is None:
            talk = self._place(me, conversation or "")
            if not talk.two:
                self._writable(me, talk)
                return talk, Standing("group" if talk.group else "direct")
            to = talk.other(me)
        if to not in self.people or self.bond(me, to).blockers:
            raise No("unreachable")
        return self.bond(me, to).talk, self._passage(me, to, body, max_cost)

    def refusal(self, me: str, cmd: str, params: Map) -> Answer | None:
        """What a command would be refused with now, on facts that it does not hold."""
        try:
            match cmd:
                case "message.send":
                    where = (params.get("to"), params.get("conversation"))
                    self._way(me, *where, params["body"], params.get("max_cost", 0))
                case "message.edit":
                    self._writable(me, self._visible_to(me, params["message"]).talk)
                case "typing.start" | "typing.stop":
                    self._typing_place(me, params["conversation"])
                case "conversation.rename" | "conversation.remove":
                    self._changeable(me, params["conversation"])
                case _:
                    pass
        except No as no:
            return Answer(no.more, no.code)
        return None

    def refuse(self, ms: int, answer: Answer) -> Answer:
        """Take a refusal, which changes nothing, in the order of commits."""
        self.now += 1
        self.ms, self.lost = ms, []
        return answer

    def _as_it_is(self, me: str, message: Message) -> None:
        """What is seen as of an earlier stay is not there to be changed."""
        if not self.follows(me, message):
            raise No("refused")

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
        self._as_it_is(me, found)
        self._own(me, found)
        changed = {**found.now.map, "body": body, "edited_at": self.ms}
        self._change(found, "message.edited", changed)
        return self.message_map(found, self.now)

    def _message_delete(self, me: str, message: str) -> Map:
        found = self._visible_to(me, message)
        talk = found.talk
        if not talk.two:
            self._present(me, talk)
        elif self.bond(*talk.roster).blockers:
            raise No("unreachable")
        self._as_it_is(me, found)
        if not (found.sender == me and "deleted_at" in found.now.map):
            self._own(me, found)
            kept = ("conversation", "message", "seq", "sender", "sent_at")
            tombstone = {name: found.now.map[name] for name in kept}
            self._change(found, "message.deleted", {**tombstone, "deleted_at": self.ms})
        return found.now.map

    def _message_react(self, me: str, message: str, emoji: str, on: bool = True) -> Map:
        found = self._visible_to(me, message)
        if found.talk.two:
            self._writable(me, found.talk)
        else:
            self._present(me, found.talk)  # in a group's large one few write, and all react
        self._as_it_is(me, found)
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
            if shown and (self.carries(*talk.roster) if talk.two else self.small(talk)):
                talk.shown[me] = seq
                of = talk.messages[seq - 1]
                self._signal(talk, "receipt.read", me, of, seq=seq, seen_at=self.ms)
        if seq >= before:
            self._marked(me, talk, unread=False)
        return {"read": talk.read.get(me, 0)}

    def _typing_place(self, me: str, conversation: str) -> Talk:
        talk = self._place(me, conversation)
        met = self.bond(*talk.roster).approach if talk.two else None
        if met is None or not met.request or met.sender == me or self.bond(*talk.roster).blockers:
            self._writable(me, talk)  # who was asked may type an answer, which nobody is shown
        return talk

    def _typing_start(self, me: str, conversation: str) -> Map:
        talk = self._typing_place(me, conversation)
        self._signal(talk, "typing.started", me, expires_in_ms=6000)
        return {}

    def _typing_stop(self, me: str, conversation: str) -> Map:
        talk = self._typing_place(me, conversation)
        self._signal(talk, "typing.stopped", me)
        return {}
