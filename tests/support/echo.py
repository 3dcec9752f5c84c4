"""A test application behind the real server: every message comes back as it was.

Called by the tests of `server.web`, in their own loop or, as a process of its own
(`python -m tests.support.echo PORT`), to be sent signals.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

import uvloop

from server.errors import SetupError
from server.protocol.frames import TEXT, binary_frame, text_frame
from server.protocol.wire import Listener, Wire
from server.web.endpoint import message_opcode
from server.web.serving import serve

MSGPACK = "echo.msgpack"
JSON = "echo.json"
FOREIGN = "http://elsewhere.example"


class Echo:
    """A listener that sends back what it gets, and takes no more than it can send."""

    def __init__(self, wire: Wire, framed: Callable[[bytes], bytes]) -> None:
        self.wire = wire
        self.framed = framed
        self.signs_of_life = 0
        self.gone = asyncio.Event()

    def received(self, payload: bytes) -> None:
        self.wire.write([self.framed(payload)])
        if self.wire.full:
            self.wire.pause_reading()

    def alive(self) -> None:
        self.signs_of_life += 1

    def drained(self) -> None:
        self.wire.resume_reading()

    def lost(self) -> None:
        assert not self.gone.is_set(), "lost twice"
        self.gone.set()


class EchoAcceptor:
    """Accepts whoever names a subprotocol, but for one foreign origin; remembers its echoes."""

    def __init__(
        self,
        subprotocols: Sequence[str] = (MSGPACK, JSON),
        opcode_of: Callable[[str], int] = message_opcode,
    ) -> None:
        self.spoken = subprotocols
        self.opcode_of = opcode_of
        self.echoes: list[Echo] = []

    def subprotocols(self) -> Sequence[str]:
        return self.spoken

    def refusal(self, origin: str | None) -> tuple[int, str] | None:
        return (403, "not from there") if origin == FOREIGN else None

    def accepted(self, wire: Wire, subprotocol: str) -> Listener:
        framed = text_frame if self.opcode_of(subprotocol) == TEXT else binary_frame
        echo = Echo(wire, framed)
        self.echoes.append(echo)
        return echo


async def answer_ok(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """The least of an ASGI application: reads a request to its end and answers "ok"."""
    message = await receive()
    while message.get("more_body"):
        message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


async def run(port: int) -> None:
    """Serve echoes until a signal; say on stdout when it listens and when it drains."""

    async def drain() -> None:
        print("draining", flush=True)
        if os.environ.get("ECHO_DRAIN") == "never":
            await asyncio.get_running_loop().create_future()

    await serve(
        answer_ok,
        EchoAcceptor(),
        host="127.0.0.1",
        port=port,
        started=lambda host, port: print(f"{host}:{port}", flush=True),
        drain=drain,
    )


def main() -> int:
    try:
        asyncio.Runner(loop_factory=uvloop.new_event_loop).run(run(int(sys.argv[1])))
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
