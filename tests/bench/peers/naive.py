"""The plain Starlette fan-out: an awaited send for each socket. `python naive.py PORT`."""

from __future__ import annotations

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

everybody: set[WebSocket] = set()


async def listen(socket: WebSocket) -> None:
    """Give whatever one says to all."""
    await socket.accept()
    everybody.add(socket)
    try:
        while True:
            text = await socket.receive_text()
            for one in tuple(everybody):
                await one.send_text(text)
    except WebSocketDisconnect:
        everybody.discard(socket)


if __name__ == "__main__":
    uvicorn.run(
        Starlette(routes=[WebSocketRoute("/ws", listen)]),
        port=int(sys.argv[1]), loop="uvloop", log_level="error",
        ws_per_message_deflate=False,
    )  # fmt: skip
