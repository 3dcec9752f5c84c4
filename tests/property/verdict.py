"""The end of a run: what everybody believes is what a fresh read says, and nobody saw too much.

Called once all is at rest and every device is connected.
"""

from __future__ import annotations

import re
from typing import Any

from tests.property.clients import Connection, Request
from tests.property.mirror import LISTS, plain
from tests.property.program import Run
from tests.support.oracle_world import Disagreement

Map = dict[str, Any]
_CANARY = re.compile(rb"canary-[0-9]+-[a-z.0-9]+-")


async def judge(run: Run) -> None:
    """Raise unless the run ended as it had to."""
    await run.finish()
    for member in run.members:
        here = run.all.live(member)
        if not here:
            raise Disagreement(f"{member} could not come back")
        fresh = await _fresh(run, here[0])
        for one in here:
            _compare(run, one, fresh)
    for one in run.bench.connections:
        _look_for_canaries(run, one)
    for one in run.bench.connections:
        one.wire.cut()


async def _fresh(run: Run, one: Connection) -> dict[tuple[str, str], Request]:
    """Everything there is to read for a member."""
    asked = {(cmd, ""): one.say(cmd, {}) for cmd in LISTS}
    for talk in run.all.oracle.visible_talks(one.member):
        where = {"conversation": talk.id}
        asked["conversation.get", talk.id] = one.say("conversation.get", where)
        whole = {**where, "limit": 200}
        asked["conversation.history", talk.id] = one.say("conversation.history", whole)
    one.say("conversation.list", {"limit": 200})
    await run.bench.rest()
    return asked


def _compare(run: Run, one: Connection, fresh: dict[tuple[str, str], Request]) -> None:
    believed = one.device.mirror.believes()
    results = {key: _result(request) for key, request in fresh.items()}
    invitations = results["invitation.list", ""]["invitations"]
    facts = {
        "connection.list": {m["member"] for m in results["connection.list", ""]["members"]},
        "block.list": {m["member"] for m in results["block.list", ""]["members"]},
        "invitation.list": {i["invitation"] for i in invitations if i["to"] == one.member},
        "settings.get": results["settings.get", ""],
    }
    believed["invitation.list"] = set(believed["invitation.list"])
    for cmd, fact in facts.items():
        if believed[cmd] != fact and believed[cmd] != {}:  # never told: the settings' defaults
            raise Disagreement(f"{_who(one)} believes {cmd} {believed[cmd]}, and it is {fact}")
    for talk, known in believed["talks"].items():
        get, history = results["conversation.get", talk], results["conversation.history", talk]
        many = run.bench.rules.signals_up_to < 50
        messages = [plain(m, many) for m in history["messages"]]
        if [plain(m, many) for m in known["messages"].values()] != messages:
            raise Disagreement(f"{_who(one)} believes {known['messages']}, and it is {messages}")
        people = {p["member"] for p in get["participants"]}
        now = {"title": get["title"], "people": people, "read": get["read"]}
        then = {name: known[name] for name in now}
        if get["kind"] == "one_to_one" or many:
            now["people"] = then["people"] = None
        if then != now:
            raise Disagreement(f"{_who(one)} believes of {talk} {then}, and it is {now}")
    unknown = run.all.oracle.visible_talks(one.member)
    if missed := {t.id for t in unknown if t.messages} - believed["talks"].keys():
        raise Disagreement(f"{_who(one)} has never heard of {missed}")


def _who(one: Connection) -> str:
    return f"{one.member}/{one.device.name}"


def _result(request: Request) -> Map:
    assert request.frame is not None
    result: Map = request.frame["result"]
    return result


def _look_for_canaries(run: Run, one: Connection) -> None:
    """Every text that this wire ever carried, in whatever form, was one for its member."""
    oracle = run.all.oracle
    seen = {found.decode() for found in _CANARY.findall(bytes(one.wire.data))}
    for message in oracle.messages.values():
        for version in message.versions:
            text = version.map.get("body")
            if text in seen and oracle.ever_saw(one.member, message, version):
                seen.discard(text)
    if seen:
        raise Disagreement(f"{_who(one)} was given {seen}")
