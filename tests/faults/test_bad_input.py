"""Bad input by class against the whole server as a process, with bystanders who keep talking.

Each kind is answered as the contract says, and a pair on the same server goes on exchanging
messages, in order and without a gap. At the end all kinds at once leave its memory where it was.
The server's waits of 5, 10 and 20 seconds are shortened; nothing else of it is changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import msgpack
import pytest
import pytest_asyncio

from tests.faults.misdeeds import MISDEEDS
from tests.faults.site import POLICY, Site, populate
from tests.support.careful_peer import CarefulPeer
from tests.support.nursery import IMPATIENT, Nursery
from tests.support.peer import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    frame,
    request,
    unmasked_frame,
)
from tests.support.raw_socket import (
    CONTINUED,
    JSON,
    LAST,
    MSGPACK,
    Deed,
    Target,
    asks_and_never_reads,
    closes,
    connects_again_and_again,
    ends,
    floods_with_commands,
    floods_with_pings,
    is_sent_much_and_never_reads,
    never_connects,
    never_connects_but_pings,
    never_ends_a_message,
    opens_and_drops,
    packed,
    posts,
    refuses,
    stops_in_a_frame,
    stranger_told_off,
    told_off,
    turned_away,
    vanishes_in_a_frame,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

MORE_BYTES = 20 * 1024 * 1024
ROUNDS = 3
SLOW = "half-open:"  # these take their time: all of them together
AT_ONCE = 12  # more, and it is the attacker who has not connected in time
CLAIMS = {"sub": "loud", "iat": time.time(), "exp": time.time() + 3_600, "jti": "made-up"}
SEND = {"to": "loud", "body": "x", "client_id": "1"}


def said(cmd: Any, params: Any = None, **more: Any) -> bytes:
    """A frame's map, as JSON."""
    return json.dumps({"id": 1, "cmd": cmd, "params": params or {}, **more}).encode()


def nested(opening: bytes, depth: int, closing: bytes = b"") -> bytes:
    return opening * depth + closing * depth


