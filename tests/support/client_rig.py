"""What tests of the client share: a client that does not wait, and its events one by one."""

from __future__ import annotations

from typing import Any

from client_demo import Client, Event
from tests.support.wire_server import Session, WireServer

ME = "member:ada"


def client(server: WireServer, **options: Any) -> Client:
    """A client that never waits before it reconnects, unless the server says so."""
    return Client(server.url, **{"token": "t1", "random": lambda: 0.0, **options})


class Stream:
    """A client's events, one by one."""

    def __init__(self, client: Client) -> None:
        self._events = client.events()

    async def next(self, name: str = "") -> Event:
        """The next event, which must be of this name."""
        event = await anext(self._events)
        assert not name or event.name == name, event
        return event

    async def until(self, name: str) -> Event:
        """The next event of this name; those before it are passed over."""
        while (event := await self.next()).name != name:
            pass
        return event

    async def close(self) -> None:
        await self._events.aclose()


async def created(session: Session, pos: int, topic: str = ME) -> None:
    """An event at a position, whose data the client does not look at."""
    await session.event("message.created", {"body": f"at {pos}"}, topic, pos)
