"""The messenger's commands: what a line that begins with a slash does.

One table, `COMMANDS`, of which /help and the completion are made. A command gets the rest of its
line; what it lacks it says by `Misused`. The functions are in `talking` and `people`. Called by
`terminal`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from client_demo import own, people, talking, ways
from client_demo.chat import Chat
from client_demo.naming import Misused


class Quit(Exception):
    """The user is done."""


@dataclass(frozen=True, slots=True)
class Slash:
    """A command: how it is used, what it does (its function's docstring), the function."""

    usage: str
    does: str
    run: Callable[[Chat, str], Awaitable[None]]


async def obey(chat: Chat, line: str) -> None:
    """Do what a line says: a command, a conversation's number, or a text to send.

    Raises: Quit; ClientError for what went wrong, with words for the user.
    """
    line = line.strip()
    if not line:
        return
    if not line.startswith("/"):
        await chat.say(line)
        return
    if line.startswith("//"):  # a text that begins with a slash
        await chat.say(line[1:])
        return
    name, _, rest = line[1:].partition(" ")
    if name.isdigit():
        name, rest = "open", name
    command = COMMANDS.get(name.lower())
    if command is None:
        raise Misused(f"there is no /{name}: /help lists what there is")
    await command.run(chat, rest.strip())


async def help_command(chat: Chat, rest: str) -> None:
    """List the commands."""
    chat.screen.rows(((c.usage, c.does) for c in COMMANDS.values()), "")
    chat.screen.notice("any other line is sent to the open conversation; // begins one with a /")


async def quit_command(chat: Chat, rest: str) -> None:
    """Leave the messenger."""
    raise Quit


def _table(*rows: tuple[str, Callable[[Chat, str], Awaitable[None]]]) -> dict[str, Slash]:
    return {usage.split()[0][1:]: Slash(usage, run.__doc__ or "", run) for usage, run in rows}


COMMANDS = _table(
    ("/list [unread|archived|…]", talking.list_command),
    ("/open NUMBER|NAME", talking.open_command),
    ("/close", talking.close_command),
    ("/older", talking.older_command),
    ("/to NAME TEXT", talking.to_command),
    ("/new NAME NAME … = TITLE", talking.new_command),
    ("/reply N TEXT", talking.reply_command),
    ("/edit N TEXT", talking.edit_command),
    ("/delete N", talking.delete_command),
    ("/react N EMOJI", talking.react_command),
    ("/unreact N EMOJI", talking.unreact_command),
    ("/mute [off]", own.mute_command),
    ("/star [off]", own.star_command),
    ("/archive [off]", own.archive_command),
    ("/unread [off]", own.unread_command),
    ("/inbox", own.inbox_command),
    ("/clear yes", own.clear_command),
    ("/draft [TEXT|send|drop]", own.draft_command),
    ("/find [here] WORDS", own.find_command),
    ("/report N|all REASON TEXT", own.report_command),
    ("/typing [stop]", talking.typing_command),
    ("/unsent", talking.unsent_command),
    ("/people", talking.people_command),
    ("/add NAME", talking.add_command),
    ("/remove NAME", talking.remove_command),
    ("/leave", talking.leave_command),
    ("/rename TITLE", talking.rename_command),
    ("/explain NAME", ways.explain_command),
    ("/inmail NAME SUBJECT = TEXT", ways.inmail_command),
    ("/pay [no]", ways.pay_command),
    ("/credits", ways.credits_command),
    ("/requests", ways.requests_command),
    ("/request accept|decline [N]", ways.request_command),
    ("/end", ways.end_command),
    ("/groups", ways.groups_command),
    ("/group ID NAME … = TITLE", ways.group_command),
    ("/announce ID = TITLE", ways.announce_command),
    ("/connections", people.connections_command),
    ("/invite NAME [NOTE]", people.invite_command),
    ("/invitations", people.invitations_command),
    ("/accept NAME", people.accept_command),
    ("/ignore NAME", people.ignore_command),
    ("/refuse NAME", people.refuse_command),
    ("/withdraw NAME", people.withdraw_command),
    ("/disconnect NAME", people.disconnect_command),
    ("/block NAME", people.block_command),
    ("/unblock NAME", people.unblock_command),
    ("/blocks", people.blocks_command),
    ("/who [NAME …]", people.who_command),
    ("/settings [NAME on|off]", people.settings_command),
    ("/help", help_command),
    ("/quit", quit_command),
)
