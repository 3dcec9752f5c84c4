"""One WebSocket connection: commands out, answers matched to them, events handed on in order.

Knows nothing of resuming or of the next connection; `client` opens one link after the other. A
link is silent when no frame of any kind came for two of the server's ping intervals; the library
answers pings by itself, so silence means that the path is dead.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from client_demo.errors import CommandError, ConnectionLost, SessionEnded
from client_demo.pacing import Clock
from client_demo.protocol import (
    LARGEST_ANSWER,
    SUBPROTOCOLS,
    Encoding,
    Ending,
    Event,
    Failure,
    Garbled,
    Map,
    Result,
    decode,
    encode,
)

log = logging.getLogger(__name__)

OPENING_S = 15.0  # for the TCP connection, TLS and the handshake together
CLOSING_S = 2.0
COMMANDS_AT_ONCE = 64  # without an answer; further calls wait their turn
NO_CODE = 1006  # the connection ended without a closing handshake
STOP_STATUS = (400, 401, 403, 404)  # handshake answers that will be the same next time


class HangUp(Exception):
    """Raised by a taker of events to end the link; its text is the reason."""


class Ended(ConnectionLost):
    """The connection closed during the first exchange; `ending` says how."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(f"closed with {ending.code} {ending.reason}".strip())
        self.ending = ending


class NotSent(ConnectionLost):
    """The connection was gone before the command was sent: it did not happen."""


class _Wire(ClientConnection):
    """A connection that says whenever bytes came: control frames count as life too."""

    on_bytes: Callable[[], None] = staticmethod(lambda: None)

    def data_received(self, data: bytes) -> None:
        self.on_bytes()
        super().data_received(data)


class Link:
    """An open connection. Whoever opens it runs `read` and, at the end, `close`."""

    def __init__(self, wire: _Wire, encoding: Encoding, clock: Clock) -> None:
        """See `open_link`."""
        self._wire = wire
        self._encoding = encoding
        self._clock = clock
        self._pending: dict[int, asyncio.Future[Map]] = {}
        self._room = asyncio.Semaphore(COMMANDS_AT_ONCE)
        self._last_id = 0
        self._ended = asyncio.Event()
        self._why = ""
        self._heard_at = clock.monotonic()
        wire.on_bytes = self._heard

    async def exchange(self, cmd: str, params: Map) -> tuple[Map, list[Event]]:
        """Send a command before `read` runs; returns its result and the events that came before.

        Raises: CommandError; ConnectionLost, which is Ended if the server closed.
        """
        ident = self._next_id()
        early: list[Event] = []
        try:
            await self._wire.send(
                encode({"id": ident, "cmd": cmd, "params": params}, self._encoding)
            )
            while True:
                match decode(await self._wire.recv()):
                    case Result(id=answered, result=result) if answered == ident:
                        return result, early
                    case Failure(id=answered, error=error) if answered == ident:
                        raise error
                    case Event() as event:
                        early.append(event)
                    case _:
                        raise Garbled("an answer to nothing")
        except ConnectionClosed:
            raise Ended(self.ending) from None
        except Garbled as error:
            raise ConnectionLost(str(error)) from None

    async def ended_within(self, seconds: float) -> None:
        """Wait for the server to close; returns if it does not.

        Raises: Ended.
        """
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await self._wire.recv()
        except ConnectionClosed:
            raise Ended(self.ending) from None
        except TimeoutError:
            return

    async def call(self, cmd: str, params: Map) -> Map:
        """Send a command and wait for its result, which `read` brings.

        Raises: CommandError; ConnectionLost, which is NotSent if it was gone before.
        """
        async with self._room:
            if self._ended.is_set():
                raise NotSent("the connection is gone")
            ident = self._next_id()
            data = encode({"id": ident, "cmd": cmd, "params": params}, self._encoding)
            answer: asyncio.Future[Map] = asyncio.get_running_loop().create_future()
            self._pending[ident] = answer
            try:
                await self._wire.send(data)
                return await answer
            except ConnectionClosed:
                raise ConnectionLost("the connection is gone") from None
            finally:
                del self._pending[ident]

    async def read(self, take: Callable[[Event], None]) -> Ending:
        """Hand each event to `take`, in order, until the connection ends; says how it ended.

        `take` may raise HangUp. Commands without an answer then fail with ConnectionLost.
        """
        try:
            while True:
                match decode(await self._wire.recv()):
                    case Event() as event:
                        take(event)
                    case Result(id=ident, result=result):
                        self._answer(ident, result)
                    case Failure(id=ident, error=error):
                        if ident is None:
                            log.warning("the server could not read a frame: %s", error.code)
                        else:
                            self._answer(ident, error)
        except ConnectionClosed:
            return self.ending
        except (HangUp, Garbled) as error:
            return Ending(NO_CODE, str(error))
        finally:
            self._ended.set()
            for answer in self._pending.values():
                if not answer.done():
                    answer.set_exception(ConnectionLost("the connection is gone"))

    async def watch(self, silence_s: float) -> None:
        """End the connection when nothing came for `silence_s` seconds; returns when it did."""
        while True:
            left_s = self._heard_at + silence_s - self._clock.monotonic()
            if left_s <= 0:
                self.abort("the server went silent")
                return
            await self._clock.sleep(left_s)

    async def over(self, within_s: float) -> None:
        """Return once `read` has ended; the connection is dropped if that takes too long."""
        try:
            async with asyncio.timeout(within_s):
                await self._ended.wait()
        except TimeoutError:
            self.abort("the server did not close")
            await self._ended.wait()

    def abort(self, why: str) -> None:
        """Drop the connection now: `read` returns, saying `why`."""
        self._why = why
        self._wire.transport.abort()

    async def close(self) -> None:
        """Close with a handshake, or without one if the peer does not answer soon."""
        await self._wire.close()

    @property
    def ending(self) -> Ending:
        """How the connection ended, as far as it has."""
        code, reason = self._wire.close_code, self._wire.close_reason
        return Ending(code or NO_CODE, self._why or reason or "")

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _answer(self, ident: int, answered: Map | CommandError) -> None:
        answer = self._pending.get(ident)
        if answer is None or answer.done():  # its caller no longer waits
            return
        if isinstance(answered, CommandError):
            answer.set_exception(answered)
        else:
            answer.set_result(answered)

    def _heard(self) -> None:
        self._heard_at = self._clock.monotonic()


