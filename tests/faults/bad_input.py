"""The table of bad input: what is sent, and how the contract says it is answered.

By class: requests, framing, UTF-8, depth, type, size, order. What takes time, because its badness
is in not going on, is in `bad_behaviour`. Everything is said to the whole server over a socket.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import msgpack

from tests.support import peer
from tests.support.arena import JSON, MSGPACK, SUBPROTOCOLS, Arena, Guest, Kind, packed

LIMIT = 128 * 1024
Run = Callable[[Arena], Awaitable[None]]


def _kind(name: str, run: Run) -> Kind:
    return Kind(name, run)


# Requests that never become a WebSocket


def _request(data: bytes, *statuses: int) -> Run:
    async def run(arena: Arena) -> None:
        async with peer.connected(arena.port) as socket:
            await socket.send(data)
            status, _, _ = await socket.response()
            assert status in statuses, status

    return run


def _handshake(*statuses: int, subprotocol: str | None = JSON, **headers: str | None) -> Run:
    return _request(peer.request(subprotocol, **headers), *statuses)


def _post(path: str, body: bytes, status: int, headers: str = "") -> Run:
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n{headers}\r\n"
    return _request(head.encode() + body, status)


def requests() -> Iterator[Kind]:
    """HTTP that is none, and handshakes that are none."""
    good = peer.request(JSON)
    yield _kind("no request at all", _request(b"\x16\x03\x01 hello\r\n\r\n", 400))
    yield _kind("a method of control characters", _request(b"G\x00T / HTTP/1.1\r\n\r\n", 400))
    yield _kind("a header without a colon", _request(b"GET / HTTP/1.1\r\nhost\r\n\r\n", 400))
    yield _kind("an upgrade of HTTP/1.0", _request(good.replace(b"/1.1", b"/1.0"), 400, 426))
    yield _kind("an upgrade by POST", _request(good.replace(b"GET", b"POST", 1), 400))
    yield _kind("an upgrade elsewhere", _request(good.replace(b"/ws", b"/v1/ws"), 404, 400))
    yield _kind("no key", _handshake(400, sec_websocket_key=None))
    yield _kind("a key that is too short", _handshake(400, sec_websocket_key="AAAA"))
    yield _kind("a key that is no base64", _handshake(400, sec_websocket_key="?" * 24))
    yield _kind("version 8", _handshake(400, sec_websocket_version="8"))
    yield _kind("no version", _handshake(400, sec_websocket_version=None))
    yield _kind("no host", _handshake(400, host=None))
    twice = b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    yield _kind("two keys", _request(good[:-2] + twice, 400))
    yield _kind("a foreign origin", _handshake(403, origin="https://example.org"))
    yield _kind("an unknown subprotocol", _handshake(400, subprotocol="chat"))
    yield _kind("no subprotocol", _handshake(400, subprotocol=None))
    yield _kind("a head without end", _handshake(431, x_long="x" * 70_000))
    many = {f"x_{n}": "y" for n in range(300)}
    yield _kind("300 headers", _handshake(431, **many))
    chunked = b"POST /v1/ping HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"
    yield _kind("a chunk of no size", _request(chunked, 400, 401))
    lengths = b"POST /v1/ping HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n"
    yield _kind("a negative length", _request(lengths, 400))
    yield _kind("a body without a token", _post("/v1/settings.get", b"{}", 401))
    yield _kind("a key that is not the operator's", _post("/admin/v1/batch", b"{}", 401))
    yield _kind("a key of other letters", _post("/admin/v1/batch", b"{}", 401, "x-api-key: \xe9\r\n"))


# Frames that are none


def _broken(subprotocol: str, data: bytes, *codes: int) -> Run:
    """Bytes that end the connection with a code, before connect and after it alike."""

    async def run(arena: Arena) -> None:
        async with arena.guest(subprotocol) as stranger:
            await stranger.socket.send(data)
            await stranger.closed(*codes)
        async with arena.session(subprotocol) as member:
            await member.well()
            await member.socket.send(data)
            await member.closed(*codes)

    return run


def framing() -> Iterator[Kind]:
    """Frames that break RFC 6455, or this subprotocol's kind."""
    frame, some = peer.frame, b'{"id": 1}'
    for name, data in (
        ("an unmasked frame", peer.unmasked_frame(peer.TEXT, some)),
        ("reserved bit 1", frame(0xC1, some)),
        ("reserved bit 2", frame(0xA1, some)),
        ("reserved bit 3", frame(0x91, some)),
        ("reserved opcode 3", frame(0x83, some)),
        ("reserved opcode 7", frame(0x87, some)),
        ("reserved opcode 11", frame(0x8B)),
        ("reserved opcode 15", frame(0x8F)),
        ("a ping in fragments", frame(0x09, b"x")),
        ("a ping of 126 bytes", frame(peer.PING, b"x" * 126)),
        ("a continuation of nothing", frame(0x80, some)),
        ("a message within a message", frame(0x01, b"{") + frame(peer.TEXT, some)),
        ("a close of one byte", frame(peer.CLOSE, b"\x03")),
        ("a close of 126 bytes", frame(peer.CLOSE, b"\x03\xe8" + b"x" * 124)),
        ("a close with code 1005", frame(peer.CLOSE, b"\x03\xed")),
        ("a close with code 999", frame(peer.CLOSE, b"\x03\xe7")),
    ):
        yield _kind(name, _broken(JSON, data, 1002))
    yield _kind("a close that is not UTF-8", _broken(JSON, frame(peer.CLOSE, b"\x03\xe8\xff"), 1007))
    yield _kind("bytes to the text protocol", _broken(JSON, frame(peer.BINARY, some), 1003))
    yield _kind("text to the binary protocol", _broken(MSGPACK, frame(peer.TEXT, some), 1003))
    huge = bytes((0x81, 0xFF)) + (2**63 + 5).to_bytes(8) + b"mask"
    yield _kind("a length with its highest bit", _broken(JSON, huge, 1002, 1009))


