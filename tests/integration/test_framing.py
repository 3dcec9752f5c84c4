"""Bad framing, half-open connections and floods against the real server, with somebody watching.

Each kind of bad input is answered as the protocol says, and a bystander on the same server keeps
talking: before, meanwhile and after.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from server.protocol.frames import binary_frame
from server.web.endpoint import Limits
from server.web.serving import running
from tests.support.echo import FOREIGN, JSON, MSGPACK, Echo, EchoAcceptor, answer_ok
from tests.support.peer import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Peer,
    connected,
    frame,
    open_websocket,
    request,
    unmasked_frame,
)

CONTINUED = 0x00
LAST = 0x80

IMPATIENT = Limits(close_s=0.3, request_s=0.3)
"""For tests of what is waited for: long enough for what is not, on a busy machine."""


@dataclass
class Site:
    """An echo server and one well-behaved member of it."""

    port: int
    acceptor: EchoAcceptor
    bystander: Peer

    def latest(self) -> Echo:
        """The server's end of the connection that was opened last."""
        return self.acceptor.echoes[-1]


@contextlib.asynccontextmanager
async def echo_site(limits: Limits | None = None) -> AsyncIterator[Site]:
    """A server whose bystander echoes all through the block, and still does at its end."""
    acceptor = EchoAcceptor()
    async with (
        running(answer_ok, acceptor, limits=limits) as served,
        open_websocket(served.port, MSGPACK) as bystander,
    ):
        await bystander.echo(b"before")
        yield Site(served.port, acceptor, bystander)
        for number in range(3):
            await bystander.echo(b"after %d" % number)


# Frames.


@pytest.mark.parametrize(
    ("subprotocol", "data", "code"),
    [
        pytest.param(MSGPACK, unmasked_frame(BINARY, b"plain"), 1002, id="unmasked"),
        pytest.param(MSGPACK, frame(BINARY | 0x40, b"x"), 1002, id="rsv1-compressed"),
        pytest.param(MSGPACK, frame(BINARY | 0x20, b"x"), 1002, id="rsv2"),
        pytest.param(MSGPACK, frame(BINARY | 0x10, b"x"), 1002, id="rsv3"),
        pytest.param(MSGPACK, frame(0x83, b"x"), 1002, id="reserved-opcode"),
        pytest.param(MSGPACK, frame(0x8F, b"x"), 1002, id="reserved-control-opcode"),
        pytest.param(MSGPACK, frame(0x09, b"x"), 1002, id="fragmented-ping"),
        pytest.param(MSGPACK, frame(0x08, b"\x03\xe8"), 1002, id="fragmented-close"),
        pytest.param(MSGPACK, frame(PING, b"x" * 126), 1002, id="oversize-ping"),
        pytest.param(MSGPACK, frame(PONG, b"x" * 65_536), 1002, id="huge-pong"),
        pytest.param(MSGPACK, frame(LAST, b"x"), 1002, id="continuation-of-nothing"),
        pytest.param(MSGPACK, frame(0x02, b"x") + frame(BINARY), 1002, id="message-in-a-message"),
        pytest.param(MSGPACK, frame(CLOSE, b"\x03"), 1002, id="close-of-one-byte"),
        pytest.param(MSGPACK, frame(CLOSE, b"\0\0"), 1002, id="close-with-0"),
        pytest.param(MSGPACK, frame(CLOSE, b"\x03\xed"), 1002, id="close-with-1005"),
        pytest.param(MSGPACK, frame(CLOSE, b"\x13\x88"), 1002, id="close-with-5000"),
        pytest.param(MSGPACK, frame(CLOSE, b"\x03\xe8\xff"), 1007, id="close-reason-not-utf8"),
        pytest.param(MSGPACK, frame(BINARY, length=131_073), 1009, id="one-byte-too-large"),
        pytest.param(MSGPACK, frame(BINARY, length=1 << 62), 1009, id="claims-2-to-the-62"),
        pytest.param(
            MSGPACK, frame(BINARY, length=(1 << 64) - 1), 1009, id="claims-all-of-64-bits"
        ),
        pytest.param(
            MSGPACK,
            frame(0x02, b"x" * 131_072) + frame(LAST, b"x"),
            1009,
            id="too-large-by-its-last-fragment",
        ),
        pytest.param(MSGPACK, frame(TEXT, b"{}"), 1003, id="text-on-msgpack"),
        pytest.param(JSON, frame(BINARY, b"\x80"), 1003, id="binary-on-json"),
        pytest.param(MSGPACK, frame(0x01, b"{"), 1003, id="fragment-of-text-on-msgpack"),
        pytest.param(JSON, frame(TEXT, b"\xff"), 1007, id="not-utf8"),
        pytest.param(JSON, frame(TEXT, b"\xed\xa0\x80"), 1007, id="lone-surrogate"),
        pytest.param(JSON, frame(TEXT, b"\xc0\xaf"), 1007, id="overlong-utf8"),
        pytest.param(
            JSON, frame(0x01, b"\xc3") + frame(LAST, b"\x28"), 1007, id="not-utf8-over-fragments"
        ),
        pytest.param(MSGPACK, frame(0x02) + frame(CONTINUED) * 64, 1009, id="too-many-fragments"),
        pytest.param(MSGPACK, frame(PING) * 31, 4013, id="too-many-pings"),
        pytest.param(MSGPACK, frame(PONG) * 31, 4013, id="too-many-pongs"),
    ],
)
async def test_bad_frames_close_with_their_code(subprotocol: str, data: bytes, code: int) -> None:
    async with echo_site() as site, open_websocket(site.port, subprotocol) as peer:
        await peer.send(data)

        assert (await peer.closed_with())[0] == code
        await peer.send(frame(CLOSE, code.to_bytes(2)))
        await peer.gone()
        peer.half_close()
        await site.latest().gone.wait()


