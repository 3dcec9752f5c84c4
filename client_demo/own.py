"""The messenger's commands on one's own view: marks, clearing, drafts, searching, reporting.

Called through the table in `slash`. Raises what the client raises, and `Misused`.
"""

from __future__ import annotations

from client_demo import naming
from client_demo.chat import Chat
from client_demo.conversations import Message

REASONS = ("spam", "fraud", "harassment", "threat", "impersonation", "other")
FOUND = 20  # messages shown for one search


async def _mark(chat: Chat, rest: str, name: str, done: str) -> None:
    if rest not in ("", "off"):
        raise naming.Misused("nothing behind it, or off")
    room = naming.room(chat)
    await chat.client.mark(room.id, **{name: not rest})
    chat.screen.notice(f"{chat.screen.title(room)} is {'no longer ' if rest else ''}{done}")


async def mute_command(chat: Chat, rest: str) -> None:
    """Do not tell of its messages; for yourself alone."""
    await _mark(chat, rest, "muted", "muted")


async def star_command(chat: Chat, rest: str) -> None:
    """Star it."""
    await _mark(chat, rest, "starred", "starred")


async def archive_command(chat: Chat, rest: str) -> None:
    """Put it away until a message comes."""
    await _mark(chat, rest, "archived", "archived")


async def unread_command(chat: Chat, rest: str) -> None:
    """Mark it unread, for later."""
    await _mark(chat, rest, "unread", "marked unread")


async def inbox_command(chat: Chat, rest: str) -> None:
    """Take a reported conversation back into the inbox."""
    room = naming.room(chat)
    await chat.client.mark(room.id, reported=False)
    chat.screen.notice(f"{chat.screen.title(room)} is in the inbox")


async def clear_command(chat: Chat, rest: str) -> None:
    """Delete its messages for yourself alone, for good."""
    room = naming.room(chat)
    if rest != "yes":
        raise naming.Misused("the messages are gone for you, for good: /clear yes")
    await chat.client.clear(room.id)
    chat.open = ""
    chat.screen.notice(
        f"{chat.screen.title(room)} is deleted for you; a new message brings it back"
    )


async def draft_command(chat: Chat, rest: str) -> None:
    """Keep a text for later, on all your devices; without one, show it; "send" or "drop" it."""
    room = naming.room(chat)
    if not rest:
        chat.screen.notice(f"draft: {room.draft}" if room.draft else "there is no draft here")
    elif rest == "send" and room.draft:
        await chat.say(room.draft)
        await chat.client.draft(room.id, "")
    else:
        await chat.client.draft(room.id, "" if rest in ("drop", "send") else rest)


async def find_command(chat: Chat, rest: str) -> None:
    """Find words in your messages; "here" first looks in this conversation alone."""
    first, _, words = rest.partition(" ")
    here = naming.room(chat).id if first == "here" and words else None
    query = words if here else rest
    if not query.strip():
        raise naming.Misused("like this: /find WORDS or /find here WORDS")
    found: list[Message] = []
    before: str | None = None
    while len(found) < FOUND:
        page = await chat.client.search(query, FOUND, before, here)
        found += [Message.of(message) for message in page["messages"]]
        if not page["more"]:
            break
        before = page["next"]
    for conversation in {message.conversation for message in found}:
        if conversation not in chat.inbox.conversations:
            chat.inbox.load(await chat.client.conversation(conversation))
    rows = []
    for message in found[:FOUND]:
        room = chat.inbox.conversations[message.conversation]
        where = f"{chat.screen.title(room)} #{message.seq} {chat.screen.when(message.sent_at)}"
        rows.append((where, f"{chat.screen.name(message.sender)}: {message.body}"))
    chat.listed = list(dict.fromkeys(message.conversation for message in found[:FOUND]))
    chat.screen.rows(rows, "nothing found")


async def report_command(chat: Chat, rest: str) -> None:
    """Report message #N, or "all" of this conversation; nobody in it is told."""
    what, _, words = rest.partition(" ")
    reason, _, text = words.partition(" ")
    if reason not in REASONS:
        raise naming.Misused(f"like this: /report NUMBER|all REASON TEXT; {', '.join(REASONS)}")
    room = naming.room(chat)
    message = None if what == "all" else naming.message(chat, what).id
    await chat.client.report(room.id, reason, message, text.strip() or None)
    chat.screen.notice("reported; it is out of your inbox: /list reported")