def utf_8() -> Iterator[Kind]:
    """Text that is not UTF-8: in JSON the frame is broken, in msgpack the map."""
    for name, bad in (
        ("a byte that never is", b"\xff"),
        ("an overlong zero", b"\xc0\x80"),
        ("a surrogate", b"\xed\xa0\x80"),
        ("beyond the last character", b"\xf4\x90\x80\x80"),
        ("a character cut off", b"\xf0\x9f\x98"),
        ("a stray continuation", b"\x80"),
    ):
        text = b'{"id": 1, "cmd": "' + bad + b'"}'
        yield _kind(f"{name}, in JSON", _broken(JSON, peer.frame(peer.TEXT, text), 1007))
        parts = peer.frame(0x01, text[:18]) + peer.frame(0x80, text[18:])
        yield _kind(f"{name}, in fragments", _broken(JSON, parts, 1007))
        head = b"\x82\xa2id\x01\xa3cmd" + bytes((0xA0 | len(bad),))
        yield _kind(f"{name}, in msgpack", _malformed(MSGPACK, head + bad))
    for name, escape in (("high", "\\ud800"), ("low", "\\udc00"), ("swapped", "\\udc00\\ud800")):
        text = f'{{"id": 1, "cmd": "ping", "params": {{"x": "{escape}"}}}}'.encode()
        yield _kind(f"a lone surrogate, {name}", _malformed(JSON, text))


# Messages that are no frames of this protocol


def _malformed(subprotocol: str, payload: bytes) -> Run:
    """A message of which nothing can be used: `invalid` without an id, and on it goes."""
    return _told(subprotocol, lambda guest: guest.say(payload), "invalid")


def _told(
    subprotocol: str,
    do: Callable[[Guest], Awaitable[None]],
    code: str,
    *,
    ident: Any = None,
    field: str | None = None,
) -> Run:
    async def run(arena: Arena) -> None:
        async with arena.session(subprotocol) as member:
            await do(member)
            await member.refused(code, ident=ident, field=field)

    return run