@pytest.mark.parametrize("pieces", ["bytes", "one-write"])
async def test_good_messages_arrive_however_they_are_sent(pieces: str) -> None:
    sent = frame(0x01, "Grü".encode()[:-1]) + frame(PING, b"?") + frame(LAST, b"\xbc\xc3\x9fe")
    async with echo_site() as site, open_websocket(site.port, JSON) as peer:
        if pieces == "bytes":
            for byte in sent:
                await peer.send(bytes((byte,)))
                await site.bystander.echo(bytes((byte,)))
        else:
            await peer.send(sent)

        assert await peer.frame() == (PONG, b"?")
        assert await peer.frame() == (TEXT, "Grüße".encode())


async def test_the_largest_message_comes_back() -> None:
    payload = random.Random(2).randbytes(131_072)
    async with echo_site() as site, open_websocket(site.port, MSGPACK) as peer:
        await peer.echo(payload)
        await peer.echo(b"")


@pytest.mark.parametrize(
    ("flood", "code"),
    [
        pytest.param(frame(CONTINUED) * 10_000, 1009, id="empty-continuations"),
        pytest.param(frame(PING, b"x" * 125) * 2_000, 4013, id="pings"),
    ],
)
async def test_a_flood_is_cut_off_and_nobody_else_waits(flood: bytes, code: int) -> None:
    async def pour(peer: Peer) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            for _ in range(200):
                await peer.send(flood)

    async with echo_site(IMPATIENT) as site, open_websocket(site.port, MSGPACK) as peer:
        await peer.send(frame(0x02, b"never ends"))
        pouring = asyncio.ensure_future(pour(peer))
        for number in range(100):
            await site.bystander.echo(b"meanwhile %d" % number)

        # Who goes on pouring may be reset by the kernel before it has read why.
        with contextlib.suppress(ConnectionResetError):
            assert (await peer.closed_with())[0] == code
        await site.latest().gone.wait()
        assert site.latest().signs_of_life < 100
        await pouring


