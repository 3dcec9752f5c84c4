"""The opening handshake of a WebSocket (RFC 6455, section 4.2) as one pure function.

Owns what a request for an upgrade must look like and in which order it is judged: the path, the
request itself, the acceptor's own refusal, the subprotocol. uvicorn's parser has read the request
by then, so that only its meaning is left to check. Extensions are never accepted:
permessage-deflate costs 50 KB a session. Called by `http_protocol` alone; nothing is written here.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from websockets.utils import accept_key

from server.protocol.wire import Acceptor

PATH: Final = b"/ws"
_VERSION: Final = b"13"

_ONCE: Final = frozenset(
    (b"host", b"origin", b"sec-websocket-key", b"sec-websocket-version", b"upgrade")
)
"""Headers that mean nothing when they come twice."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked for; `headers` with lower-case names, as uvicorn keeps them."""

    method: str
    http_version: str
    target: bytes
    headers: Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to write, whole, and the subprotocol it names ("" if none is spoken here)."""

    response: bytes
    subprotocol: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The HTTP status and the line of text that the connection ends with."""

    status: int
    text: str
    headers: tuple[tuple[bytes, bytes], ...] = field(default=())


def answer(request: Request, acceptor: Acceptor) -> Accepted | Refused:
    """Judge a request to upgrade to a WebSocket.

    A query is neither read nor refused: a token there would be in every log on the way.
    """
    if request.target.partition(b"?")[0] != PATH:
        return Refused(404, "there is no WebSocket here")
    if request.method != "GET" or request.http_version != "1.1":
        return Refused(400, "a handshake is a GET of HTTP/1.1")

    single: dict[bytes, bytes] = {}
    connection: list[bytes] = []
    offered: list[bytes] = []
    for name, value in request.headers:
        if name in _ONCE:
            if name in single:
                return Refused(400, f"{name.decode()} is given twice")
            single[name] = value
        elif name == b"connection":
            connection += _tokens(value.lower())
        elif name == b"sec-websocket-protocol":
            offered += _tokens(value)

    if b"host" not in single:
        return Refused(400, "host is missing")
    if b"upgrade" not in connection or single.get(b"upgrade", b"").lower() != b"websocket":
        return Refused(400, "not an upgrade to a WebSocket")
    if single.get(b"sec-websocket-version") != _VERSION:
        versions = ((b"sec-websocket-version", _VERSION),)
        return Refused(400, "sec-websocket-version is not 13", versions)
    key = single.get(b"sec-websocket-key", b"")
    if not _is_key(key):
        return Refused(400, "sec-websocket-key is not 16 bytes of base64")

    origin = single.get(b"origin")
    refusal = acceptor.refusal(None if origin is None else origin.decode("latin-1"))
    if refusal is not None:
        return Refused(*refusal)

    spoken = acceptor.subprotocols()
    chosen = next((name for name in spoken if name.encode() in offered), "")
    if spoken and not chosen:
        return Refused(400, "no known subprotocol; this server speaks " + ", ".join(spoken))
    return Accepted(_switching(key.decode(), chosen), chosen)


def _tokens(value: bytes) -> list[bytes]:
    return [token.strip() for token in value.split(b",")]


def _is_key(value: bytes) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == 16
    except binascii.Error:
        return False


def _switching(key: str, subprotocol: str) -> bytes:
    protocol = f"Sec-WebSocket-Protocol: {subprotocol}\r\n" if subprotocol else ""
    return (
        "HTTP/1.1 101 Switching Protocols\r\n"
        "Upgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_key(key)}\r\n"
        f"{protocol}\r\n"
    ).encode()
