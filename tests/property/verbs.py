"""One random command: from four bytes to something that a member says.

A choice is taken modulo what there is to choose from at that moment, so that every byte means
something, a program stays meaningful when parts of it are taken away, and 0 means nothing at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from tests.property.bench import Bench
from tests.property.clients import Connection
from tests.support.oracle_things import Message, Talk

Map = dict[str, Any]
T = TypeVar("T")
EMOJIS = ("👍", "🎉", "❤️", "😀")


@dataclass(frozen=True)
class Choice:
    """The bytes of one command."""

    what: int
    who: int
    where: int
    which: int


def pick(choice: int, options: Sequence[T]) -> T | None:
    """One of these, or None where there is none."""
    return options[choice % len(options)] if options else None


class Speakers:
    """The members of a run, and what they say."""

    def __init__(self, bench: Bench, members: list[str]) -> None:
        self.bench = bench
        self.oracle = bench.oracle
        self.members = members
        self._made = 0
        self._sent: list[tuple[str, Map]] = []

    # Choices

    def live(self, *members: str) -> list[Connection]:
        """Open connections, of these members or of all."""
        return [
            one for one in self.bench.connections
            if one.code is None and one.wire.closed is None and one.streams is not None
            and (not members or one.member in members)
        ]  # fmt: skip

    def talk(self, member: str, where: int) -> Talk | None:
        """Mostly one that they are in, sometimes one that they were in, or never."""
        seen = self.oracle.visible_talks(member)
        inside = [talk for talk in seen if member in talk.roster]
        everywhere = list(self.oracle.talks.values())
        return pick(where // 16, everywhere if where % 16 == 15 else seen if where % 16 > 12
                    else inside)  # fmt: skip

    def message(self, talk: Talk | None, which: int) -> Message | None:
        """One of a conversation's last messages."""
        return pick(which, talk.messages[:-7:-1]) if talk is not None else None

    def member(self, which: int) -> str:
        """One of the run's, or an id that nobody has."""
        return pick(which, [*self.members, "nobody"]) or ""

    def ident(self) -> str:
        """A client_id, or what makes a text one's own."""
        self._made += 1
        return f"{self._made}-{self.members[0]}"

    # Commands

    def say(self, speaker: Connection, cmd: str, **params: Any) -> None:
        """Give a command over a connection."""
        self.bench.log.append(f"{speaker.member}/{speaker.device.name}: {cmd} {params}")
        speaker.say(cmd, params)

    def operate(self, cmd: str, **params: Any) -> None:
        """Give one of the operator's."""
        self.bench.log.append(f"operator: {cmd} {params}")
        self.bench.operate(cmd, **params)

    def send(self, speaker: Connection, **where: Any) -> None:
        """Send a message whose text nobody else has written."""
        params = {"body": f"canary-{self.ident()}-", "client_id": self.ident(), **where}
        self._sent.append((speaker.member, params))
        self.say(speaker, "message.send", **params)

    def edit(self, speaker: Connection, message: Message) -> None:
        """Give a message another such text."""
        ident = message.now.map["message"]
        self.say(speaker, "message.edit", message=ident, body=f"canary-{self.ident()}-")

    def command(self, choice: Choice) -> None:
        """Give the command that these bytes say, if there is anybody to give it."""
        verb = VERBS[choice.what % len(VERBS)]
        speaker = pick(choice.who, self.live())
        if verb is not None and speaker is not None:
            verb(self, speaker, choice)


Verb = Callable[[Speakers, Connection, Choice], None]


