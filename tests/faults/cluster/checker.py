"""Holds what every client got, and what is stored in the end, to what the clients did.

A reading of the contract of its own, over `Ledger`, the actors' streams and an `Audit`; it knows
nothing of the server. Each finding begins with its kind: lost, twice,
order, phantom, leak, or internal (a command was answered so).
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from tests.faults.cluster import cast
from tests.faults.cluster.audit import Audit
from tests.faults.cluster.ledger import (
    SIGNALS,
    End,
    Ledger,
    Socket,
    canaries,
)
from tests.faults.cluster.workload import Workload

KINDS = ("lost", "twice", "order", "phantom", "leak", "internal")


def check(work: Workload, found: Audit) -> list[str]:
    """Everything that is wrong."""
    ledger = work.ledger
    return [
        *ledger.faults,
        *_stored(ledger, found),
        *complete(work, found),
        *_order(work, found),
        *_traced(ledger),
        *_rooms(work, found),
        *_parted(work),
        *_ends(ledger),
        *_mutes(ledger),
    ]


def _stored(ledger: Ledger, found: Audit) -> list[str]:
    """What was acknowledged is in the history once; nothing else is but what was tried."""
    wrong: list[str] = []
    times: Counter[tuple[str, int]] = Counter()
    by_id: dict[str, tuple[str, dict[str, Any]]] = {}
    for place, messages in found.histories.items():
        sequence = [message["seq"] for message in messages]
        if sequence != list(range(1, len(sequence) + 1)):
            wrong.append(f"lost {place}: its history is {sequence}")
        for message in messages:
            if message["message"] in by_id:
                wrong.append(f"twice {place}: message {message['message']} in the history")
            by_id[message["message"]] = place, message
            key = (message["sender"] + message["client_id"][0], int(message["client_id"][1:])) if (
                message.get("client_id")) else None  # fmt: skip
            for author, there, number, version in canaries(message.get("body", "").encode()):
                key = author, number
                send = ledger.sends.get(key)
                if send is None or send.place != place or version >= len(send.versions):
                    wrong.append(f"phantom {place}: nobody sent {author} {there} {number}")
                elif author[:3] != message["sender"]:
                    wrong.append(f"phantom {place}: {key} as if by {message['sender']}")
            if key is not None:
                times[key] += 1
    for key, send in ledger.sends.items():
        if send.result is not None:
            ident = send.result["message"]
            place, message = by_id.get(ident, ("", {}))
            if place != send.place:
                wrong.append(f"lost {send.place}: {key} was acknowledged as {ident}")
            elif message["seq"] != send.result["seq"]:
                wrong.append(f"order {send.place}: {key} was acknowledged with another number")
        elif send.error and times[key] and not send.lost:
            wrong.append(f"phantom {send.place}: {key} was answered {send.error}, and is there")
        elif not send.error:
            wrong.append(f"lost {send.place}: {key} was never answered")
        if times[key] > 1:
            wrong.append(f"twice {send.place}: {key} is there {times[key]} times")
    return wrong


def complete(work: Workload, found: Audit) -> list[str]:
    """Every client has everything up to the heads of its topics, and no topic beside them."""
    wrong: list[str] = []
    for actor in work.actors:
        heads = found.heads[actor.member]
        for topic, head in heads.items():
            have = actor.positions.get(topic, -1)
            if have < head:
                wrong.append(f"lost {actor.name}: {topic} is at {head}, the client at {have}")
            elif have > head:
                wrong.append(f"phantom {actor.name}: {topic} is at {head}, the client at {have}")
        for topic in actor.positions.keys() - heads.keys():
            wrong.append(f"lost {actor.name}: was never told of the end of {topic}")
    return wrong


def _what(event: dict[str, Any]) -> tuple[Any, ...]:
    """What an event says that stays the same, however late it is read."""
    data = event["data"]
    if event["event"].startswith("message."):
        return event["event"], data.get("message")
    if event["event"] == "settings.changed":  # read later, it says what they are by then
        return (event["event"],)
    return event["event"], repr(sorted(data.items()))


def _order(work: Workload, found: Audit) -> list[str]:
    """A position of a topic is the same event to everybody; history and log have one order."""
    wrong: list[str] = []
    known: dict[tuple[str, int], tuple[Any, ...]] = {}
    ids = {place: ident for ident, place in work.ledger.places.items()}
    for place, log in found.logs.items():
        topic = f"conversation:{ids[place]}"
        steward = next(room.steward for room in cast.ROOMS if room.place == place)
        whole = list(range(1, found.heads[steward].get(topic, 0) + 1))
        if [event["pos"] for event in log] != whole:
            wrong.append(f"lost {topic}: its log has holes")
        known |= {(topic, event["pos"]): _what(event) for event in log}
    created: dict[str, dict[str, int]] = {}
    for actor in work.actors:
        for topic, events in actor.seen.items():
            for pos, _, event in events:
                if known.setdefault((topic, pos), _what(event)) != _what(event):
                    wrong.append(
                        f"order {actor.name}: {topic} {pos} is {_what(event)}, "
                        f"elsewhere {known[topic, pos]}"
                    )
                if event["event"] == "message.created":
                    data = event["data"]
                    created.setdefault(topic, {})[data["message"]] = pos
                    if data["conversation"] not in work.ledger.places:
                        wrong.append(f"phantom {actor.name}: conversation {data['conversation']}")
    for place, messages in found.histories.items():
        order = [message["message"] for message in messages]
        topics = [f"conversation:{ids[place]}", *(f"member:{m}" for m in place.split("-"))]
        for topic in topics:
            positions = [created[topic][m] for m in order if m in created.get(topic, {})]
            if positions != sorted(positions):
                wrong.append(f"order {place}: {topic} has another order than the history")
    stored = {m["message"] for messages in found.histories.values() for m in messages}
    for topic, messages_ in created.items():
        for ident in messages_.keys() - stored:
            wrong.append(f"phantom {topic}: {ident} was delivered and is not stored")
    return wrong


def _traced(ledger: Ledger) -> list[str]:
    """Every canary in any byte was sent before it came, and came to somebody whose it may be."""
    wrong: list[str] = []
    pools = {room.place: {room.steward, *room.pool} for room in cast.ROOMS}
    for socket in ledger.sockets:
        for heard in socket.heard:
            for author, place, number, version in heard.canaries:
                send = ledger.sends.get((author, number))
                if (
                    send is None
                    or send.place != place
                    or version >= len(send.versions)
                    or send.versions[version] > heard.at
                ):
                    wrong.append(f"phantom {socket.client}: nobody sent {author} {place} {number}")
                if socket.member not in pools.get(place, place.split("-")):
                    wrong.append(f"leak {socket.client}: {author} {place} {number}")
            topic = heard.frame.get("topic", "")
            if topic.startswith("member:") and topic != f"member:{socket.member}":
                wrong.append(f"leak {socket.client}: an event of {topic}")
    return wrong


def _first_sent(ledger: Ledger, author: str, number: int, version: int) -> float:
    """When this text was first sent; before everything if it never was, which is told elsewhere."""
    send = ledger.sends.get((author, number))
    known = send is not None and version < len(send.versions)
    return send.versions[version] if send is not None and known else -math.inf


def _mutes(ledger: Ledger) -> list[str]:
    """From a node without a lease nothing came that was said after it had run out."""
    wrong: list[str] = []
    for mute in ledger.mutes:
        for socket in ledger.sockets:
            if socket.node != mute.node:
                continue
            for heard in socket.heard:
                for author, place, number, version in heard.canaries:
                    said = _first_sent(ledger, author, number, version)
                    if mute.since < said and heard.at < mute.until:
                        wrong.append(
                            f"leak {socket.client}: {author} {place} {number} without a lease"
                        )
    return wrong


def _rooms(work: Workload, found: Audit) -> list[str]:
    """Of a conversation's log everybody got what the log itself says is theirs, and when it was."""
    wrong: list[str] = []
    ids = {place: ident for ident, place in work.ledger.places.items()}
    for room in cast.ROOMS:
        topic = f"conversation:{ids[room.place]}"
        spans = _spans(room, found.logs[room.place])
        for socket in work.ledger.sockets:
            mine = [
                (left, _may_have_joined(work.ledger, room, socket.member, turn))
                for turn, (_, left) in enumerate(spans.get(socket.member, []))
            ]
            for heard in socket.heard:
                pos = heard.frame.get("pos")
                if heard.frame.get("topic") != topic or pos is None:
                    continue
                if not any(pos < left and joined <= heard.at for left, joined in mine):
                    wrong.append(f"leak {socket.client}: {room.place} {pos}, spans {mine}")
    return wrong