async def test_a_frame_that_never_ends_is_no_sign_of_life() -> None:
    async with echo_site() as site, open_websocket(site.port, MSGPACK) as peer:
        for byte in frame(BINARY, b"x" * 200)[:-1]:
            await peer.send(bytes((byte,)))
            await site.bystander.echo(b"meanwhile")

        assert site.latest().signs_of_life == 0


# Peers that do not read, do not answer, or vanish.


async def test_who_never_reads_fills_a_bounded_buffer_and_is_aborted() -> None:
    message = binary_frame(b"x" * 16_384)
    async with (
        echo_site() as site,
        open_websocket(site.port, MSGPACK, receive_buffer=4096),
    ):
        echo = site.latest()
        written = 0
        while not echo.wire.full:
            echo.wire.write([message])
            written += len(message)
            await site.bystander.echo(b"meanwhile")
        # The two kernels' buffers, which count double, and the transport's own limit.
        assert written < 2_000_000

        echo.wire.close(4008)
        await echo.gone.wait()


async def test_who_reads_again_gets_everything_in_order() -> None:
    async with (
        echo_site() as site,
        open_websocket(site.port, MSGPACK, receive_buffer=4096) as peer,
    ):
        echo = site.latest()
        sent = 0
        while not echo.wire.full:
            echo.wire.write([binary_frame(sent.to_bytes(4) * 4096)])
            sent += 1
        for number in range(sent):
            assert await peer.frame() == (BINARY, number.to_bytes(4) * 4096)
        await peer.echo(b"and on")
        assert not echo.wire.full


async def test_a_sender_that_does_not_read_is_not_read_from() -> None:
    """What it may send is bounded by the buffers on the way; then it waits, alone."""
    async with (
        echo_site() as site,
        open_websocket(site.port, MSGPACK, receive_buffer=4096) as peer,
    ):
        echo = site.latest()
        for _ in range(300):
            peer.send_nowait(frame(BINARY, b"x" * 65_536))
        while not echo.wire.full:
            await site.bystander.echo(b"meanwhile")
        for _ in range(50):
            await site.bystander.echo(b"meanwhile")

        assert echo.wire.full
        assert echo.signs_of_life < 100


async def test_who_does_not_answer_a_close_is_gone_all_the_same() -> None:
    async with echo_site(IMPATIENT) as site, open_websocket(site.port, MSGPACK) as peer:
        site.latest().wire.close(4001, "after_ms=250")

        assert await peer.closed_with() == (4001, "after_ms=250")
        await site.latest().gone.wait()


async def test_who_answers_a_close_sees_the_server_end_the_connection() -> None:
    async with echo_site() as site, open_websocket(site.port, MSGPACK) as peer:
        await peer.send(frame(CLOSE, b"\x03\xe8bye"))

        assert await peer.closed_with() == (1000, "bye")
        await peer.gone()
        await site.latest().gone.wait()


@pytest.mark.parametrize("way", ["reset", "half-close"])
async def test_who_vanishes_is_lost(way: str) -> None:
    async with echo_site() as site, open_websocket(site.port, MSGPACK) as peer:
        await peer.send(frame(BINARY, b"half a message")[:-3])
        peer.reset() if way == "reset" else peer.half_close()

        await site.latest().gone.wait()