def _nested(depth: int, *, maps: bool) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value} if maps else [value]
    return value


def depth() -> Iterator[Kind]:
    """Deeper than anybody means it."""
    yield _kind("100,000 arrays, JSON", _malformed(JSON, b"[" * 100_000))
    yield _kind("20,000 maps, JSON", _malformed(JSON, b'{"a":' * 20_000))
    yield _kind("100,000 arrays, msgpack", _malformed(MSGPACK, b"\x91" * 100_000))
    yield _kind("30,000 maps, msgpack", _malformed(MSGPACK, b"\x81\xa1a" * 30_000))
    for subprotocol in SUBPROTOCOLS:
        for maps in (False, True):
            frame = {"id": 1, "cmd": "ping", "params": {"x": _nested(40, maps=maps)}}
            name = f"40 {'maps' if maps else 'arrays'} in params, {subprotocol}"
            yield _kind(name, _malformed(subprotocol, packed(subprotocol, frame)))


def _frame(**fields: Any) -> dict[str, Any]:
    return {"id": 1, "cmd": "ping", "params": {}, **fields}


def types() -> Iterator[Kind]:
    """Maps that are none, and fields of another kind."""
    for subprotocol in SUBPROTOCOLS:
        short = subprotocol.rpartition(".")[2]

        def malformed(
            name: str, value: Any, field: str | None, ident: Any = None,
            subprotocol: str = subprotocol, short: str = short,
        ) -> Kind:  # fmt: skip
            do = _told(
                subprotocol, lambda guest: guest.tell(value), "invalid", ident=ident, field=field
            )
            return _kind(f"{name}, {short}", do)

        yield malformed("a list", [1, "ping"], None)
        yield malformed("a number", 7, None)
        yield malformed("nothing", None, None)
        yield malformed("a text", "ping", None)
        yield malformed("no id", {"cmd": "ping"}, "id")
        yield malformed("an id of null", _frame(id=None), "id")
        yield malformed("an id with a fraction", _frame(id=1.5), "id")
        yield malformed("an id that is true", _frame(id=True), "id")
        yield malformed("an id that is a list", _frame(id=[1]), "id")
        yield malformed("no command", {"id": 1}, "cmd", 1)
        yield malformed("a command that is a number", _frame(cmd=7), "cmd", 1)
        yield malformed("an unknown command", _frame(cmd="no.such"), "cmd", 1)
        yield malformed("an operator's command", _frame(cmd="member.put"), "cmd", 1)
        yield malformed("params that are a list", _frame(params=[]), "params", 1)
        yield malformed("params that are a text", _frame(params="x"), "params", 1)
        wrong: tuple[tuple[str, dict[str, Any], str], ...] = (
            ("message.send", {"to": 7, "body": "x", "client_id": "1"}, "to"),
            ("message.send", {"to": "a", "body": ["x"], "client_id": "1"}, "body"),
            ("message.send", {"to": "a", "body": "x", "client_id": {}}, "client_id"),
            ("conversation.list", {"limit": "many"}, "limit"),
            ("presence.get", {"members": {"a": 1}}, "members"),
            ("settings.set", {"receipts": "no"}, "receipts"),
        )
        for cmd, params, field in wrong:
            yield malformed(f"{cmd}: {field}", _frame(cmd=cmd, params=params), field, 1)
    for name, text in (
        ("NaN", b"NaN"), ("Infinity", b"Infinity"), ("1e999", b"1e999"), ("2^53", b"9007199254740992"),
        ("a hundred digits", b"1" * 100), ("01", b"01"), ("a quote", b"'x'"), ("a comma", b"1,"),
    ):  # fmt: skip
        whole = b'{"id": 1, "cmd": "ping", "params": {"x": ' + text + b"}}"
        yield _kind(f"{name}, json", _malformed(JSON, whole))
    yield _kind("two maps in one message", _malformed(JSON, b"{}{}"))
    yield _kind("an empty message", _malformed(JSON, b""))
    yield _kind("a mark of byte order", _malformed(JSON, b"\xef\xbb\xbf{}"))
    for name, value in (
        ("NaN", struct.pack(">Bd", 0xCB, float("nan"))),
        ("infinity", struct.pack(">Bd", 0xCB, float("inf"))),
        ("2^53", msgpack.packb(2**53)),
        ("2^64-1", msgpack.packb(2**64 - 1)),
        ("-2^63", msgpack.packb(-(2**63))),
        ("bytes", b"\xc4\x01x"),
        ("an extension", b"\xd4\x05x"),
        ("a time", b"\xd6\xff\x00\x00\x00\x01"),
        ("a time that never was", b"\xc7\x0c\xff" + b"\xff" * 12),
        ("a number as key", b"\x81\x01\x01"),
        ("a list as key", b"\x81\x91\x01\x01"),
        ("a map as key", b"\x81\x80\x01"),
        ("a code that is not used", b"\xc1"),
    ):
        whole = b"\x83\xa2id\x01\xa3cmd\xa4ping\xa6params\x81\xa1x" + value
        yield _kind(f"{name}, msgpack", _malformed(MSGPACK, whole))
    yield _kind("two maps in one message, msgpack", _malformed(MSGPACK, b"\x80\x80"))
    yield _kind("an empty message, msgpack", _malformed(MSGPACK, b""))