def _send(all_: Speakers, me: Connection, choice: Choice) -> None:
    talk = all_.talk(me.member, choice.where)
    more: Map = {}
    if choice.which & 1 and (answered := all_.message(talk, choice.which // 8)):
        more["reply_to"] = answered.now.map["message"]
    if choice.which & 2:
        more["mentions"] = all_.members[: choice.which // 32]
    if choice.which & 4:
        more["subject"] = f"canary-{all_.ident()}-"
    if talk is not None:
        all_.send(me, conversation=talk.id, **more)


def _send_to(all_: Speakers, me: Connection, choice: Choice) -> None:
    all_.send(me, to=all_.member(choice.which))


def _send_again(all_: Speakers, me: Connection, choice: Choice) -> None:
    mine = [params for member, params in all_._sent if member == me.member]
    params = pick(choice.which, mine[::-1])
    if params is not None:
        other = {"body": f"canary-{all_.ident()}-"} if choice.where % 4 == 3 else {}
        all_.say(me, "message.send", **{**params, **other})


def _edit(all_: Speakers, me: Connection, choice: Choice) -> None:
    message = all_.message(all_.talk(me.member, choice.where), choice.which)
    if message is not None:
        all_.edit(me, message)


def _on_message(cmd: str, **more: bool) -> Verb:
    def verb(all_: Speakers, me: Connection, choice: Choice) -> None:
        message = all_.message(all_.talk(me.member, choice.where), choice.which // 4)
        if message is not None:
            emoji = {"emoji": EMOJIS[choice.which % 4]} if more else {}
            all_.say(me, cmd, message=message.now.map["message"], **emoji)

    return verb


def _in_talk(cmd: str) -> Verb:
    def verb(all_: Speakers, me: Connection, choice: Choice) -> None:
        talk = all_.talk(me.member, choice.where)
        if talk is not None:
            all_.say(me, cmd, conversation=talk.id)

    return verb


def _read(all_: Speakers, me: Connection, choice: Choice) -> None:
    talk = all_.talk(me.member, choice.where)
    if talk is not None:
        seq = max(0, len(talk.messages) + 1 - choice.which % 5)
        all_.say(me, "receipt.read", conversation=talk.id, seq=seq)


def _history(all_: Speakers, me: Connection, choice: Choice) -> None:
    talk = all_.talk(me.member, choice.where)
    if talk is not None:
        side = (None, "before", "after")[choice.which % 3]
        bound = {side: choice.which // 3 % (len(talk.messages) + 2)} if side else {}
        all_.say(me, "conversation.history", conversation=talk.id, limit=7, **bound)


def _list(all_: Speakers, me: Connection, choice: Choice) -> None:
    filter_ = ("all", "unread", "requests")[choice.where % 3]
    limit = {"limit": 1 + choice.which % 5} if filter_ == "all" else {}
    all_.say(me, "conversation.list", filter=filter_, **limit)


def _start(all_: Speakers, me: Connection, choice: Choice) -> None:
    others = [one for i, one in enumerate(all_.members) if choice.where >> i & 1]
    if others:
        more = {"client_id": all_.ident()} if choice.which % 2 else {"title": all_.ident()}
        all_.say(me, "conversation.start", members=others, **more)


def _with_member(cmd: str) -> Verb:
    def verb(all_: Speakers, me: Connection, choice: Choice) -> None:
        talk = all_.talk(me.member, choice.where)
        if talk is not None:
            member = all_.member(choice.which)
            all_.say(me, cmd, conversation=talk.id, member=member)

    return verb


def _rename(all_: Speakers, me: Connection, choice: Choice) -> None:
    talk = all_.talk(me.member, choice.where)
    if talk is not None:
        title = all_.ident() if choice.which % 4 else ""
        all_.say(me, "conversation.rename", conversation=talk.id, title=title)


def _to_member(cmd: str, name: str = "member") -> Verb:
    def verb(all_: Speakers, me: Connection, choice: Choice) -> None:
        all_.say(me, cmd, **{name: all_.member(choice.which)})

    return verb


def _invite(all_: Speakers, me: Connection, choice: Choice) -> None:
    """Mostly somebody who is no connection yet."""
    known = [one for one in all_.members if all_.oracle.bond(me.member, one).connected]
    others = [one for one in all_.members if one not in known] if choice.where % 8 else known
    note = {"note": f"canary-{all_.ident()}-"} if choice.where % 2 else {}
    if others:
        all_.say(me, "invitation.send", to=pick(choice.which, others), **note)


def _invitation(all_: Speakers, me: Connection, choice: Choice) -> None:
    cmd = ("accept", "ignore", "refuse", "withdraw")[choice.where % 4]
    found = pick(choice.which, list(all_.oracle.invitations))
    if found is not None:
        all_.say(me, f"invitation.{cmd}", invitation=found)


def _switch(all_: Speakers, me: Connection, choice: Choice) -> None:
    all_.say(me, "settings.set", receipts=choice.which % 3 != 0)


def _own_list(all_: Speakers, me: Connection, choice: Choice) -> None:
    lists = ("connection.list", "block.list", "invitation.list", "settings.get")
    all_.say(me, lists[choice.which % 4])


def _operate(all_: Speakers, me: Connection, choice: Choice) -> None:
    other = all_.member(choice.which)
    if other not in ("nobody", me.member):
        cmd = "connection.delete" if choice.where % 4 == 3 else "connection.put"
        all_.operate(cmd, a=me.member, b=other)


def _refresh(all_: Speakers, me: Connection, choice: Choice) -> None:
    all_.bench.log.append(f"{me.member}/{me.device.name}: refresh")
    all_.bench.refresh(me)


_OFTEN: list[Verb] = [
    _send, _edit, _on_message("message.react", emoji=True), _read, _in_talk("typing.start"),
    _on_message("message.delete"),
]  # fmt: skip
_SELDOM: list[Verb] = [
    _send_to, _send_again, _history, _in_talk("conversation.get"), _list, _switch, _rename,
    _on_message("message.unreact", emoji=True), _in_talk("typing.stop"), _operate, _start,
    _with_member("conversation.add"), _with_member("conversation.add"),
    _with_member("conversation.remove"), _in_talk("conversation.leave"),
    _to_member("block.add"), _to_member("block.remove"), _to_member("connection.remove"),
    _invite, _invite, _invitation, _invitation, _own_list,
    _to_member("explain", "to"), _refresh, _operate,
]  # fmt: skip
VERBS: list[Verb | None] = [None, *_OFTEN, *_OFTEN, *_OFTEN, *_SELDOM]
