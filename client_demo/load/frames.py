"""WebSocket frames as a client sees them: the server's are found, the client's are built.

Written for speed on the receiving side: a frame is found by its header alone and nothing is copied
or unmasked, since a server's frames are not masked. Refuses, with `Broken`, what no server may
send (masked frames, reserved bits, control frames that are too long) and what Subrosa never sends
(messages in fragments). No I/O.
"""

from __future__ import annotations

import base64
import hashlib

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
_FIN = 0x80
_KNOWN = {_FIN | opcode for opcode in (TEXT, BINARY, CLOSE, PING, PONG)}
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY = b"bG9hZCB0ZXN0ZXIncyBrZQ=="
"""Any 16 bytes do: the key only shows that who answers speaks WebSocket at all."""

LONGEST_HEAD = 16 * 1024


class Broken(ValueError):
    """What came is no frame, or no handshake, of a server that this tester understands."""


class Refused(Broken):
    """The handshake was answered with another status than 101."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the handshake was answered with {status}")
        self.status = status


def find(data: bytes, at: int) -> tuple[int, int, int] | None:
    """The frame that begins at `at`: opcode, where its payload begins, where it ends.

    None while it is not all there. Raises: Broken.
    """
    have = len(data) - at
    if have < 2:
        return None
    first, length = data[at], data[at + 1]
    if first not in _KNOWN:
        raise Broken(f"a frame begins with {first:#04x}")
    start = at + 2
    if length >= 126:
        if length >= 0x80:
            raise Broken("a server's frame is masked")
        if first >= _FIN | CLOSE:
            raise Broken("a control frame is too long")
        size = 2 if length == 126 else 8
        if have < 2 + size:
            return None
        length = int.from_bytes(data[start : start + size])
        start += size
    end = start + length
    return (first & 0x0F, start, end) if end <= len(data) else None


def needed(data: bytes) -> int:
    """How long these bytes have to be before the frame at their beginning is whole."""
    if len(data) < 2:
        return 2
    length = data[1]
    if length < 126:
        return 2 + length
    size = 2 if length == 126 else 8
    if len(data) < 2 + size:
        return 2 + size
    return 2 + size + int.from_bytes(data[2 : 2 + size])


class Held:
    """The beginning of a frame whose rest has not come. A long one is put together once."""

    __slots__ = ("_have", "_need", "_parts")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget it: the connection is another one."""
        self._parts: list[bytes] = []
        self._have = self._need = 0

    def __bool__(self) -> bool:
        return self._have > 0

    def keep(self, rest: bytes) -> None:
        """Hold these bytes, which `find` found to be less than a frame."""
        self._parts = [rest] if rest else []
        self._have, self._need = len(rest), needed(rest)

    def join(self, data: bytes) -> bytes:
        """What is held with `data` behind it; nothing while that is still less than a frame."""
        self._parts.append(data)
        self._have += len(data)
        if self._have < self._need:
            return b""
        whole = b"".join(self._parts)
        self.clear()
        return whole


def client_frame(opcode: int, payload: bytes) -> bytes:
    """A client's frame.

    Its mask is zero, which leaves the payload as it is and costs nothing. Masks protect proxies
    from scripts that choose what a browser sends; here nobody else chooses.
    """
    length = len(payload)
    if length < 126:
        head = bytes((_FIN | opcode, 0x80 | length))
    elif length <= 0xFFFF:
        head = bytes((_FIN | opcode, 0xFE)) + length.to_bytes(2)
    else:
        head = bytes((_FIN | opcode, 0xFF)) + length.to_bytes(8)
    return head + b"\0\0\0\0" + payload


def server_frame(opcode: int, payload: bytes) -> bytes:
    """A server's frame: for who replays one."""
    length = len(payload)
    if length < 126:
        return bytes((_FIN | opcode, length)) + payload
    if length <= 0xFFFF:
        return bytes((_FIN | opcode, 126)) + length.to_bytes(2) + payload
    return bytes((_FIN | opcode, 127)) + length.to_bytes(8) + payload


def handshake(host: str, path: str, subprotocol: str) -> bytes:
    """The request that a connection begins with."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {_KEY.decode()}\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: {subprotocol}\r\n\r\n"
    ).encode()


def upgraded(data: bytes) -> bytes | None:
    """What follows the server's answer to the handshake; None while that is not all there.

    Raises: Refused, Broken.
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        if len(data) > LONGEST_HEAD:
            raise Broken("the answer to the handshake has no end")
        return None
    lines = head.split(b"\r\n")
    status = lines[0].split(b" ")
    if len(status) < 2 or not status[1].isdigit() or not status[0].startswith(b"HTTP/1."):
        raise Broken("the handshake was answered with something else than HTTP")
    if status[1] != b"101":
        raise Refused(int(status[1]))
    fields = dict(line.lower().split(b":", 1) for line in lines[1:] if b":" in line)
    accept = base64.b64encode(hashlib.sha1(_KEY + _GUID, usedforsecurity=False).digest())
    if fields.get(b"sec-websocket-accept", b"").strip() != accept.lower():
        raise Broken("the handshake was answered with the wrong key")
    return rest
