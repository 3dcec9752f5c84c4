"""The messenger's commands on the ways to somebody: what is open, what it costs, requests, groups.

Nothing is spent without a word: a message that would cost something comes back refused, and only
`/pay` sends it. Called through the table in `slash`. Raises what the client raises, and `Misused`.
"""

from __future__ import annotations

from client_demo import naming, talking
from client_demo.chat import Chat
from client_demo.notices import in_credits
from client_demo.protocol import Map

LEDGER = 20  # entries shown
_REASONS = {"plan": "the month's", "inmail": "an InMail", "refund": "an InMail came back",
            "expired": "ran out", "plan_ended": "the plan ended", "purchase": "bought"}  # fmt: skip
_INMAIL = "like this: /inmail NAME SUBJECT = TEXT"


async def explain_command(chat: Chat, rest: str) -> None:
    """Show which ways to a member are open, what each costs, what would open one."""
    who = naming.member(chat, rest)
    found = (await chat.client.explain(who))["ways"]
    chat.screen.rows(((way["kind"], _open(way)) for way in found), f"no way leads to {who}")


def _open(way: Map) -> str:
    if way["allowed"]:
        return f"open, {in_credits(way['cost']) if way['cost'] else 'free'}"
    needs = ", ".join(way["needs"])
    return f"closed; opens by: {needs}" if needs else "closed"


async def inmail_command(chat: Chat, rest: str) -> None:
    """Write with a subject; costs nothing before you say /pay."""
    name, more = naming.split(rest, "/inmail NAME SUBJECT = TEXT")
    subject, _, text = (part.strip() for part in more.partition("="))
    if not subject or not text:
        raise naming.Misused(_INMAIL)
    await chat.post(to=naming.member(chat, name), body=text, subject=subject)


async def pay_command(chat: Chat, rest: str) -> None:
    """Send what would cost something, at that cost."""
    if chat.unpaid is None:
        raise naming.Misused("there is nothing to pay")
    (message, cost), chat.unpaid = chat.unpaid, None
    if rest == "no":
        chat.screen.notice("not sent, and nothing is spent")
    else:
        await chat.post(**{**message, "max_cost": cost})


async def credits_command(chat: Chat, rest: str) -> None:
    """Show your credits and what became of them."""
    found = await chat.client.credits(limit=LEDGER)
    chat.screen.notice(f"you have {in_credits(found['balance'])}")
    rows = []
    for entry in found["entries"]:
        until = entry.get("expires_at")
        till = f", until {chat.screen.when(until)}" if until else ""
        reason = _REASONS.get(entry["reason"], entry["reason"])
        rows.append((f"{entry['change']:+d}", f"{reason}{till}"))
    chat.screen.rows(rows, "nothing has come in or gone out")


async def requests_command(chat: Chat, rest: str) -> None:
    """List the requests that wait for your answer, numbered."""
    found = (await chat.client.conversations(limit=100, filter="requests"))["conversations"]
    rooms = [chat.inbox.load(one) for one in found]
    chat.listed = [room.id for room in rooms]
    if rooms:
        chat.screen.conversations(rooms)
    else:
        chat.screen.notice("no requests")


async def request_command(chat: Chat, rest: str) -> None:
    """Answer a request, by its number or the open one."""
    answer, _, number = rest.partition(" ")
    if answer not in ("accept", "decline") or not (number.isdigit() or not number):
        raise naming.Misused("like this: /request accept, or /request decline 2")
    if number and not 1 <= int(number) <= len(chat.listed):
        raise naming.Misused(f"there is no {number} in the last list: /requests")
    room = chat.listed[int(number) - 1] if number else naming.room(chat).id
    await (chat.client.accept_request if answer == "accept" else chat.client.decline_request)(room)


async def end_command(chat: Chat, rest: str) -> None:
    """Close this conversation to the other: what an answer had opened."""
    room = naming.room(chat)
    await chat.client.close(room.id)
    chat.inbox.stale.add(room.id)
    chat.screen.notice(f"closed to {chat.screen.title(room)}")


async def groups_command(chat: Chat, rest: str) -> None:
    """List the groups that you are in."""
    found = (await chat.client.groups())["groups"]
    rows = [(one["group"], f"{one['name']}, {one['size']} members, {one['role']}") for one in found]
    chat.screen.rows(rows, "you are in no group")


async def group_command(chat: Chat, rest: str) -> None:
    """Begin a group's conversation with members of it."""
    group, names, title = _group(rest)
    members = [naming.member(chat, name) for name in names.replace(",", " ").split()]
    if not members:
        raise naming.Misused("like this: /group ID NAME NAME … = TITLE; /announce is for everybody")
    await _begin(chat, group, members, title)


async def announce_command(chat: Chat, rest: str) -> None:
    """Begin one with all of the group, once a week."""
    group, names, title = _group(rest)
    if names:
        raise naming.Misused("like this: /announce ID = TITLE")
    await _begin(chat, group, [], title)


def _group(rest: str) -> tuple[str, str, str | None]:
    named, _, title = (part.strip() for part in rest.partition("="))
    group, _, names = named.partition(" ")
    if not group:
        raise naming.Misused("which group? /groups lists yours")
    return group, names.strip(), title or None


async def _begin(chat: Chat, group: str, members: list[str], title: str | None) -> None:
    made = await chat.client.start(members, title=title, group=group)
    await talking.enter_by_id(chat, made["conversation"])
