"""A WebSocket client with no opinions: it sends the bytes it is told to, well-formed or not.

Called by tests of what the server does about bad input. Frames are built here by hand, since a
library would refuse to build the bad ones; what the server answers is read just as plainly.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

from websockets.speedups import apply_mask

TEXT = 0x81
BINARY = 0x82
CLOSE = 0x88
PING = 0x89
PONG = 0x8A

MASK = b"\x01\x80\xfe\x37"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""The example of RFC 6455, section 1.3: this key is answered with this."""

_WAIT_S = 20.0
"""Longer than anything here takes, shorter than a test's own timeout: a wait names its place."""


def frame(first: int, payload: bytes = b"", *, length: int | None = None) -> bytes:
    """A client's frame with this first byte; `length` is claimed in place of the true one."""
    claimed = len(payload) if length is None else length
    if claimed < 126:
        head = bytes((first, 0x80 | claimed))
    elif claimed < 65_536:
        head = bytes((first, 0x80 | 126)) + claimed.to_bytes(2)
    else:
        head = bytes((first, 0x80 | 127)) + claimed.to_bytes(8)
    return head + MASK + apply_mask(payload, MASK)


def unmasked_frame(first: int, payload: bytes = b"") -> bytes:
    """What only a server may send."""
    return bytes((first, len(payload))) + payload


def request(subprotocol: str | None, *, path: str = "/ws", **changed: str | None) -> bytes:
    """A handshake; `changed` headers (`_` for `-`) replace or join the usual ones, None drops."""
    fields: dict[str, str | None] = {
        "host": "127.0.0.1",
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-key": KEY,
        "sec-websocket-version": "13",
        "sec-websocket-protocol": subprotocol,
    }
    fields.update({name.replace("_", "-"): value for name, value in changed.items()})
    lines = [f"{name}: {value}\r\n" for name, value in fields.items() if value is not None]
    return f"GET {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode()


class Peer:
    """One connection to the server, before or after its handshake."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, *data: bytes) -> None:
        """Send, waiting as long as the server lets the socket fill up."""
        self.send_nowait(*data)
        async with asyncio.timeout(_WAIT_S):
            await self._writer.drain()

    def send_nowait(self, *data: bytes) -> None:
        """Send without waiting: what the server does not take piles up here."""
        self._writer.write(b"".join(data))

    async def upgrade(self, subprotocol: str | None) -> None:
        """Shake hands as a well-behaved client does."""
        await self.send(request(subprotocol))
        status, head, _ = await self.response()
        assert status == 101, head
        assert f"Sec-WebSocket-Accept: {ACCEPT}\r\n" in head

    async def response(self) -> tuple[int, str, str]:
        """An HTTP answer: its status, its head and its body (as far as it says its length)."""
        async with asyncio.timeout(_WAIT_S):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
            length = 0
            for line in head.lower().splitlines():
                if line.startswith("content-length:"):
                    length = int(line.partition(":")[2])
            body = (await self._reader.readexactly(length)).decode()
        return int(head.split()[1]), head, body

    async def chunks(self) -> bytes:
        """The body of an answer that came without its length."""
        body = b""
        async with asyncio.timeout(_WAIT_S):
            while size := int(await self._reader.readline(), 16):
                body += await self._reader.readexactly(size)
                await self._reader.readline()
            await self._reader.readline()
        return body

    async def frame(self) -> tuple[int, bytes]:
        """The next frame's first byte and payload."""
        async with asyncio.timeout(_WAIT_S):
            first, length = await self._reader.readexactly(2)
            if length == 126:
                length = int.from_bytes(await self._reader.readexactly(2))
            elif length == 127:
                length = int.from_bytes(await self._reader.readexactly(8))
            return first, await self._reader.readexactly(length)

    async def closed_with(self) -> tuple[int, str]:
        """Read until a Close frame: its code and reason. Whatever else comes is passed over."""
        first, payload = await self.frame()
        while first != CLOSE:
            first, payload = await self.frame()
        return int.from_bytes(payload[:2]), payload[2:].decode()

    async def echo(self, payload: bytes, first: int = BINARY) -> None:
        """Send a message and see it come back, and nothing before it."""
        await self.send(frame(first, payload))
        assert await self.frame() == (first, payload)

    async def gone(self) -> None:
        """Wait until the server has ended the connection, in order or by a reset."""
        async with asyncio.timeout(_WAIT_S):
            with contextlib.suppress(ConnectionError):
                while await self._reader.read(65_536):
                    pass

    def half_close(self) -> None:
        self._writer.write_eof()

    def reset(self) -> None:
        """Vanish with an RST, as a process that is killed with data unread."""
        linger = (1).to_bytes(4, "little") + bytes(4)
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()


@contextlib.asynccontextmanager
async def connected(port: int, *, receive_buffer: int | None = None) -> AsyncIterator[Peer]:
    """A connection on which nothing has been said yet; closed without ceremony afterwards."""
    sock = socket.socket()
    sock.setblocking(False)
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=sock)
    try:
        yield Peer(reader, writer)
    finally:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def open_websocket(
    port: int, subprotocol: str | None, *, receive_buffer: int | None = None
) -> AsyncIterator[Peer]:
    """A connection after its handshake."""
    async with connected(port, receive_buffer=receive_buffer) as peer:
        await peer.upgrade(subprotocol)
        yield peer
