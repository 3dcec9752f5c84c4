"""The messenger's commands on conversations and messages. Each gets the rest of its line.

Called through the table in `slash`. Raises what the client raises, and `Misused`.
"""

from __future__ import annotations

from client_demo import naming
from client_demo.chat import Chat
from client_demo.conversations import VIEWER

LISTS = ("unread", "connections", "others", "archived", "starred", "reported")


async def list_command(chat: Chat, rest: str) -> None:
    """List your conversations, numbered."""
    if rest not in ("", *LISTS):
        raise naming.Misused(f"like this: /list, or one of /list {', '.join(LISTS)}")
    if rest in ("", "unread"):
        rooms = [room for room in chat.latest_first() if room.in_inbox]
        if rest:
            rooms = [room for room in rooms if room.unread or room.own.unread_mark]
    else:
        found = await chat.client.conversations(limit=100, filter=rest)
        rooms = [chat.inbox.load(one) for one in found["conversations"]]
    chat.listed = [room.id for room in rooms]
    chat.screen.conversations(rooms)


async def open_command(chat: Chat, rest: str) -> None:
    """Open a conversation; /3 is short for /open 3."""
    if not chat.listed:
        chat.listed = [room.id for room in chat.latest_first()]
    if rest.isdigit() and 1 <= int(rest) <= len(chat.listed):
        room = chat.inbox.conversations.get(chat.listed[int(rest) - 1])
        if room is not None:
            await chat.enter(room)
            return
    titled = [
        r for r in chat.latest_first() if r.title and r.title.lower().startswith(rest.lower())
    ]
    if rest and len(titled) == 1:
        await chat.enter(titled[0])
        return
    who = naming.member(chat, rest)
    known = chat.with_member(who)
    if known is not None:
        await chat.enter(known)
    else:
        chat.open, chat.draft_to = "", who
        chat.screen.heading(f"to {chat.screen.name(who)}")
        chat.screen.notice("no messages yet: write the first one")


async def close_command(chat: Chat, rest: str) -> None:
    """Open nothing."""
    chat.open, chat.draft_to = "", ""
    chat.screen.notice("nothing is open")


async def older_command(chat: Chat, rest: str) -> None:
    """Show what was before."""
    await chat.older()


async def to_command(chat: Chat, rest: str) -> None:
    """Send without opening."""
    name, text = naming.split(rest, "/to NAME TEXT")
    await chat.post(to=naming.member(chat, name), body=text)


async def new_command(chat: Chat, rest: str) -> None:
    """Begin a conversation of several."""
    names, _, title = rest.partition("=")
    members = [naming.member(chat, name) for name in names.replace(",", " ").split()]
    if not members:
        raise naming.Misused("like this: /new NAME NAME … = TITLE")
    made = await chat.client.start(members, title=title.strip() or None)
    await enter_by_id(chat, made["conversation"])


async def enter_by_id(chat: Chat, conversation: str) -> None:
    """Open a conversation that the messenger may not have read yet."""
    room = chat.inbox.load(await chat.client.conversation(conversation))
    await chat.enter(room)


async def add_command(chat: Chat, rest: str) -> None:
    """Add a connection to this conversation."""
    room = naming.room(chat)
    made = await chat.client.add(room.id, naming.member(chat, rest))
    if made["conversation"] != room.id:
        chat.screen.notice("a conversation of two stays as it is: this is a new one")
        await enter_by_id(chat, made["conversation"])


async def remove_command(chat: Chat, rest: str) -> None:
    """Remove somebody from it."""
    await chat.client.remove(naming.room(chat).id, naming.member(chat, rest))


async def leave_command(chat: Chat, rest: str) -> None:
    """Leave it."""
    await chat.client.leave(naming.room(chat).id)


async def rename_command(chat: Chat, rest: str) -> None:
    """Give it a title."""
    await chat.client.rename(naming.room(chat).id, rest)


async def people_command(chat: Chat, rest: str) -> None:
    """Show who is in this conversation."""
    room = naming.room(chat)
    rows = []
    for ident, person in room.people.items():
        seen = f", seen up to #{person.shown}" if person.shown and ident != chat.inbox.me else ""
        seen = ", reads and writes nothing" if person.role == VIEWER else seen
        rows.append((ident, f"{person.name} ({person.role}{seen})"))
    chat.screen.rows(rows, f"{room.participant_count} participants")


async def reply_command(chat: Chat, rest: str) -> None:
    """Answer message #N."""
    number, text = naming.split(rest, "/reply NUMBER TEXT")
    await chat.say(text, reply_to=naming.message(chat, number).id)


async def edit_command(chat: Chat, rest: str) -> None:
    """Change your message #N, within the hour."""
    number, text = naming.split(rest, "/edit NUMBER TEXT")
    await chat.client.edit(naming.message(chat, number).id, text)


async def delete_command(chat: Chat, rest: str) -> None:
    """Delete your message #N for everyone, within the hour."""
    await chat.client.delete(naming.message(chat, rest).id)


async def react_command(chat: Chat, rest: str) -> None:
    """React to message #N."""
    number, emoji = naming.split(rest, "/react NUMBER EMOJI")
    await chat.client.react(naming.message(chat, number).id, emoji)


async def unreact_command(chat: Chat, rest: str) -> None:
    """Take a reaction back."""
    number, emoji = naming.split(rest, "/unreact NUMBER EMOJI")
    await chat.client.unreact(naming.message(chat, number).id, emoji)


async def typing_command(chat: Chat, rest: str) -> None:
    """Say that you are typing."""
    room = naming.room(chat)
    await (chat.client.stop_typing if rest == "stop" else chat.client.typing)(room.id)


async def unsent_command(chat: Chat, rest: str) -> None:
    """Show what waits to be sent."""
    rows = [(entry.lane, str(entry.params.get("body", ""))) for entry in chat.client.unsent]
    chat.screen.rows(rows, "everything is sent")