async def open_link(url: str, encoding: Encoding, clock: Clock) -> Link:
    """Connect to a server: `url` is its base ("https://host") or the socket's ("wss://host/ws").

    Raises: ConnectionLost if it cannot be reached now; SessionEnded if it will never accept.
    """
    quiet = logging.getLogger("client_demo.wire")
    quiet.setLevel(logging.INFO)  # at DEBUG the library logs frames, and the first has the token
    options: dict[str, Any] = {
        "subprotocols": [Subprotocol(SUBPROTOCOLS[encoding])],
        "compression": None,
        "ping_interval": None,  # the server pings
        "open_timeout": OPENING_S,
        "close_timeout": CLOSING_S,
        "max_size": LARGEST_ANSWER,
        "logger": quiet,
        "create_connection": _Wire,
    }
    try:
        wire = await connect(socket_url(url), **options)
    except InvalidStatus as error:
        status = error.response.status_code
        if status in STOP_STATUS:
            raise SessionEnded(0, f"the server refuses the connection: HTTP {status}") from None
        raise ConnectionLost(f"the server answered HTTP {status}") from None
    except (OSError, TimeoutError, InvalidHandshake) as error:
        raise ConnectionLost(f"cannot connect: {str(error) or type(error).__name__}") from None
    if wire.subprotocol != SUBPROTOCOLS[encoding]:
        await wire.close()
        raise SessionEnded(0, "the server does not speak this protocol")
    if not isinstance(wire, _Wire):
        raise TypeError("the library made another connection than asked for")
    return Link(wire, encoding, clock)


def socket_url(url: str) -> str:
    """The WebSocket URL of a server: http(s) becomes ws(s), no path becomes /ws.

    Raises: ValueError for what is neither.
    """
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    if scheme not in ("ws", "wss") or not parts.netloc:
        raise ValueError(f"not the URL of a server: {url}")
    return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/") or "/ws", "", ""))