FRAMING: dict[str, Deed] = {
    "unmasked": closes(MSGPACK, 1002, unmasked_frame(BINARY, b"plain")),
    "rsv1-compressed": closes(MSGPACK, 1002, frame(BINARY | 0x40, b"x")),
    "rsv2": closes(MSGPACK, 1002, frame(BINARY | 0x20, b"x")),
    "rsv3": closes(JSON, 1002, frame(TEXT | 0x10, b"x")),
    "reserved-opcode": closes(MSGPACK, 1002, frame(0x83, b"x")),
    "reserved-control-opcode": closes(MSGPACK, 1002, frame(0x8F, b"x")),
    "fragmented-ping": closes(MSGPACK, 1002, frame(0x09, b"x")),
    "fragmented-close": closes(MSGPACK, 1002, frame(0x08, b"\x03\xe8")),
    "oversize-ping": closes(MSGPACK, 1002, frame(PING, b"x" * 126)),
    "huge-pong": closes(MSGPACK, 1002, frame(PONG, b"x" * 65_536)),
    "continuation-of-nothing": closes(MSGPACK, 1002, frame(LAST, b"x")),
    "message-in-a-message": closes(MSGPACK, 1002, frame(0x02, b"x") + frame(BINARY)),
    "close-of-one-byte": closes(MSGPACK, 1002, frame(CLOSE, b"\x03")),
    "close-with-1005": closes(MSGPACK, 1002, frame(CLOSE, b"\x03\xed")),
    "close-with-5000": closes(MSGPACK, 1002, frame(CLOSE, b"\x13\x88")),
}
UTF8: dict[str, Deed] = {
    "close-reason-not-utf8": closes(MSGPACK, 1007, frame(CLOSE, b"\x03\xe8\xff")),
    "not-utf8": closes(JSON, 1007, frame(TEXT, b"\xff")),
    "lone-surrogate-bytes": closes(JSON, 1007, frame(TEXT, b"\xed\xa0\x80")),
    "overlong": closes(JSON, 1007, frame(TEXT, b"\xc0\xaf")),
    "beyond-unicode": closes(JSON, 1007, frame(TEXT, b"\xf4\x90\x80\x80")),
    "over-fragments": closes(JSON, 1007, frame(0x01, b"\xc3") + frame(LAST, b"\x28")),
    "lone-surrogate-escaped": told_off(JSON, rb'{"id": 1, "cmd": "\ud800"}', "invalid", None),
    "msgpack-string-not-utf8": told_off(MSGPACK, b"\x81\xa2id\xa1\xff", "invalid", None),
}
DEPTH: dict[str, Deed] = {
    "json-33-deep": told_off(
        JSON, b'{"id": 1, "params": ' + nested(b"[", 33, b"]") + b"}", "invalid", None
    ),
    "json-30000-deep": told_off(JSON, nested(b"[", 30_000, b"]"), "invalid", None),
    "json-maps-20000-deep": told_off(JSON, nested(b'{"a":', 20_000), "invalid", None),
    "msgpack-33-deep": told_off(
        MSGPACK, b"\x81\xa1a" + nested(b"\x91", 33) + b"\xc0", "invalid", None
    ),
    "msgpack-100000-deep": told_off(MSGPACK, nested(b"\x91", 100_000) + b"\xc0", "invalid", None),
}
TYPE: dict[str, Deed] = {
    "text-on-msgpack": closes(MSGPACK, 1003, frame(TEXT, b"{}")),
    "binary-on-json": closes(JSON, 1003, frame(BINARY, b"\x80")),
    "fragment-of-text-on-msgpack": closes(MSGPACK, 1003, frame(0x01, b"{")),
    "empty": told_off(JSON, b"", "invalid", None),
    "no-json": told_off(JSON, b"hello", "invalid", None),
    "half-json": told_off(JSON, b'{"id": 1', "invalid", None),
    "list": told_off(JSON, b"[1]", "invalid", None),
    "null": told_off(MSGPACK, b"\xc0", "invalid", None),
    "nan": told_off(JSON, b'{"id": 1, "cmd": "ping", "x": NaN}', "invalid", None),
    "infinity": told_off(JSON, b'{"id": 1, "cmd": "ping", "x": 1e999}', "invalid", None),
    "msgpack-nan": told_off(MSGPACK, msgpack.packb({"id": 1, "x": float("nan")}), "invalid", None),
    "2-to-the-53": told_off(JSON, b'{"id": 1, "x": 9007199254740992}', "invalid", None),
    "a-thousand-digits": told_off(JSON, b'{"id": ' + b"9" * 1_000 + b"}", "invalid", None),
    "msgpack-64-bits": told_off(MSGPACK, msgpack.packb({"x": 2**64 - 1}), "invalid", None),
    "bytes": told_off(MSGPACK, msgpack.packb({"id": 1, "x": b"raw"}), "invalid", None),
    "extension-type": told_off(
        MSGPACK, msgpack.packb({"id": 1, "x": msgpack.ExtType(5, b"x")}), "invalid", None
    ),
    "timestamp": told_off(
        MSGPACK, msgpack.packb({"id": 1, "x": msgpack.Timestamp(1)}), "invalid", None
    ),
    "integer-key": told_off(MSGPACK, b"\x81\x01\x02", "invalid", None),
    "two-maps": told_off(MSGPACK, b"\x80\x80", "invalid", None),
    "half-a-map": told_off(MSGPACK, b"\x82\xa2id", "invalid", None),
    "claims-4-billion-items": told_off(MSGPACK, b"\xdd\xff\xff\xff\xff", "invalid", None),
    "claims-4-gigabytes": told_off(MSGPACK, b"\xdb\xff\xff\xff\xff", "invalid", None),
    "never-used-byte": told_off(MSGPACK, b"\xc1", "invalid", None),
    "no-id": told_off(JSON, b'{"cmd": "ping"}', "invalid", "id"),
    "id-is-a-map": told_off(JSON, said("ping", id={}), "invalid", "id"),
    "id-is-a-fraction": told_off(JSON, said("ping", id=1.5), "invalid", "id"),
    "id-is-true": told_off(JSON, said("ping", id=True), "invalid", "id"),
    "id-too-long": told_off(JSON, said("ping", id="x" * 65), "invalid", "id"),
    "no-cmd": told_off(JSON, b'{"id": 1}', "invalid", "cmd", 1),
    "cmd-is-a-number": told_off(JSON, said(5), "invalid", "cmd", 1),
    "unknown-cmd": told_off(JSON, said("no.such"), "invalid", "cmd", 1),
    "operators-cmd": told_off(JSON, said("member.put", {"id": "x"}), "invalid", "cmd", 1),
    "params-are-a-list": told_off(
        JSON, b'{"id":1,"cmd":"ping","params":[]}', "invalid", "params", 1
    ),
    "param-missing": told_off(JSON, said("message.send", {"to": "loud"}), "invalid", "body", 1),
    "param-mistyped": told_off(JSON, said("explain", {"to": 5}), "invalid", "to", 1),
    "param-null": told_off(
        JSON, said("message.send", {**SEND, "body": None}), "invalid", "body", 1
    ),
    "no-members-id": told_off(JSON, said("explain", {"to": "a b"}), "invalid", "to", 1),
    "limit-negative": told_off(
        JSON, said("conversation.list", {"limit": -1}), "invalid", "limit", 1
    ),
    "to-oneself": told_off(
        JSON, said("message.send", {**SEND, "to": "mallory"}), "invalid", "to", 1
    ),
    "somebody-unknown": told_off(
        JSON, said("message.send", {**SEND, "to": "nobody"}), "unreachable", None, 1
    ),
    "somebody-elses-conversation": told_off(
        JSON, said("conversation.get", {"conversation": "x'; DROP TABLE"}), "unreachable", None, 1
    ),
}
SIZE: dict[str, Deed] = {
    "one-byte-too-large": closes(MSGPACK, 1009, frame(BINARY, length=131_073)),
    "claims-2-to-the-62": closes(MSGPACK, 1009, frame(BINARY, length=1 << 62)),
    "claims-all-of-64-bits": closes(MSGPACK, 1009, frame(BINARY, length=(1 << 64) - 1)),
    "too-large-by-its-last-fragment": closes(
        MSGPACK, 1009, frame(0x02, b"x" * 131_072) + frame(LAST, b"x")
    ),
    "body-too-long": told_off(
        JSON, said("message.send", {**SEND, "body": "x" * 8_001}), "invalid", "body", 1
    ),
    "body-of-spaces": told_off(
        JSON, said("message.send", {**SEND, "body": " \n"}), "invalid", "body", 1
    ),
    "client-id-too-long": told_off(
        JSON, said("message.send", {**SEND, "client_id": "ü" * 33}), "invalid", "client_id", 1
    ),
    "too-many-members": told_off(
        JSON, said("presence.get", {"members": ["loud"] * 51}), "invalid", "members", 1
    ),
    "emoji-of-words": told_off(
        JSON, said("message.react", {"message": "x", "emoji": "words"}), "invalid", "emoji", 1
    ),
}
ORDER: dict[str, Deed] = {
    "before-connect": stranger_told_off(
        JSON, {"id": 1, "cmd": "ping", "params": {}}, "unauthenticated", None
    ),
    "connect-twice": told_off(JSON, said("connect", {"token": "x"}), "invalid", "cmd", 1),
    "connect-without-token": stranger_told_off(
        MSGPACK, {"id": 1, "cmd": "connect", "params": {}}, "invalid", "token"
    ),
    "connect-with-positions-that-are-none": stranger_told_off(
        MSGPACK,
        {"id": 1, "cmd": "connect", "params": {"token": "x", "resume": {"member:x": -1}}},
        "invalid",
        "resume",
    ),
    "resume-of-nothing": told_off(JSON, said("resume", {"topics": {}}), "invalid", "topics", 1),
    "five-that-are-no-frames": closes(JSON, 4501, frame(TEXT, b"x") * 5),
    "five-without-an-id": closes(MSGPACK, 4501, packed(MSGPACK, {"cmd": "ping"}) * 5),
    "no-token-at-all": turned_away("nonsense", 4500),
    "token-without-algorithm": turned_away(jwt.encode(CLAIMS, "", "none"), 4500),
    "token-by-another-key": turned_away(jwt.encode(CLAIMS, "k" * 32, "HS256"), 4500),
    "token-expired": turned_away("expired", 4005),
    "token-revoked": turned_away("revoked", 4508),
    "close-not-answered": turned_away("nonsense", 4500, subprotocol=JSON, answers=False),
}
FLOOD: dict[str, Deed] = {
    "commands": floods_with_commands,
    "pings": floods_with_pings,
    "pongs": closes(MSGPACK, 4013, frame(PONG) * 31),
    "empty-continuations": never_ends_a_message,
    "too-many-fragments": closes(JSON, 1009, frame(0x01) + frame(CONTINUED) * 64),
    "connections": opens_and_drops,
    "sessions": connects_again_and_again,
}
NEVER_READING: dict[str, Deed] = {
    "answers": asks_and_never_reads,
    "events": is_sent_much_and_never_reads,
}
HALF_OPEN: dict[str, Deed] = {
    "reset-in-a-frame": vanishes_in_a_frame,
    "half-closed-in-a-frame": stops_in_a_frame,
    "never-connects": never_connects,
    "never-connects-but-pings": never_connects_but_pings,
    "half-a-handshake": refuses(408, request(MSGPACK)[:60]),
    "says-nothing": ends(b""),
    "line-ends": ends(b"\r\n\r\n"),
    "half-a-body": ends(b"POST /v1/ping HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf"),
}
HANDSHAKE: dict[str, Deed] = {
    "path": refuses(404, request(MSGPACK, path="/elsewhere")),
    "no-subprotocol": refuses(400, request(None)),
    "unknown-subprotocol": refuses(400, request("chat")),
    "foreign-origin": refuses(403, request(MSGPACK, origin="https://evil.example")),
    "null-origin": refuses(403, request(MSGPACK, origin="null")),
    "bad-key": refuses(400, request(MSGPACK, sec_websocket_key="short")),
    "version": refuses(400, request(MSGPACK, sec_websocket_version="12")),
    "no-host": refuses(400, request(MSGPACK, host=None)),
    "post": refuses(400, request(MSGPACK).replace(b"GET", b"POST")),
    "http-1.0": refuses(400, request(MSGPACK).replace(b"HTTP/1.1", b"HTTP/1.0")),
    "tls": refuses(400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "not-a-header": refuses(400, b"GET /ws HTTP/1.1\r\nno colon\r\n\r\n"),
    "large-header": refuses(431, request(MSGPACK, x=20_000 * "x")),
    "many-headers": refuses(431, request(MSGPACK, **{f"x{n}": "x" for n in range(100)})),
    "target-without-end": refuses(431, b"GET /" + b"x" * 20_000),
}
HTTP: dict[str, Deed] = {
    "no-token": posts(401, "unauthenticated", token=""),
    "bad-token": posts(401, "unauthenticated", token="nonsense"),
    "expired-token": posts(401, "unauthenticated", token="expired"),
    "basic": posts(401, "unauthenticated", authorization="Basic eDp5"),
    "no-json": posts(400, "invalid", None, b"hello"),
    "list": posts(400, "invalid", None, b"[]"),
    "nan": posts(400, "invalid", None, b'{"a": NaN}'),
    "deep": posts(400, "invalid", None, nested(b"[", 30_000)),
    "not-utf8": posts(400, "invalid", None, b'{"a": "\xff"}'),
    "content-type": posts(400, "invalid", None, content_type="text/plain"),
    "unknown-cmd": posts(400, "invalid", "cmd", path="/v1/no.such"),
    "socket-cmd": posts(400, "invalid", "cmd", b'{"token": "x"}', path="/v1/connect"),
    "param-missing": posts(400, "invalid", "to", path="/v1/explain"),
    "too-large": posts(413, "too_large", None, b" " * 131_073),
    "no-key": posts(401, "unauthenticated", path="/admin/v1/member.put"),
    "bad-key": posts(401, "unauthenticated", path="/admin/v1/member.put", x_api_key="x"),
    "chunks-that-are-none": ends(
        b"POST /v1/ping HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"
    ),
    "two-lengths": refuses(
        400, b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx"
    ),
}
CLASSES = {
    "framing": FRAMING, "utf8": UTF8, "depth": DEPTH, "type": TYPE, "size": SIZE, "order": ORDER,
    "flood": FLOOD, "never-reading": NEVER_READING, "half-open": HALF_OPEN,
    "handshake": HANDSHAKE, "http": HTTP,
}  # fmt: skip
for of, more in MISDEEDS.items():
    CLASSES[of] = {**CLASSES[of], **more}
KINDS = {f"{of}:{name}": deed for of, kinds in CLASSES.items() for name, deed in kinds.items()}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """One server for all kinds; whatever it was sent, it had nothing to complain of."""
    data = tmp_path_factory.mktemp("bad_input")
    policy = data / "policy.toml"
    policy.write_text(POLICY)
    environment = {"SUBROSA_POLICY": str(policy), IMPATIENT: "1", "SUBROSA_LOG_LEVEL": "warning"}
    async with nursery.serving(data / "data", **environment) as (child, base):
        key = (data / "data" / "admin.key").read_text().strip()
        target = Target(int(base.rpartition(":")[2]), key)
        await populate(target, data / "data")
        ws = base.replace("http", "ws") + "/ws"
        async with (
            CarefulPeer(ws, target.tokens["ada"]) as ada,
            CarefulPeer(ws, target.tokens["grace"], "json") as grace,
        ):
            await ada.connect()
            await grace.connect()
            site = Site(target, child, ada, grace)
            await site.talk()
            site.began = site.resident()
            yield site
        await child.kill()
        assert "Traceback" not in (await child.err.read()).decode()


async def test_there_are_many_kinds_of_every_class() -> None:
    assert len(KINDS) >= 60
    assert all(len(kinds) > 1 for kinds in CLASSES.values())


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith(SLOW)])
async def test_bad_input_is_answered_and_nobody_else_notices(site: Site, kind: str) -> None:
    await KINDS[kind](site.target)
    await site.talk()


