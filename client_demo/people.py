"""The messenger's commands on people: connections, invitations, blocks, presence, one's switches.

Called through the table in `slash`. Raises what the client raises, and `Misused`.
"""

from __future__ import annotations

import shlex

from client_demo import naming
from client_demo.chat import Chat

SWITCHES = ("receipts", "active_status", "inmail", "sponsored", "open_profile")


async def invite_command(chat: Chat, rest: str) -> None:
    """Ask to connect."""
    name, _, note = rest.partition(" ")
    who = naming.member(chat, name)
    await chat.client.invite(who, note.strip() or None)
    chat.screen.notice(f"invited {chat.screen.name(who)}")


async def invitations_command(chat: Chat, rest: str) -> None:
    """Show open invitations."""
    found = (await chat.client.invitations(limit=200))["invitations"]
    rows = []
    for item in found:
        mine = item["from"] == chat.inbox.me
        other = chat.screen.name(item["to" if mine else "from"])
        rows.append((f"{'to' if mine else 'from'} {other}", item.get("note") or ""))
    chat.screen.rows(rows, "no invitations")


async def _invitation(chat: Chat, name: str, *, mine: bool) -> str:
    """The open invitation from a member, or one's own to them."""
    who = naming.member(chat, name)
    for item in (await chat.client.invitations(limit=200))["invitations"]:
        ours = item["from"] == chat.inbox.me
        if ours is mine and item["to" if ours else "from"] == who:
            return str(item["invitation"])
    raise naming.Misused(f"there is no invitation {'to' if mine else 'from'} {who}")


async def accept_command(chat: Chat, rest: str) -> None:
    """Accept an invitation."""
    await chat.client.accept(await _invitation(chat, rest, mine=False))


async def ignore_command(chat: Chat, rest: str) -> None:
    """Ignore it."""
    await chat.client.ignore(await _invitation(chat, rest, mine=False))
    chat.screen.notice("ignored; the sender is not told")


async def refuse_command(chat: Chat, rest: str) -> None:
    """Say “I don't know this person”."""
    await chat.client.refuse(await _invitation(chat, rest, mine=False))
    chat.screen.notice("refused; no more invitations come from them")


async def withdraw_command(chat: Chat, rest: str) -> None:
    """Take your own invitation back."""
    await chat.client.withdraw(await _invitation(chat, rest, mine=True))
    chat.screen.notice("withdrawn")


async def connections_command(chat: Chat, rest: str) -> None:
    """Show whom you are connected with."""
    found = (await chat.client.connections(limit=200))["members"]
    chat.screen.rows(
        ((m["member"], f"{m['name']}, {m.get('headline') or ''}".rstrip(", ")) for m in found),
        "no connections",
    )


async def disconnect_command(chat: Chat, rest: str) -> None:
    """End a connection."""
    await chat.client.remove_connection(naming.member(chat, rest))
    chat.screen.notice("no longer connected")


async def block_command(chat: Chat, rest: str) -> None:
    """Block somebody."""
    who = naming.member(chat, rest)
    await chat.client.block(who)
    chat.screen.notice(f"blocked {chat.screen.name(who)}; they are not told")


async def unblock_command(chat: Chat, rest: str) -> None:
    """Unblock somebody."""
    who = naming.member(chat, rest)
    await chat.client.unblock(who)
    chat.screen.notice(f"unblocked {chat.screen.name(who)}; you are not connected by that")


async def blocks_command(chat: Chat, rest: str) -> None:
    """Show whom you have blocked."""
    found = (await chat.client.blocks(limit=200))["members"]
    chat.screen.rows(((m["member"], m["name"]) for m in found), "nobody is blocked")


async def who_command(chat: Chat, rest: str) -> None:
    """Show who is active."""
    if rest:
        members = [naming.member(chat, name) for name in rest.replace(",", " ").split()]
    elif chat.room is not None:
        members = [m for m in chat.room.people if m != chat.inbox.me]
    else:
        found = await chat.client.connections(limit=50)
        members = [m["member"] for m in found["members"]]
    known = (await chat.client.presence(members[:50]))["members"] if members else {}
    rows = []
    for ident, state in known.items():
        last = state.get("last_active")
        gone = f"last active {chat.screen.when(last)}" if last else "not active"
        rows.append((chat.screen.name(ident), "active" if state["active"] else gone))
    chat.screen.rows(rows, "nobody whose activity is shown to you")


async def settings_command(chat: Chat, rest: str) -> None:
    """Show or change your switches."""
    words = shlex.split(rest)
    if words:
        if len(words) != 2 or words[0] not in SWITCHES or words[1] not in ("on", "off"):
            raise naming.Misused(f"like this: /settings receipts off ({', '.join(SWITCHES)})")
        found = await chat.client.settings(**{words[0]: words[1] == "on"})
    else:
        found = await chat.client.settings()
    chat.screen.rows(((k, "on" if v else "off") for k, v in found.items()), "no settings")
