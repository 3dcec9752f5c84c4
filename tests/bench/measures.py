"""Each measurement: what is set up, who is measured in turn, and what a run's figure is."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.bench import figures, generator, payloads, places
from tests.bench.payloads import Encoding
from tests.bench.places import House, Place
from tests.support.postgres_service import Postgres
from tests.support.redis_service import RedisService

Say = Callable[[str], None]
ROOM = 50
MANY_SESSIONS = "sessions_per_member = 1000\n"
PAIRS = 100
IN_FLIGHT = 100
NEW_SESSIONS = 1_500
IDLE = 10_000
_numbers = itertools.count()


def fan_out(
    directory: Path, turns: int, say: Say,
    *, sessions: int, window: int, encoding: Encoding, redis: bool = False, peers: bool = True,
) -> dict[str, Any]:  # fmt: skip
    """Deliveries a second of stored messages to one conversation of 50, beside servers that
    neither store nor check, with frames of equal length."""
    rounds = max(20, min(100_000 * window // sessions // 4, 1_500)) // window * window or window
    with ExitStack() as stack:
        options: tuple[str, ...] = ()
        if redis:
            options = ("--redis", stack.enter_context(RedisService()).url())
        house = stack.enter_context(places.subrosa(*options, policy=MANY_SESSIONS))
        members = house.members(ROOM)
        room = house.room(members)
        tokens = list(members.values())
        connects = (
            encoding.pack(payloads.connect(tokens[n % ROOM], f"d{n}")) for n in range(sessions)
        )
        opens = payloads.write(directory / "opens", connects)

        def ours(rounds: int = rounds) -> dict[str, Any]:
            frame = encoding.pack(payloads.send(f"r{next(_numbers)}", conversation=room))
            publish = payloads.write(directory / "publish", [frame])
            return generator.run(
                house.place, *encoding.options, conns=sessions, opens=opens, publish=publish,
                expect=sessions, rounds=rounds, window=window, each=rounds,
            )  # fmt: skip

        tried = ours(window)
        size = round(tried["bytes"] / tried["deliveries"])
        measures: dict[str, Callable[[int], float]] = {"subrosa": lambda _: _rate(ours())}
        plain = payloads.write(directory / "plain", [_padded(b'{"t":"', b'"}', size)])
        packet = payloads.write(directory / "packet", [_padded(b'42["m","', b'"]', size)])
        joins = payloads.write(directory / "joins", [b"40"])
        others: dict[str, Callable[[], Any]] = {"limit": lambda: places.limit(size)}
        if peers:
            others |= {"naive": places.naive, "bun": places.bun, "socket.io": places.socketio}
        for name, other in others.items():
            try:
                place: Place = stack.enter_context(other())
            except places.Missing as missing:
                say(f"without {name}: {missing}")
                continue
            what: dict[str, Path] = {"publish": plain}
            if name == "socket.io":  # its packets, and the one that joins its namespace
                what = {"publish": packet, "opens": joins}
            measures[name] = lambda _, place=place, what=what: _rate(  # type: ignore[misc]
                generator.run(
                    place,
                    conns=sessions,
                    expect=sessions,
                    rounds=rounds,
                    window=window,
                    each=rounds,
                    **what,
                )
            )
        found = figures.compared(figures.interleaved(turns, measures, say))
    return {**found, "frame_bytes": size, "rounds": rounds, "unit": "deliveries a second"}


def _padded(head: bytes, tail: bytes, size: int) -> bytes:
    """A text that makes a frame of so many bytes, with the time in it."""
    text = head + payloads.TIME.encode()
    return text + b" " * (size - 4 - len(text) - len(tail)) + tail


def _rate(found: dict[str, Any]) -> float:
    return float(found["deliveries"] / found["seconds"])


def sends(
    directory: Path, turns: int, say: Say, *, database: bool, encoding: Encoding = payloads.MSGPACK
) -> dict[str, Any]:
    """Acknowledged one-to-one sends a second, stored and synced, with all checks; 200 members."""
    with ExitStack() as stack:
        options: tuple[str, ...] = ()
        if database:
            postgres = stack.enter_context(Postgres(durable=True))
            postgres.create_database("bench")
            options = ("--database", postgres.url("bench"))
        house = stack.enter_context(places.subrosa(*options))
        members = house.members(2 * PAIRS)
        ids = list(members)
        pairs = list(zip(ids[:PAIRS], ids[PAIRS:], strict=True))
        house.operate([("connection.put", {"a": a, "b": b}) for a, b in pairs])
        connects = (encoding.pack(payloads.connect(members[one], "d")) for one in ids)
        opens = payloads.write(directory / "opens", connects)
        count = 10_000 if not database else 6_000

        def ours(_: int, count: int = count) -> float:
            run = f"r{next(_numbers)}"
            frames = [encoding.pack(payloads.send(run, to=b)) for _, b in pairs]
            found = generator.run(
                house.place, "--by-ack", *encoding.options, conns=2 * PAIRS, opens=opens,
                publish=payloads.write(directory / "publish", frames),
                expect=2, rounds=count, window=IN_FLIGHT,
            )  # fmt: skip
            return float(found["acks"] / found["seconds"])

        ours(0, PAIRS)  # each conversation is made by its first message
        runs = figures.interleaved(turns, {"subrosa": ours}, say)
    sync = sync_ms(directory)
    return {**figures.compared(runs), "sync_ms": sync, "unit": "acknowledged sends a second"}


def sync_ms(directory: Path) -> float:
    """How long this disk takes to sync a page that was written."""
    times = []
    with (directory / "synced").open("wb", buffering=0) as file:
        for _ in range(50):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    return sorted(times)[len(times) // 2]


def new_sessions(directory: Path, turns: int, say: Say) -> dict[str, Any]:
    """New authenticated sessions a second, each of a member of its own with a token of its own
    that was never seen before, one topic each."""
    with places.subrosa() as house:
        ids = list(house.members(NEW_SESSIONS))

        def ours(_: int) -> float:
            issued = house.operate([("token.issue", {"member": one}) for one in ids])
            connects = (
                payloads.MSGPACK.pack(payloads.connect(one["token"], "d")) for one in issued
            )
            opens = payloads.write(directory / "opens", connects)
            found = generator.run(
                house.place, *payloads.MSGPACK.options, conns=NEW_SESSIONS, opens=opens, at_once=200
            )
            return float(found["opened"] / found["opening_s"])

        runs = figures.interleaved(turns, {"subrosa": ours}, say)
    return {**figures.compared(runs), "unit": "sessions a second"}


def resuming(
    directory: Path, turns: int, say: Say, *, sessions: int, missed: int, own: bool = False
) -> dict[str, Any]:
    """Milliseconds until all of so many sessions, who come back at once, have what each missed: of
    one conversation of 50, or each of a conversation that is theirs and one other's alone."""
    with places.subrosa(policy=MANY_SESSIONS) as house:
        members = house.members(sessions if own else ROOM)
        ids = list(members)
        talk = _talk_in_pairs if own else _talk_in_room
        topic = talk(house, members, missed, directory)

        def positions(one: str) -> dict[str, int]:
            return {f"member:{one}": 0, **({topic: 0} if topic else {})}

        connects = (
            payloads.MSGPACK.pack(payloads.connect(members[one], f"d{n}", positions(one)))
            for n in range(sessions)
            for one in [ids[n % len(ids)]]
        )
        opens = payloads.write(directory / "opens", connects)

        def ours(_: int) -> float:
            found = generator.run(
                house.place, *payloads.MSGPACK.options,
                conns=sessions, opens=opens, at_once=200, missed=missed, each=missed,
            )  # fmt: skip
            return float(found["seconds"] * 1000)

        runs = figures.interleaved(turns, {"subrosa": ours}, say)
    return {**figures.compared(runs), "unit": "ms until the last has all"}