# Handshakes.


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(request(MSGPACK, path="/elsewhere"), 404, id="path"),
        pytest.param(request(None), 400, id="no-subprotocol"),
        pytest.param(request("chat"), 400, id="unknown-subprotocol"),
        pytest.param(request(MSGPACK, origin=FOREIGN), 403, id="foreign-origin"),
        pytest.param(request(MSGPACK, sec_websocket_key="short"), 400, id="bad-key"),
        pytest.param(request(MSGPACK, sec_websocket_version="12"), 400, id="version"),
        pytest.param(request(MSGPACK, host=None), 400, id="no-host"),
        pytest.param(request(MSGPACK).replace(b"GET", b"POST"), 400, id="post"),
        pytest.param(request(MSGPACK).replace(b"HTTP/1.1", b"HTTP/1.0"), 400, id="http-1.0"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, id="tls"),
        pytest.param(b"GET /ws HTTP/1.1\r\nno colon\r\n\r\n", 400, id="not-a-header"),
        pytest.param(request(MSGPACK, x=20_000 * "x"), 431, id="large-header"),
        pytest.param(
            request(MSGPACK, **{f"x{n}": "x" for n in range(100)}), 431, id="many-headers"
        ),
        pytest.param(request(MSGPACK, path="/ws?" + "x" * 20_000), 431, id="long-target"),
        pytest.param(b"GET /ws HTTP/1.1\r\nx: " + b"x" * 20_000, 431, id="header-without-end"),
        pytest.param(b"GET /" + b"x" * 20_000, 431, id="target-without-end"),
    ],
)
async def test_bad_handshakes_are_refused_and_closed(sent: bytes, status: int) -> None:
    async with echo_site() as site, connected(site.port) as peer:
        await peer.send(sent)

        assert (await peer.response())[0] == status
        await peer.gone()
        assert len(site.acceptor.echoes) == 1


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(request(MSGPACK)[:60], id="half-a-handshake"),
        pytest.param(b"POST / HTTP/1.1\r\nhost: x\r\n", id="half-a-head"),
    ],
)
async def test_half_a_request_is_not_waited_for(sent: bytes) -> None:
    async with echo_site(IMPATIENT) as site, connected(site.port) as peer:
        await peer.send(sent)

        assert (await peer.response())[0] == 408
        await peer.gone()


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\r\n\r\n", id="line-ends"),
        pytest.param(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf", id="body"),
    ],
)
async def test_a_connection_that_asks_nothing_is_ended(sent: bytes) -> None:
    async with echo_site(IMPATIENT) as site, connected(site.port) as peer:
        await peer.send(sent)

        await peer.gone()


async def test_a_stray_line_end_does_not_keep_a_connection() -> None:
    async with echo_site(IMPATIENT) as site, connected(site.port) as peer:
        await peer.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await peer.response())[0] == 200
        assert await peer.chunks() == b"ok"
        await peer.send(b"\r\n")

        await peer.gone()


async def test_a_head_that_trickles_in_is_not_waited_for() -> None:
    async with echo_site(IMPATIENT) as site, connected(site.port) as peer:
        answered = asyncio.ensure_future(peer.response())
        for byte in request(MSGPACK, x="x" * 15_000):  # however fast the machine
            peer.send_nowait(bytes((byte,)))
            await site.bystander.echo(b"meanwhile")
            if answered.done():
                break

        assert (await answered)[0] == 408
        await peer.gone()


async def test_plain_requests_are_answered_and_may_become_a_websocket() -> None:
    async with echo_site() as site, connected(site.port) as peer:
        await peer.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody")
        status, head, _ = await peer.response()
        assert status == 200
        assert "server:" not in head.lower()
        assert await peer.chunks() == b"ok"

        await peer.upgrade(MSGPACK)
        await peer.echo(b"hello")


async def test_frames_right_behind_the_handshake_are_read() -> None:
    async with echo_site() as site, connected(site.port) as peer:
        await peer.send(request(MSGPACK), frame(BINARY, b"eager"))

        assert (await peer.response())[0] == 101
        assert await peer.frame() == (BINARY, b"eager")


async def test_a_handshake_behind_an_unanswered_request_ends_the_connection() -> None:
    async with echo_site() as site, connected(site.port) as peer:
        await peer.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", request(MSGPACK))

        await peer.gone()
        assert len(site.acceptor.echoes) == 1