def sizes() -> Iterator[Kind]:
    """More than fits, and claims of more than there is."""
    for subprotocol in SUBPROTOCOLS:
        first = peer.TEXT if subprotocol == JSON else peer.BINARY
        short = subprotocol.rpartition(".")[2]
        for name, data in (
            ("a frame of a byte too many", peer.frame(first, b" " * (LIMIT + 1))),
            ("a frame that claims a terabyte", peer.frame(first, length=2**40)),
            ("fragments of too many bytes",
             peer.frame(first & 0x0F, b" " * 70_000) + peer.frame(0, b" " * 70_000)),
            ("200 empty fragments", peer.frame(first & 0x0F) + peer.frame(0) * 200),
        ):  # fmt: skip
            yield _kind(f"{name}, {short}", _broken(subprotocol, data, 1009))
        good = {"to": "herald", "body": "x", "client_id": "1"}
        for name, cmd, params, field in (
            ("a body", "message.send", {**good, "body": "x" * 8_001}, "body"),
            ("a client_id", "message.send", {**good, "client_id": "x" * 65}, "client_id"),
            ("a subject", "message.send", {**good, "subject": "x" * 201}, "subject"),
            ("a member", "explain", {"to": "x" * 65}, "to"),
            ("a title", "conversation.start", {"members": ["herald"], "title": "x" * 101}, "title"),
            ("51 members", "presence.get", {"members": ["a"] * 51}, "members"),
            ("a token", "refresh", {"token": "x" * 20_000}, "token"),
            ("a cursor", "conversation.list", {"before": "1." + "x" * 50_000}, "before"),
        ):
            frame = _frame(cmd=cmd, params=params)
            yield _kind(
                f"{name} too long, {short}",
                _told(subprotocol, _telling(frame), "invalid", ident=1, field=field),
            )
        long_id = _frame(id="x" * 65)
        yield _kind(
            f"an id too long, {short}", _told(subprotocol, _telling(long_id), "invalid", field="id")
        )
    for name, claim in (
        ("an array of 2^32-1", b"\xdd"), ("a map of 2^32-1", b"\xdf"),
        ("a text of 2^32-1", b"\xdb"), ("bytes of 2^32-1", b"\xc6"), ("an extension", b"\xc9"),
    ):  # fmt: skip
        whole = b"\x81\xa2id" + claim + b"\xff" * 4
        yield _kind(f"{name} that is not there", _malformed(MSGPACK, whole))