def _spans(room: cast.Room, log: list[dict[str, Any]]) -> dict[str, list[tuple[int, float]]]:
    """From which position to before which one each member was in it."""
    spans: dict[str, list[tuple[int, float]]] = {
        m: [(0, math.inf)] for m in (room.steward, *room.founders)
    }
    for event in log:
        if event["event"] != "roster.changed":
            continue
        for change in event["data"]["changes"]:
            mine = spans.setdefault(change["member"], [])
            if change["change"] == "added":
                mine.append((event["pos"], math.inf))
            else:
                mine[-1] = (mine[-1][0], event["pos"])
    return spans


def _may_have_joined(ledger: Ledger, room: cast.Room, member: str, turn: int) -> float:
    """The earliest time at which this turn of being in it can have begun."""
    if turn == 0 and member in (room.steward, *room.founders):
        return -math.inf
    asked = sorted(ledger.removals[room.place, member])  # of so many at least was there an end
    after = asked[turn - 1] if 0 < turn <= len(asked) else -math.inf
    joins = [j.sent_at for j in ledger.joinings[room.place, member] if j.answered_at > after]
    return min(joins, default=-math.inf)


def _parted(work: Workload) -> list[str]:
    """Behind the end of a connection, a member's own log has nothing more of that pair."""
    wrong: list[str] = []
    for actor in work.actors:
        topic = f"member:{actor.member}"
        gone: dict[str, int] = {}
        for pos, _, event in actor.seen.get(topic, []):
            data = event["data"]
            if event["event"] == "connection.removed":
                gone[data["member"]] = pos
            elif event["event"] == "connection.added":
                gone.pop(data["member"], None)
            elif event["event"].startswith("message."):
                place = work.ledger.places.get(data["conversation"], "")
                for other in set(place.split("-")) - {actor.member}:
                    if other in gone:
                        wrong.append(f"leak {actor.name}: {place} {pos} after {gone[other]}")
    return wrong


