"""HTTP: commands for members and the operator, health, metrics, the reference and the page.

Bytes in and out; what a command does is the dispatcher's. A body is one map, JSON or msgpack by
its Content-Type, and is answered in the same.
"""

from __future__ import annotations

import hmac
import ipaddress
import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.commands.outcome import Caller
from server.errors import CommandError, Invalid, TooLarge, Unauthenticated
from server.protocol.codec import JSON, MSGPACK, Codec, Malformed
from server.web.dispatch import Dispatcher
from server.web.metrics import CONTENT_TYPE, Metrics
from server.web.reference import Reference

MEMBER_BODY = 131_072
OPERATOR_BODY = 8 * 1024 * 1024
OPERATOR = Caller("")
_TYPES = {
    "application/json": JSON,
    "application/msgpack": MSGPACK,
    "application/x-msgpack": MSGPACK,
    "application/vnd.msgpack": MSGPACK,
}
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' data: https:; "
    "connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
Endpoint = Callable[[Request], Awaitable[Response]]


class Pages:
    """What is served beside commands: whether the process is ready, the page's files, and the
    sample members where this is a demonstration."""

    def __init__(
        self, assets: Path, ready: Callable[[], dict[str, bool]], demo: list[dict[str, str]] | None
    ) -> None:
        self.assets = assets
        self.ready = ready
        self.demo = demo


class Api:
    """The endpoints that carry out commands."""

    def __init__(
        self, dispatcher: Dispatcher, admin_key: str, metrics: Metrics, pages: Pages
    ) -> None:
        self._dispatcher = dispatcher
        self._admin_key = admin_key.encode()
        self._metrics = metrics
        self._pages = pages

    async def member(self, request: Request) -> Response:
        """POST /v1/{cmd}, Bearer token."""

        async def run(codec: Codec) -> dict[str, Any]:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not token:
                raise Unauthenticated
            caller = self._dispatcher.tokens.verify(token.strip())
            params = await _body(request, codec, MEMBER_BODY)
            return await self._dispatcher.call(caller, request.path_params["cmd"], params)

        return await _answered(request, run)

    async def operator(self, request: Request) -> Response:
        """POST /admin/v1/{cmd}, X-API-Key."""

        async def run(codec: Codec) -> dict[str, Any]:
            if not self._is_operator(request):
                raise Unauthenticated("A valid X-API-Key is needed.")
            params = await _body(request, codec, OPERATOR_BODY)
            return await self._dispatcher.call(OPERATOR, request.path_params["cmd"], params)

        return await _answered(request, run)

    def _is_operator(self, request: Request) -> bool:
        given = request.headers.get("x-api-key", "").encode()
        return hmac.compare_digest(given, self._admin_key)

    async def demo_token(self, request: Request) -> Response:
        """POST /demo/token {member}: a token for a sample member, for whoever asks."""

        async def run(codec: Codec) -> dict[str, Any]:
            params = await _body(request, codec, MEMBER_BODY)
            member = params.get("member")
            if not isinstance(member, str):
                raise Invalid("member: a sample member's id.", field="member")
            return await self._dispatcher.call(OPERATOR, "token.issue", {"member": member})

        return await _answered(request, run, bare=True)

    async def demo_members(self, _request: Request) -> Response:
        """GET /demo/members: whom one can sign in as."""
        return _encoded(JSON, {"members": self._pages.demo or []})

    async def healthz(self, _request: Request) -> Response:
        """Alive."""
        return PlainTextResponse("ok\n")

    async def readyz(self, _request: Request) -> Response:
        """Able to deliver, and not draining."""
        checks = self._pages.ready()
        ready = all(checks.values())
        return _encoded(JSON, {"ready": ready, "checks": checks}, 200 if ready else 503)

    async def metrics(self, request: Request) -> Response:
        """Prometheus' exposition, for the operator or from this machine."""
        if not (self._is_operator(request) or _from_here(request)):
            return PlainTextResponse("an X-API-Key is needed\n", 401)
        return Response(await self._metrics.text(), media_type=None, headers={
            "content-type": CONTENT_TYPE})  # fmt: skip

    async def page(self, _request: Request) -> Response:
        """The messenger."""
        return FileResponse(self._pages.assets / "index.html")


def application(api: Api, reference: Reference, pages: Pages) -> Starlette:
    """The ASGI application."""
    routes: list[Route | Mount] = [
        Route("/", api.page),
        Mount("/assets", StaticFiles(directory=pages.assets, check_dir=False)),
        Route("/healthz", api.healthz),
        Route("/readyz", api.readyz),
        Route("/metrics", api.metrics),
        Route("/docs", reference.page),
        Route("/docs/{name}", reference.file),
        Route("/v1/{cmd}", api.member, methods=["POST"]),
        Route("/admin/v1/{cmd}", api.operator, methods=["POST"]),
    ]
    if pages.demo is not None:
        routes.append(Route("/demo/token", api.demo_token, methods=["POST"]))
        routes.append(Route("/demo/members", api.demo_members))
    return Starlette(routes=routes, middleware=[Middleware(_Headers)])


class _Headers:
    """Gives every answer the headers that keep a browser from being used against its user."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = [(k.encode(), v.encode()) for k, v in _HEADERS.items()]
                if all(name != b"cache-control" for name, _ in message["headers"]):
                    # Asked for anew with its tag: an upgrade never mixes old modules with new.
                    extra.append((b"cache-control", b"no-cache"))
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        await self._app(scope, receive, with_headers)


async def _answered(
    request: Request, run: Callable[[Codec], Awaitable[dict[str, Any]]], *, bare: bool = False
) -> Response:
    kind = request.headers.get("content-type", "application/json").split(";")[0].strip().lower()
    codec = _TYPES.get(kind)
    try:
        if codec is None:
            raise Invalid("Content-Type is application/json or application/msgpack.")
        value = await run(codec)
        return _encoded(codec, value if bare else {"result": value})
    except CommandError as error:
        headers = {}
        wait = error.details.get("retry_after_ms")
        if isinstance(wait, int):
            headers["retry-after"] = str(math.ceil(wait / 1000))
        return _encoded(codec or JSON, {"error": error.to_wire()}, error.status, headers)


def _encoded(
    codec: Codec, value: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    return Response(
        codec.encode(value),
        status,
        media_type=codec.media_type,
        headers={"cache-control": "no-store", **(headers or {})},
    )


async def _body(request: Request, codec: Codec, limit: int) -> dict[str, Any]:
    """The body's map; an empty body is an empty map. Raises `TooLarge`, `Invalid`."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise TooLarge(f"A body has at most {limit} bytes.")
    except ClientDisconnect:
        raise Invalid("The body ended early.") from None
    try:
        return codec.decode(bytes(body)) if body else {}
    except Malformed as reason:
        raise Invalid(f"The body is not a map of parameters: {reason}.") from None


def _from_here(request: Request) -> bool:
    """Whether this comes from this machine itself, and not through a proxy on it."""
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
