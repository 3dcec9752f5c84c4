"""The command table: every command there is, and the decision of one.

WebSocket and HTTP share it; validation, the reference documents and tests are made from it.
"""

from __future__ import annotations

from typing import Any

from server.commands import (
    access,
    audit,
    blocks,
    connections,
    erasing,
    exporting,
    group_talk,
    groups,
    holds,
    members,
    messages,
    operator,
    own_view,
    purging,
    purse,
    reading,
    reports,
    requests,
    rosters,
    search,
    signals,
)
from server.commands.command import Command
from server.commands.outcome import Call, Caller
from server.commands.snapshot import Snapshot
from server.commands.work import Work
from server.domain.rows import Topic

MEMBER: dict[str, Command] = {
    command.name: command
    for noun in (
        members, connections, blocks, messages, signals, rosters, requests, groups, purse, reading,
        own_view, search, reports,
    )
    for command in noun.COMMANDS
} | {command.name: command for command in exporting.OWN}  # fmt: skip
OPERATOR: dict[str, Command] = {
    command.name: command
    for commands in (
        operator.COMMANDS, groups.OPERATORS, purse.OPERATORS, reports.OPERATOR,
        erasing.COMMANDS, exporting.COMMANDS, holds.COMMANDS, audit.COMMANDS,
    )
    for command in commands
}  # fmt: skip
_INTERNAL: dict[str, Command] = {
    command.name: command
    for noun in (operator, groups, group_talk, erasing, purging, audit)
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