def _talk_in_room(house: House, members: dict[str, str], count: int, directory: Path) -> str:
    """Have so many messages sent in a conversation of all of these; its topic."""
    room = house.room(members)
    _talk(house, [(next(iter(members.values())), {"conversation": room})], count, directory)
    return f"conversation:{room}"


def _talk_in_pairs(house: House, members: dict[str, str], count: int, directory: Path) -> str:
    """Have so many messages sent between each two of these: they come on members' own topics."""
    ids = list(members)
    pairs = list(zip(ids[::2], ids[1::2], strict=True))
    house.operate([("connection.put", {"a": a, "b": b}) for a, b in pairs])
    _talk(house, [(members[a], {"to": b}) for a, b in pairs], count * len(pairs), directory)
    return ""


def _talk(
    house: House, speakers: list[tuple[str, dict[str, str]]], count: int, directory: Path
) -> None:
    pack, run = payloads.MSGPACK.pack, f"r{next(_numbers)}"
    connects = (pack(payloads.connect(token, "talk")) for token, _ in speakers)
    sent = [pack(payloads.send(run, **where)) for _, where in speakers]
    generator.run(
        house.place, *payloads.MSGPACK.options, "--by-ack",
        conns=len(speakers), opens=payloads.write(directory / "opens", connects),
        publish=payloads.write(directory / "publish", sent),
        expect=1, rounds=count, window=IN_FLIGHT,
    )  # fmt: skip


def memory(directory: Path, turns: int, say: Say) -> dict[str, Any]:
    """Bytes of the process for each of 10,000 idle sessions of one topic."""
    members = IDLE // 200

    def ours(_: int) -> float:
        with places.subrosa(policy=MANY_SESSIONS) as house:
            tokens = list(house.members(members).values())
            connects = (
                payloads.MSGPACK.pack(payloads.connect(tokens[n % members], f"d{n}"))
                for n in range(IDLE)
            )
            opens = payloads.write(directory / "opens", connects)
            with _sampled(house, say) as most:
                generator.run(
                    house.place, *payloads.MSGPACK.options, conns=IDLE, opens=opens, settle=5_000
                )
            return most[-1] / IDLE

    runs = figures.interleaved(min(turns, 3), {"subrosa": ours}, say)
    return {**figures.compared(runs), "unit": "bytes a session"}


@contextmanager
def _sampled(house: House, say: Say) -> Iterator[list[float]]:
    """Have the process's growth sampled meanwhile; the last one is while all are open."""
    before, samples = house.place.resident(), [0.0]

    def sample() -> None:
        samples.append(max(samples[-1], float(house.place.resident() - before)))

    with meanwhile(0.25, sample):
        yield samples


@contextmanager
def meanwhile(every_s: float, do: Callable[[], None]) -> Iterator[None]:
    """Have something done again and again in a thread of its own."""
    over = threading.Event()

    def again() -> None:
        while not over.wait(every_s):
            do()

    thread = threading.Thread(target=again)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
