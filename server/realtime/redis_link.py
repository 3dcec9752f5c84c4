"""One connection to Redis: how it is addressed and made, written to, read from and let go.

Built on redis-py's connection alone, without its clients: those connect again and subscribe
again by themselves and do not tell. Here a connection that failed stays failed until its owner
opens it anew. A Redis user may be limited to `+publish +subscribe +unsubscribe +ping`, so
nothing else is sent: no CLIENT command, no SELECT (channels know no databases).

RESP2: for RESP3 redis-py turns every message into text for a log that nobody asked for.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
    parse_url,
)
from redis.exceptions import (
    AuthenticationError,
    ConnectionError,  # noqa: A004 - redis-py's own, not the builtin
    NoPermissionError,
    RedisError,
    ResponseError,
)

from server.errors import SetupError

ANSWER_S = 3.0  # without an answer for so long, a connection is taken for dead
FIRST_S, LONGEST_S = 0.05, 2.0  # between attempts to connect
STEADY_S = 10.0  # a connection that held so long was a good one: the next comes at once

FAILURES = (RedisError, OSError)
"""What a connection fails with; a timeout is an OSError."""

_FORMS = "redis://[user:password@]host[:port], rediss://… or unix://…"


class _Plain(AbstractConnection):
    """What redis-py's connections lack: writing without waiting, and letting go at once."""

    @property
    def usable(self) -> bool:
        """Whether it is open as far as is known."""
        writer, reader = self._writer, self._reader
        return (
            writer is not None
            and reader is not None
            and not writer.is_closing()
            and not reader.at_eof()
        )

    def write(self, *commands: tuple[str | bytes, ...]) -> None:
        """Hand commands to the transport, which holds what the socket does not take."""
        if self._writer is None or not self.usable:
            raise ConnectionError("the connection is closed")
        self._writer.writelines(self.pack_commands(commands))

    def abort(self) -> None:
        """Close now, with whatever has not been written: a frozen peer would never take it."""
        writer, self._writer, self._reader = self._writer, None, None
        if writer is not None:
            writer.transport.abort()

    async def disconnect(self, *given: Any, **named: Any) -> None:
        """As redis-py does after an error of any kind, but at once."""
        self.abort()
        await super().disconnect(*given, **named)


class _Tcp(_Plain, Connection):
    pass


class _Tls(_Plain, SSLConnection):
    pass


class _Unix(_Plain, UnixDomainSocketConnection):
    pass


class Link:
    """One connection, not yet open. `read` is for one task; the rest for whoever is on the loop.

    Raises: SetupError for what is no address, without repeating it: it may hold a password.
    """

    def __init__(self, url: str) -> None:
        self._connection = _connection(url)

    @property
    def usable(self) -> bool:
        """Whether it is open, as far as is known without asking."""
        return self._connection.usable

    async def open(self) -> None:
        """Connect, log in, and see that Redis answers. Raises one of `FAILURES`."""
        self.abort()
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._connection.connect()  # type: ignore[no-untyped-call]
                # A frozen Redis's kernel accepts connections: nothing but an answer tells.
                self.write(("PING",))
                await self.read()
        except TimeoutError:
            raise ConnectionError("no answer") from None

    def write(self, *commands: tuple[str | bytes, ...]) -> None:
        """Send commands, waiting for nothing. Raises one of `FAILURES` if it is not open."""
        self._connection.write(*commands)

    async def read(self) -> object:
        """The next reply or message, however long that takes.

        Raises: `ResponseError` for a reply that is an error, others of `FAILURES` when the
        connection is gone. Cancelled, it closes the connection.
        """
        reply = await self._connection.read_response(disable_decoding=True, timeout=math.inf)
        return cast(object, reply)

    def abort(self) -> None:
        """Let go of the connection, at once; whoever reads is told."""
        self._connection.abort()


def _connection(url: str) -> _Plain:
    try:
        given = cast(dict[str, Any], parse_url(url))
        parts = urlsplit(url)
        options = parse_qs(parts.query, strict_parsing=bool(parts.query))
    except ValueError:
        raise SetupError(f"the Redis URL is not of the form {_FORMS}") from None
    # What does not belong is more likely a password that was not escaped.
    kind = given.pop("connection_class", Connection)
    given.pop("db", None)
    known = {"host", "port", "path", "username", "password"}
    if parts.fragment or any(
        name not in ("db", "username", "password") and not name.startswith("ssl_")
        for name in options
    ):
        raise SetupError(
            "the Redis URL has parts that it may not have: write / ? # and @ of a password as "
            "%2F %3F %23 and %40; options start with ssl_"
        )
    if kind is UnixDomainSocketConnection and not given.get("path"):
        raise SetupError(f"the Redis URL is not of the form {_FORMS}")
    if any(name not in known and kind is not SSLConnection for name in given):
        raise SetupError("the Redis URL has options for TLS, but is not a rediss:// one")
    kinds: dict[type[AbstractConnection], type[_Plain]] = {
        Connection: _Tcp,
        SSLConnection: _Tls,
        UnixDomainSocketConnection: _Unix,
    }
    given |= {
        "protocol": 2,
        "socket_timeout": None,  # a time for each answer is the owner's to give
        "socket_connect_timeout": ANSWER_S,
        "health_check_interval": 0,
        "driver_info": None,
    }
    if kind is not UnixDomainSocketConnection:
        given["socket_keepalive"] = True
    try:
        connection = kinds[kind](**given)
        if isinstance(connection, _Tls):
            connection.ssl_context.get()  # reads its files now, and not on every connect
    except (RedisError, OSError, ValueError, TypeError):
        raise SetupError("the Redis URL has an option for TLS that cannot be used") from None
    return connection


def reason(error: BaseException) -> str:
    """Words for a failure that are safe to log: an error reply may repeat what was sent."""
    if isinstance(error, AuthenticationError):
        return "Redis refuses the user or the password"
    if isinstance(error, NoPermissionError):
        return "Redis does not permit its user what the bus needs"
    if isinstance(error, ResponseError):
        return f"Redis answers with {type(error).__name__}"
    return str(error) or type(error).__name__


def pauses() -> Iterator[float]:
    """How long to wait before each further attempt: longer and longer, and never in step."""
    longest = FIRST_S
    while True:
        yield longest * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        longest = min(longest * 2, LONGEST_S)
