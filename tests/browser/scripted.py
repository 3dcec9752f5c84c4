"""A server that says what a test tells it to, played inside the browser's own network.

It serves the page's real files under the real Content-Security-Policy and answers the socket's
commands from plain values, so that a test can do what a healthy server would not: stay silent,
close with any code, answer late, repeat an event, or lose one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from mimetypes import guess_type
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, Page, Route, WebSocketRoute

ORIGIN = "https://subrosa.test"
WEB = Path(__file__).parents[2] / "client_demo" / "web"
CASES = Path(__file__).parent / "cases"
POLICY = (
    "default-src 'self'; img-src 'self' data: https:; connect-src 'self' ws: wss:; "
    "frame-ancestors 'none'; base-uri 'none'"
)
NOW = 1_700_000_000_000

Map = dict[str, Any]
Answer = Map | Callable[[Map], Map]


class Failure(Exception):
    """Raise it from an answer to have the command answered with this error map."""

    def __init__(self, code: str, *, retryable: bool = False, **more: Any) -> None:
        super().__init__(code)
        self.error = {"code": code, "message": f"Words for {code}.", "retryable": retryable, **more}


class ScriptedServer:
    """`answers` maps commands to results; what is not in it is answered with an empty one.

    `silent` commands get no answer. `commands` are all that came, in order; `sockets` counts
    connections. Without `members` the server has no sample members.
    """

    def __init__(self, me: str = "ada", members: list[Map] | None = None) -> None:
        self.me = me
        self.members = members
        self.topics: dict[str, int] = {f"member:{me}": 10}
        self.epoch = "first"
        self.reset: list[str] = []
        self.silent: set[str] = set()
        self.refuses_sockets = False
        self.sockets = 0
        self.commands: list[Map] = []
        self.socket: WebSocketRoute | None = None
        self._changed = asyncio.Event()
        self.answers: dict[str, Answer] = {
            "connect": lambda _: self.welcome(),
            "conversation.list": lambda _: {"conversations": [], "more": False, "at": self.at()},
            "conversation.history": lambda _: {"messages": [], "more": False, "at": self.at()},
            "connection.list": lambda _: {"members": [], "at": self.at()},
            "invitation.list": lambda _: {"invitations": [], "at": self.at()},
            "settings.get": {"receipts": True},
            "receipt.read": lambda params: {"read": params["seq"]},
            "ping": {"now": NOW},
        }

    def at(self) -> dict[str, int]:
        """The heads now: what a read made at this moment carries."""
        return dict(self.topics)

    def welcome(self) -> Map:
        return {
            "session": "s",
            "member": self.me,
            "epoch": self.epoch,
            "topics": self.at(),
            "reset": self.reset,
            "ping_s": 25,
            "now": NOW,
            "expires_at": NOW + 3_600_000,
            "limits": {},
        }

    async def serve(self, context: BrowserContext) -> None:
        """Answer for `ORIGIN` in this context."""
        await context.route(f"{ORIGIN}/**", self._http)
        await context.route_web_socket(f"{ORIGIN.replace('http', 'ws')}/ws", self._opened)

    async def _http(self, route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN).split("?")[0]
        if path == "/demo/members" and self.members is not None:
            await route.fulfill(json={"members": self.members})
        elif path == "/demo/token" and self.members is not None:
            await route.fulfill(json={"token": "a-token"})
        elif path == "/blank":
            await route.fulfill(
                body="<!doctype html><title>cases</title>", content_type="text/html"
            )
        else:
            await self._file(route, path)

    async def _file(self, route: Route, path: str) -> None:
        if path == "/":
            file = WEB / "index.html"
        elif path.startswith("/cases/"):
            file = CASES / path.removeprefix("/cases/")
        else:
            file = WEB / path.removeprefix("/assets/")
        if not file.is_file():
            await route.fulfill(status=404, body="")
            return
        kind = guess_type(file.name)[0] or "application/octet-stream"
        headers = {"Content-Security-Policy": POLICY, "Content-Type": kind}
        await route.fulfill(body=file.read_bytes(), headers=headers)

    async def _opened(self, socket: WebSocketRoute) -> None:
        self.sockets += 1
        self._tell()
        if self.refuses_sockets:
            await socket.close(code=1011, reason="")
            return
        self.socket = socket
        socket.on_message(lambda text: self._received(socket, str(text)))

    def _received(self, socket: WebSocketRoute, text: str) -> None:
        frame = json.loads(text)
        self.commands.append(frame)
        self._tell()
        if frame["cmd"] in self.silent:
            return
        answer = self.answers.get(frame["cmd"], {})
        try:
            result = answer(frame["params"]) if callable(answer) else answer
            reply: Map = {"id": frame["id"], "result": result}
        except Failure as failure:
            reply = {"id": frame["id"], "error": failure.error}
        socket.send(json.dumps(reply))

    def event(self, name: str, data: Map, topic: str = "", *, pos: int | None = None) -> None:
        """Send the next event of a topic (the member's own by default), or one at `pos`."""
        topic = topic or f"member:{self.me}"
        if pos is None:
            pos = self.topics.get(topic, 0) + 1
        self.topics[topic] = max(pos, self.topics.get(topic, 0))
        self._send({"event": name, "topic": topic, "pos": pos, "data": data})

    def signal(self, name: str, data: Map, topic: str = "") -> None:
        """Send what has no position."""
        self._send({"event": name, "topic": topic or f"member:{self.me}", "data": data})

    def _send(self, frame: Map) -> None:
        assert self.socket is not None
        self.socket.send(json.dumps(frame))

    async def close(self, code: int, reason: str = "") -> None:
        """End the present connection."""
        assert self.socket is not None
        socket, self.socket = self.socket, None
        await socket.close(code=code, reason=reason)

    def sent(self, cmd: str) -> list[Map]:
        """The params of all commands of this name so far."""
        return [frame["params"] for frame in self.commands if frame["cmd"] == cmd]

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Until something that came makes it true; bounded by the test's timeout."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def wait_socket(self, number: int) -> None:
        """Until so many connections have been tried."""
        await self.wait_for(lambda: self.sockets >= number)

    async def wait_sent(self, cmd: str, times: int = 1) -> Map:
        """The params of the `times`-th command of this name, once it has come."""
        await self.wait_for(lambda: len(self.sent(cmd)) >= times)
        return self.sent(cmd)[times - 1]

    def _tell(self) -> None:
        self._changed.set()


async def sign_in(page: Page, token: str = "a-token") -> None:
    """Through the door of a server without sample members."""
    await page.goto(f"{ORIGIN}/")
    await page.get_by_label("Token").fill(token)
    await page.get_by_role("button", name="Sign in").click()
