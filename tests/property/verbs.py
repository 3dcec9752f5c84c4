"""One random command: from four bytes to something that a member says.

A choice is taken modulo what there is to choose from at that moment, so that every byte means
something, a program stays meaningful when parts of it are taken away, and 0 means nothing at all.
"""

from __future__ import annotations

from typing import Any

from tests.property import approaches
from tests.property.clients import Connection
from tests.property.speakers import Choice, Speakers, Verb, pick

Map = dict[str, Any]
LONG = ("", "and what not")  # more than a note on the plan basic has room for
FILTERS = ("all", "unread", "requests", "archived", "starred", "connections", "others")
EMOJIS = ("👍", "🎉", "❤️", "😀")


def command(all_: Speakers, choice: Choice) -> None:
    """Give the command that these bytes say, if there is anybody to give it."""
    verb = VERBS[choice.what % len(VERBS)]
    speaker = pick(choice.who, all_.live())
    if verb is not None and speaker is not None:
        verb(all_, speaker, choice)


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
    filter_ = FILTERS[choice.where % len(FILTERS)]
    limit = {"limit": 1 + choice.which % 5} if filter_ == "all" else {}
    all_.say(me, "conversation.list", filter=filter_, **limit)


def _own_view(all_: Speakers, me: Connection, choice: Choice) -> None:
    """Something that is one's own: nobody else is to notice."""
    talk = all_.talk(me.member, choice.where)
    if talk is None:
        return
    what, rest = choice.which % 8, choice.which // 8
    if what == 0:
        all_.say(me, "conversation.clear", conversation=talk.id)
    elif what == 1:
        body = f"canary-{all_.ident()}-" if rest % 3 else ""
        all_.say(me, "draft.set", conversation=talk.id, body=body)
    elif what < 4:
        query = "CANARY" if rest % 4 else f"canary -{rest}"
        all_.say(me, "message.search", conversation=talk.id, query=query, limit=1 + rest % 9)
    else:
        name = ("muted", "starred", "archived", "unread")[what - 4]
        all_.say(me, "conversation.set", conversation=talk.id, **{name: rest % 3 != 0})


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
    note = (
        {"note": f"canary-{all_.ident()}-{LONG[choice.who % 8 == 7]}"} if choice.where % 2 else {}
    )
    if others:
        all_.say(me, "invitation.send", to=pick(choice.which, others), **note)


def _invitation(all_: Speakers, me: Connection, choice: Choice) -> None:
    cmd = ("accept", "ignore", "refuse", "withdraw")[choice.where % 4]
    found = pick(choice.which, list(all_.oracle.invitations))
    if found is not None:
        all_.say(me, f"invitation.{cmd}", invitation=found)


def _switch(all_: Speakers, me: Connection, choice: Choice) -> None:
    name = ("receipts", "receipts", "open_profile", "inmail")[choice.where % 4]
    all_.say(me, "settings.set", **{name: choice.which % 3 != 0})


def _own_list(all_: Speakers, me: Connection, choice: Choice) -> None:
    lists = (
        "connection.list", "block.list", "invitation.list", "settings.get", "credits.get",
        "group.list",
    )  # fmt: skip
    all_.say(me, lists[choice.which % 6])


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
    _send_to, _send_again, _send_again, _history, _in_talk("conversation.get"), _list, _switch,
    _rename,
    _on_message("message.unreact", emoji=True), _in_talk("typing.stop"), _operate, _start,
    _with_member("conversation.add"), _with_member("conversation.add"),
    _with_member("conversation.remove"), _in_talk("conversation.leave"),
    _to_member("block.add"), _to_member("block.remove"), _to_member("connection.remove"),
    _invite, _invite, _invitation, _invitation, _own_list,
    _to_member("explain", "to"), _refresh, _operate, _own_view, _own_view,
]  # fmt: skip
VERBS: list[Verb | None] = [
    None, *_OFTEN, *_OFTEN, *_OFTEN, *_SELDOM, *approaches.VERBS,
]  # fmt: skip
