"""What happened to requests, credits and rosters, in words of the messenger. Pure.

`chat` asks here for what it has no line of its own for.
"""

from __future__ import annotations

from client_demo.conversations import Conversation
from client_demo.errors import CommandError
from client_demo.protocol import Event, Map
from client_demo.screen import Screen


def notice(event: Event, room: Conversation | None, screen: Screen) -> str:
    """A line about an event, or nothing."""
    data = event.data
    match event.name:
        case "request.answered":
            answer = "accepted" if data["accepted"] else "declined"
            who = f"with {screen.title(room)} " if room is not None else ""
            return f"the request {who}was {answer}"
        case "credits.changed":
            return f"you have {in_credits(data['balance'])} now"
        case _:
            return ""


def change(changed: Map, screen: Screen) -> str:
    """One change of a roster."""
    who = screen.name(changed["member"])
    if changed["change"] == "added" and changed.get("role") == "viewer":
        return f"{who} was mentioned and can read this from here on"
    happened = {"added": "was added", "removed": "was removed", "left": "left"}
    return f"{who} {happened.get(changed['change'], changed['change'])}"


def price(error: CommandError) -> str:
    """The question before a message that costs something; nothing where it cannot be paid."""
    cost, balance = error.cost or 0, error.balance or 0
    if error.code != "costs_credit" or not 0 < cost <= balance:
        return ""
    return (
        f"this would be an InMail: {cost} of your {in_credits(balance)}. "
        "/pay sends it, /pay no does not"
    )


def in_credits(amount: int) -> str:
    """So many credits."""
    return f"{amount} credit" + ("" if amount == 1 else "s")