def _telling(value: Any) -> Callable[[Guest], Awaitable[None]]:
    return lambda guest: guest.tell(value)


# Good frames at the wrong time


def _unconnected(subprotocol: str, cmd: str, code: str) -> Run:
    async def run(arena: Arena) -> None:
        async with arena.guest(subprotocol) as stranger:
            await stranger.tell(_frame(cmd=cmd))
            await stranger.refused(code, ident=1)

    return run


async def _connects_twice(arena: Arena) -> None:
    _, token = await arena.somebody()
    async with arena.session(token=token) as member:
        await member.tell(_frame(cmd="connect", params={"token": token}))
        await member.refused("invalid", ident=1, field="cmd")


async def _two_connects_at_once(arena: Arena) -> None:
    _, token = await arena.somebody()
    async with arena.guest() as guest:
        for ident in (1, 2):
            await guest.tell(_frame(id=ident, cmd="connect", params={"token": token}))
        answers = [await guest.answer() for _ in range(2)]
        assert sorted("result" in answer for answer in answers) == [False, True]
        await guest.well()


async def _bad_token(arena: Arena) -> None:
    async with arena.guest() as guest:
        await guest.tell(_frame(cmd="connect", params={"token": "e30.e30.e30"}))
        answer = await guest.answer()
        assert (answer["id"], answer["error"]["code"]) == (1, "unauthenticated")
        await guest.closed(4500)


async def _no_frames_again_and_again(arena: Arena) -> None:
    async with arena.session() as member:
        for _ in range(4):
            await member.say(b"\xc1")
            answer = await member.answer()
            assert (answer["id"], answer["error"]["code"]) == (None, "invalid")
        await member.say(b"\xc1")
        await member.closed(4501)


async def _talks_after_goodbye(arena: Arena) -> None:
    async with arena.session() as member:
        ping = packed(MSGPACK, _frame())
        await member.socket.send(
            peer.frame(peer.CLOSE, b"\x03\xe8"), peer.frame(peer.BINARY, ping) * 50
        )
        first, payload = await member.socket.frame()
        assert (first, payload) == (peer.CLOSE, b"\x03\xe8")
        await member.socket.gone()


async def _pings_before_the_handshake_is_over(arena: Arena) -> None:
    async with peer.connected(arena.port) as socket:
        ping = packed(MSGPACK, _frame())
        await socket.send(peer.request(MSGPACK) + peer.frame(peer.BINARY, ping))
        assert (await socket.response())[0] == 101
        guest = Guest(socket, MSGPACK)
        await guest.refused("unauthenticated", ident=1)


def order() -> Iterator[Kind]:
    """What is well-formed, and has no place there."""
    for subprotocol in SUBPROTOCOLS:
        short = subprotocol.rpartition(".")[2]
        for cmd in ("message.send", "refresh", "resume", "no.such"):
            yield _kind(
                f"{cmd} before connect, {short}", _unconnected(subprotocol, cmd, "unauthenticated")
            )
    yield _kind("connect twice", _connects_twice)
    yield _kind("two connects at once", _two_connects_at_once)
    yield _kind("connect with a token of nothing", _bad_token)
    yield _kind("no frames, again and again", _no_frames_again_and_again)
    yield _kind("talking on after goodbye", _talks_after_goodbye)
    yield _kind("a frame behind the handshake", _pings_before_the_handshake_is_over)
    both = _frame(cmd="conversation.history", params={"conversation": "x", "before": 1, "after": 1})
    yield _kind("before and after", _told(JSON, _telling(both), "invalid", ident=1, field="after"))
    resume = _frame(cmd="resume", params={"topics": {}})
    yield _kind("resume with nothing left", _told(JSON, _telling(resume), "invalid", ident=1))
    unknown = _frame(cmd="message.edit", params={"message": "A" * 22, "body": "x"})
    yield _kind("an edit of nothing", _told(JSON, _telling(unknown), "unreachable", ident=1))
