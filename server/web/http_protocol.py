"""HTTP/1.1 as uvicorn speaks it, with bounds on what a request may cost, and the way to `/ws`.

Owns the time and the size a request may take to arrive (uvicorn bounds neither, so that half a
request would hold its connection for ever) and the handover of a connection that asks to become a
WebSocket: judged by `handshake`, opened by `uvicorn_protocol`, without an ASGI call. Everything
else about HTTP is uvicorn's and the application's. `serving` makes the class, uvicorn one of it
for each connection.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, cast

import httptools
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from server.web.endpoint import Endpoint
from server.web.handshake import Refused, Request, answer
from server.web.uvicorn_protocol import WebSocketProtocol


class HttpProtocol(HttpToolsProtocol):
    """One connection until it is gone or has become a WebSocket."""

    endpoint: ClassVar[Endpoint]

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._deadline: asyncio.TimerHandle | None = None
        self._in_head = False
        self._head_size = 0
        self._for_websocket = False

    # The transport's calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._request_is_here()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if not self._is_answering():
            # A stray line end between two requests begins none and would have lifted every bound.
            self._expect_request()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self._become_websocket(early=data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError:
            self._refuse(Refused(431, "the request's head is too large"))
        except httptools.HttpParserError:
            self._refuse(Refused(400, "not a request of HTTP/1.1"))
        else:
            if self._in_head:
                self._head_size += len(data)
                if self._head_size > self.endpoint.limits.head_size:
                    self._refuse(Refused(431, "the request's head is too large"))

    def abort(self) -> None:
        """Drop the connection now, as the server does with who is still here at its end."""
        self.transport.abort()

    # The parser's calls.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._head_size = 0
        self._expect_request()

    def on_headers_complete(self) -> None:
        limits = self.endpoint.limits
        self._in_head = False
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > limits.head_size or len(self.headers) > limits.head_fields:
            raise ValueError("the request's head is too large")
        self._for_websocket = self._get_upgrade() == b"websocket"
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._request_is_here()

    # Time.

    def _expect_request(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.endpoint.limits.request_s, self._too_late)

    def _request_is_here(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        if self._is_answering():
            self.transport.abort()
        elif self._in_head:
            self._refuse(Refused(408, "the request took too long to arrive"))
        else:
            self.transport.close()

    def _is_answering(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is not None and not cycle.response_complete

    # Upgrades.

    def _should_upgrade(self) -> bool:
        """Asked by uvicorn at every step of one request; found out once, as its head ends."""
        return self._for_websocket

    def _become_websocket(self, early: bytes) -> None:
        if self._is_answering():
            # Pipelined behind a request whose answer would end up among the frames.
            self.transport.abort()
            return
        endpoint = self.endpoint
        request = Request(
            self.parser.get_method().decode(),
            self.parser.get_http_version(),
            self.url,
            self.headers,
        )
        verdict = answer(request, endpoint.acceptor)
        if isinstance(verdict, Refused):
            self._refuse(verdict)
            return
        self.connections.discard(self)
        # It and this object hold each other, and only the collector would free the two.
        self.parser = None  # type: ignore[assignment]
        peer = ":".join(map(str, self.client or ()))
        connections = cast("set[asyncio.Protocol]", self.connections)
        wire = WebSocketProtocol(endpoint, self.transport, self.loop, connections, peer)
        self.transport.set_protocol(wire)
        wire.open(verdict.response, verdict.subprotocol)
        if early:
            wire.data_received(early)

    def _refuse(self, refused: Refused) -> None:
        self._request_is_here()
        if self._is_answering():
            # A second answer in the middle of the first would be taken for a part of it.
            self.transport.abort()
            return
        text = refused.text.encode()
        head = [STATUS_LINE[refused.status]]
        for name, value in (
            *self.server_state.default_headers,
            *refused.headers,
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(text)).encode()),
            (b"connection", b"close"),
        ):
            head += name, b": ", value, b"\r\n"
        self.transport.write(b"".join((*head, b"\r\n", text)))
        self.transport.close()


def http_protocol(endpoint: Endpoint) -> type[HttpProtocol]:
    """The class to give to `uvicorn.Config(http=…)`, bound to one endpoint."""
    return type("BoundHttpProtocol", (HttpProtocol,), {"endpoint": endpoint})
