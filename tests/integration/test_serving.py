"""How a server starts, what its sockets are set to, and how it ends, whatever its clients do."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from server.errors import SetupError
from server.protocol.frames import binary_frame
from server.web.endpoint import Limits
from server.web.serving import running
from server.web.uvicorn_protocol import WebSocketProtocol
from tests.support.echo import MSGPACK, EchoAcceptor, answer_ok
from tests.support.peer import BINARY, frame, open_websocket

ROOT = Path(__file__).resolve().parents[2]

GONE_S = 10.0
"""What is promised of a process that is asked to go."""


async def test_port_0_is_a_real_port() -> None:
    async with running(answer_ok, EchoAcceptor()) as served:
        assert (served.host, served.port > 0) == ("127.0.0.1", True)
        async with open_websocket(served.port, MSGPACK) as peer:
            await peer.echo(b"hello")


async def test_a_port_in_use_is_said_in_one_line() -> None:
    async with running(answer_ok, EchoAcceptor()) as served:
        with pytest.raises(SetupError, match=rf"^127\.0\.0\.1:{served.port} is in use"):
            await running(answer_ok, EchoAcceptor(), port=served.port).__aenter__()


async def test_an_address_that_is_not_ours_is_said_in_one_line() -> None:
    with pytest.raises(SetupError, match=r"^cannot listen on 192\.0\.2\.1:0: "):
        await running(answer_ok, EchoAcceptor(), host="192.0.2.1").__aenter__()


async def test_a_port_can_be_taken_again_at_once() -> None:
    async with (
        running(answer_ok, EchoAcceptor()) as served,
        open_websocket(served.port, MSGPACK) as peer,
    ):
        await peer.echo(b"hello")
    async with running(answer_ok, EchoAcceptor(), port=served.port) as again:
        assert again.port == served.port


async def test_connections_inherit_the_options_of_their_socket() -> None:
    acceptor = EchoAcceptor()
    async with (
        running(answer_ok, acceptor) as served,
        open_websocket(served.port, MSGPACK),
    ):
        wire = cast(WebSocketProtocol, acceptor.echoes[0].wire)
        descriptor = wire._transport.get_extra_info("socket").fileno()
        with socket.socket(fileno=os.dup(descriptor)) as sock:
            # The kernel doubles what is asked for, to have room for its own bookkeeping.
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 262_144
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000


async def test_who_takes_nothing_is_given_up_by_the_kernel() -> None:
    acceptor = EchoAcceptor()
    limits = Limits(unacknowledged_s=0.5)
    async with (
        running(answer_ok, acceptor, limits=limits) as served,
        open_websocket(served.port, MSGPACK, receive_buffer=4096),
    ):
        echo = acceptor.echoes[0]
        while not echo.wire.full:
            echo.wire.write([binary_frame(b"x" * 16_384)])

        await echo.gone.wait()


async def test_the_end_of_a_server_is_the_end_of_its_connections() -> None:
    acceptor = EchoAcceptor()
    async with contextlib.AsyncExitStack() as peers:
        async with running(answer_ok, acceptor) as served:
            polite = await peers.enter_async_context(open_websocket(served.port, MSGPACK))
            await peers.enter_async_context(open_websocket(served.port, MSGPACK))
        assert await polite.closed_with() == (4001, "after_ms=1000")
        assert [echo.gone.is_set() for echo in acceptor.echoes] == [True, True]


@contextlib.asynccontextmanager
async def echo_process(
    drain: str = "at once",
) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """The echo server as a process of its own, and its port; killed if it is still there."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.echo",
        "0",
        cwd=ROOT,
        env={**os.environ, "ECHO_DRAIN": drain},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            address = (await process.stdout.readline()).decode()
        yield process, int(address.rpartition(":")[2])
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line_of(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    async with asyncio.timeout(30):
        return await process.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_and_ends_whoever_is_connected(number: signal.Signals) -> None:
    async with (
        echo_process() as (process, port),
        open_websocket(port, MSGPACK) as silent,
        open_websocket(port, MSGPACK, receive_buffer=4096) as deaf,
    ):
        for _ in range(60):
            deaf.send_nowait(frame(BINARY, b"x" * 65_536))
        await silent.echo(b"before")
        process.send_signal(number)

        assert await line_of(process) == b"draining\n"
        assert await silent.closed_with() == (4001, "after_ms=1000")
        async with asyncio.timeout(GONE_S):
            assert await process.wait() == 0
        assert process.stderr is not None
        assert await process.stderr.read() == b""


async def test_a_drain_that_never_ends_is_cut_short() -> None:
    async with echo_process("never") as (process, port), open_websocket(port, MSGPACK) as peer:
        process.send_signal(signal.SIGTERM)
        assert await line_of(process) == b"draining\n"
        await peer.echo(b"it still serves")

        async with asyncio.timeout(GONE_S):
            assert await process.wait() == 0


async def test_a_second_signal_hurries_the_drain() -> None:
    async with echo_process("never") as (process, port), open_websocket(port, MSGPACK) as peer:
        process.send_signal(signal.SIGTERM)
        assert await line_of(process) == b"draining\n"
        await peer.echo(b"it still serves")
        process.send_signal(signal.SIGTERM)

        async with asyncio.timeout(4):
            assert await process.wait() == 0


async def test_the_process_says_why_it_cannot_start() -> None:
    async with echo_process() as (_, port):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.support.echo",
            str(port),
            cwd=ROOT,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(30):
            _, said = await process.communicate()

    assert process.returncode == 1
    assert said.decode().splitlines() == [
        f"127.0.0.1:{port} is in use by another program; choose another --port"
    ]