async def test_what_is_half_open_is_waited_for_and_nobody_else_notices(site: Site) -> None:
    kinds = [kind for kind in KINDS if kind.startswith(SLOW)]
    ends = asyncio.gather(*(KINDS[kind](site.target) for kind in kinds), return_exceptions=True)
    while not ends.done():
        await site.talk()
        await asyncio.wait([ends], timeout=0.05)
    assert {k: e for k, e in zip(kinds, ends.result(), strict=True) if e is not None} == {}
    await site.talk()


@pytest.mark.timeout(90)
async def test_all_of_it_at_once_again_and_again_leaves_memory_where_it_was(site: Site) -> None:
    room = asyncio.Semaphore(AT_ONCE)

    async def do(kind: str) -> None:
        async with contextlib.nullcontext() if kind.startswith(SLOW) else room:
            await KINDS[kind](site.target)

    for _ in range(ROUNDS):
        async with asyncio.TaskGroup() as group:
            deeds = [group.create_task(do(kind)) for kind in KINDS]
            while under_way := {deed for deed in deeds if not deed.done()}:
                await site.talk()
                await asyncio.wait(under_way, timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
    more = site.resident() - site.began
    print(
        f"{len(KINDS)} kinds; {site.said} said meanwhile; resident: {site.began / 2**20:.1f} MB, "
        f"{more / 2**20:+.1f} MB after {ROUNDS} rounds"
    )
    assert more < MORE_BYTES
    async with httpx.AsyncClient(trust_env=False, base_url=site.target.base) as http:
        assert (await http.get("/healthz")).text == "ok\n"
