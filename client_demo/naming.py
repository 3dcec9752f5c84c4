"""What the words of a command mean: a member, a message, the open conversation.

A name is a member's id, or an unambiguous beginning of an id or of a name. What is lacking or
ambiguous is `Misused`, with words for the user. Called by `talking` and `people`.
"""

from __future__ import annotations

from client_demo.chat import Chat
from client_demo.conversations import Conversation, Message
from client_demo.errors import ClientError


class Misused(ClientError):
    """A command without what it needs; the text says what."""


def member(chat: Chat, name: str) -> str:
    """The member's id that a name means; a name nobody has is taken for an id.

    Raises: Misused if nothing is given or several are meant.
    """
    name = name.strip().removeprefix("@")
    if not name:
        raise Misused("whom? give a member's name")
    known = chat.inbox.names
    if name in known:
        return name
    low = name.lower()
    found = {
        ident
        for ident, full in known.items()
        if full.lower() == low or ident.lower().startswith(low) or full.lower().startswith(low)
    }
    if len(found) > 1:
        raise Misused(f"{name} may be {', '.join(sorted(found))}")
    return found.pop() if found else name


def room(chat: Chat) -> Conversation:
    """The open conversation. Raises: Misused if there is none."""
    if chat.room is None:
        raise Misused("nothing is open: /list and /open NUMBER")
    return chat.room


def message(chat: Chat, number: str) -> Message:
    """A message of the open conversation by its number, "12" or "#12"; "." is the last one.

    Raises: Misused if it is not loaded.
    """
    here = room(chat)
    number = number.removeprefix("#")
    seq = here.seq if number == "." else int(number) if number.isdigit() else 0
    found = here.messages.get(seq)
    if found is None:
        raise Misused(f"there is no message #{number} here; /older shows earlier ones")
    return found


def split(rest: str, usage: str) -> tuple[str, str]:
    """The first word and what follows it. Raises: Misused, with the usage, if either lacks."""
    first, _, more = rest.partition(" ")
    if not first or not more.strip():
        raise Misused(f"like this: {usage}")
    return first, more.strip()
