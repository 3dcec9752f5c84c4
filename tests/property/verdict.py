"""The end of a run: what everybody believes is what a fresh read says, and nobody saw too much.

Called once all is at rest and every device is connected.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from tests.property.bench import Bench
from tests.property.clients import Connection, Request
from tests.property.mirror import LISTS, own_marks, plain
from tests.property.program import Run
from tests.support.oracle_things import Disagreement

Map = dict[str, Any]
Reads = dict[tuple[str, str], Map]  # by command and conversation
_CANARY = re.compile(rb"canary-[0-9]+-[a-z.0-9]+-")


async def judge(run: Run) -> None:
    """Raise unless the run ended as it had to."""
    await run.finish()
    for member in run.members:
        here = run.all.live(member)
        if not here:
            raise Disagreement(f"{member} could not come back")
        if member in run.careful:
            fresh = await _fresh(run, here[0])
            for one in here:
                _compare(run, one, fresh)
    for one in run.bench.connections:
        _look_for_canaries(run, one)
    for one in run.bench.connections:
        one.wire.cut()


async def _fresh(run: Run, one: Connection) -> Reads:
    """Everything there is to read for a member."""
    asked = {(cmd, ""): one.say(cmd, {}) for cmd in LISTS}
    for talk in run.all.oracle.visible_talks(one.member):
        whole = {"conversation": talk.id, "limit": 200}
        asked["conversation.history", talk.id] = one.say("conversation.history", whole)
        about = {"conversation": talk.id}
        asked["conversation.get", talk.id] = one.say("conversation.get", about)
    await run.bench.rest()
    return {key: _result(request) for key, request in asked.items()}


def _compare(run: Run, one: Connection, fresh: Reads) -> None:
    mirror = one.device.mirror
    invitations = fresh["invitation.list", ""]["invitations"]
    facts = {
        "connection.list": {m["member"] for m in fresh["connection.list", ""]["members"]},
        "block.list": {m["member"] for m in fresh["block.list", ""]["members"]},
        "invitation.list": {i["invitation"] for i in invitations if i["to"] == one.member},
        "settings.get": fresh["settings.get", ""],
    }
    for cmd, fact in facts.items():
        _same(one, cmd, mirror.listed(cmd), fact)
    many = run.bench.rules.signals_up_to < 50
    for talk in mirror.talks:
        messages = [plain(m, many) for m in fresh["conversation.history", talk]["messages"]]
        known = mirror.messages(talk)
        if known is not None:
            _same(one, talk, [plain(m, many) for m in known.values()], messages)
        get, about = fresh["conversation.get", talk], mirror.about(talk)
        if about is not None:
            people = {p["member"] for p in get["participants"]}
            told = about["people"] is not None and get["kind"] != "one_to_one" and not many
            now = {"title": get["title"], "people": people if told else None, "read": get["read"],
                   **own_marks(get)}  # fmt: skip
            assert now["archived"] == get["archived"]
            _same(one, talk, {**about, "people": about["people"] if told else None}, now)
    there = {talk.id for talk in run.all.oracle.visible_talks(one.member) if talk.messages}
    missed = there - mirror.talks.keys()
    if missed and ("conversation.list", "") not in mirror.stale:
        raise Disagreement(f"{_who(one)} has never heard of {missed}")


def _same(one: Connection, what: str, believed: Any, fact: Any) -> None:
    if believed is not None and believed != fact:
        raise Disagreement(f"{_who(one)} believes of {what}: {believed}, and it is {fact}")


def _who(one: Connection) -> str:
    return f"{one.member}/{one.device.name}"


def _result(request: Request) -> Map:
    assert request.frame is not None
    result: Map = request.frame["result"]
    return result


def _look_for_canaries(run: Run, one: Connection) -> None:
    """Every text that this wire ever carried, in whatever form, was one for its member."""
    oracle = run.all.oracle
    seen = _canaries(bytes(one.wire.data))
    for message in oracle.messages.values():
        for version in message.versions:
            texts = _canaries(repr(version.map).encode()) & seen
            if texts and oracle.ever_saw(one.member, message, version):
                seen -= texts
    for talk in oracle.talks.values():
        for _, marks in talk.own.get(one.member, []):
            seen -= _canaries(marks.draft.encode())
    for invitation in oracle.invitations.values():
        if one.member in (invitation.sender, invitation.to):
            seen -= _canaries(invitation.note.encode())
    if seen:
        raise Disagreement(f"{_who(one)} was given {seen}")


def _canaries(text: bytes) -> set[str]:
    return {found.decode() for found in _CANARY.findall(text)}


def exercised(bench: Bench) -> Counter[str]:
    """What the run that is over has exercised."""
    counts = Counter[str]()
    for given in (c.streams for c in bench.connections if c.streams is not None):
        counts["deliveries"] += given.events
        counts["positions in place of what is kept"] += given.kept
        counts["signals"] += sum(given.signals.values())
    for message in bench.oracle.messages.values():
        counts[f"of kind {message.versions[0].map['kind']}"] += 1
    for log in bench.oracle.logs.values():
        names = Counter(entry.name for entry in log)
        counts["requests"] += names["request.received"]
        counts["answers to them, told"] += names["request.answered"]
    for person in bench.oracle.people.values():
        counts["refunds"] += sum(deed.what == "refund" for deed in person.deeds)
    return counts
