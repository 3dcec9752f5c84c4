"""A naive ledger of credits: everything that was ever done to an account, read through anew.

Owns what comes in by itself (a plan's monthly grants) and what runs out, both at their own
moments. The ledger is worked out from its deeds each time that it is looked at. Imports nothing
from server.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from tests.support.oracle_things import Deed, Map, Rules

BASIC = "basic"


@dataclass
class Line:
    """An entry of a ledger; `left` is what is unspent of credits that came in by it."""

    at_ms: int
    change: int
    reason: str
    expires_ms: int = 0
    left: int = 0

    def map(self) -> Map:
        out: Map = {"at_ms": self.at_ms, "change": self.change, "reason": self.reason}
        return {**out, "expires_at": self.expires_ms} if self.expires_ms else out


class Plan(NamedTuple):
    """A plan, since when, and how many of its monthly grants there have been."""

    name: str
    since_ms: int = 0
    grants: int = 0


def ledger(deeds: list[Deed], now_ms: int, rules: Rules) -> list[Line]:
    """All entries up to now, the oldest first."""
    lines: list[Line] = []
    plan = Plan(BASIC)
    for deed in [*deeds, Deed(now_ms, "look")]:
        plan = _fall_due(lines, plan, deed.ms, rules)
        if deed.what == "plan":
            plan = _another(lines, plan, deed, rules)
        elif deed.what == "spend":
            _spend(lines, deed.amount)
            lines.append(Line(deed.ms, -deed.amount, "inmail"))
        elif deed.what != "look":
            _come_in(lines, deed.ms, deed.amount, deed.what, rules)
    return lines


def _another(lines: list[Line], plan: Plan, deed: Deed, rules: Rules) -> Plan:
    if deed.plan != BASIC:
        return _fall_due(lines, Plan(deed.plan, deed.ms), deed.ms, rules)
    gone = sum(line.left for line in lines)
    for line in lines:
        line.left = 0
    if gone:
        lines.append(Line(deed.ms, -gone, "plan_ended"))
    return Plan(BASIC)


def _fall_due(lines: list[Line], plan: Plan, now_ms: int, rules: Rules) -> Plan:
    """Expiries and monthly grants, in order of time; at one moment the expiry first."""
    while True:
        next_out = min((line for line in lines if line.left), key=lambda x: x.expires_ms,
                       default=None)  # fmt: skip
        out_ms = next_out.expires_ms if next_out is not None else now_ms + 1
        in_ms = months_later(plan.since_ms, plan.grants) if plan.name != BASIC else now_ms + 1
        if min(out_ms, in_ms) > now_ms:
            return plan
        if next_out is not None and out_ms <= in_ms:
            lines.append(Line(out_ms, -next_out.left, "expired"))
            next_out.left = 0
        else:
            plan = Plan(plan.name, plan.since_ms, plan.grants + 1)
            grant, most = rules.credits[plan.name]
            room = most - sum(line.left for line in lines if line.reason == "plan")
            if min(grant, room) > 0:
                _come_in(lines, in_ms, min(grant, room), "plan", rules)


def _come_in(lines: list[Line], at_ms: int, amount: int, reason: str, rules: Rules) -> None:
    lines.append(Line(at_ms, amount, reason, at_ms + rules.credits_expire_ms, amount))


def _spend(lines: list[Line], amount: int) -> None:
    """The oldest first."""
    for line in lines:
        taken = min(amount, line.left)
        line.left -= taken
        amount -= taken


def months_later(since_ms: int, months: int) -> int:
    """The same day and time so many calendar months on, or that month's last day."""
    then = datetime.fromtimestamp(since_ms // 1000, UTC)
    month = then.month - 1 + months
    year, month = then.year + month // 12, month % 12 + 1
    last = calendar.monthrange(year, month)[1]
    then = then.replace(year=year, month=month, day=min(then.day, last))
    return int(then.timestamp()) * 1000 + since_ms % 1000


def month_of(ms: int) -> str:
    """The calendar month that something is counted in."""
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m}"


def week_of(ms: int) -> str:
    """The calendar week, from Monday."""
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%G-%V}"