def _ends(ledger: Ledger) -> list[str]:
    """After a change was answered, nothing later than it came to who lost by it."""
    wrong: list[str] = []
    for end in ledger.ends:
        for socket in ledger.sockets:
            if socket.member in end.victims and _concerns(end, socket):
                wrong += _after(end, socket, ledger)
    return wrong


def _concerns(end: End, socket: Socket) -> bool:
    if end.kind != "revoked":
        return True
    if end.device:
        lived = bool(socket.heard) and socket.heard[0].at <= end.asked_at
        return lived and socket.device == end.device
    return socket.issued <= end.issued


def _after(end: End, socket: Socket, ledger: Ledger) -> list[str]:
    wrong: list[str] = []
    marked = socket.opened_at > end.answered_at
    ping = end.pings.get(socket.number, 0)
    for heard in socket.heard:
        if heard.at >= end.again_at:
            break
        if ping and heard.frame.get("id") == ping and "result" in heard.frame:
            marked = True
            if end.kind == "revoked":
                wrong.append(f"leak {socket.client}: it was answered after it had been revoked")
        for author, place, number, version in heard.canaries:
            marked = marked or (author, number) == end.marker
            said = _first_sent(ledger, author, number, version)
            if said > end.answered_at and (end.places is None or place in end.places):
                wrong.append(
                    f"leak {socket.client}: {author} {place} {number} was sent after "
                    f"{end.kind} had been answered"
                )
        name = heard.frame.get("event", "")
        silent = marked and end.silent is not None and name in SIGNALS
        if silent and end.silent is not None and end.silent(name, heard.frame["data"]):
            wrong.append(f"leak {socket.client}: {name} after {end.kind} had been answered")
    return wrong
