"""The command table: every command there is, and the decision of one.

WebSocket and HTTP share it; validation, the reference documents and tests are made from it.
"""

from __future__ import annotations

from typing import Any

from server.commands import (
    access,
    audit,
    connections,
    erasing,
    exporting,
    holds,
    members,
    messages,
    operator,
    purging,
    reading,
    rosters,
    signals,
)
from server.commands.command import Command
from server.commands.outcome import Call, Caller
from server.commands.snapshot import Snapshot
from server.commands.work import Work
from server.domain.rows import Topic

MEMBER: dict[str, Command] = {
    command.name: command
    for noun in (members, connections, messages, signals, rosters, reading)
    for command in noun.COMMANDS
} | {command.name: command for command in exporting.OWN}
OPERATOR: dict[str, Command] = {
    command.name: command
    for noun in (operator, erasing, exporting, holds, audit)
    for command in noun.COMMANDS
}
_INTERNAL: dict[str, Command] = {
    command.name: command
    for noun in (operator, erasing, purging, audit)
    for command in noun.INTERNAL
}


def of(caller: Caller) -> dict[str, Command]:
    """The commands that this caller may give."""
    return OPERATOR if caller.operator else MEMBER


def decide(call: Call, work: Work) -> dict[str, Any]:
    """Decide one writing command on the facts. Raises `Missing`, or a `CommandError`."""
    command = of(call.caller).get(call.cmd) or _INTERNAL[call.cmd]
    me = None
    if not call.caller.operator:
        me = access.member(call.caller, work)
        work.want((Topic, me.topic))  # what the caller is and may do holds until the commit
    result = command.run(me, call.params, work)
    audit.note(call.cmd, call.params, work)
    return result


def answer(call: Call, snapshot: Snapshot) -> dict[str, Any]:
    """Answer one reading command from a snapshot. Raises a `CommandError`."""
    command = of(call.caller)[call.cmd]
    who = None if call.caller.operator else access.member(call.caller, snapshot)
    return command.run(who, call.params, snapshot)
