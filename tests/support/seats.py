"""Members seated at nodes of one's choice, in houses of several."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from server.app import Node
from server.realtime.hub import FENCES
from server.web.http import OPERATOR
from tests.support.careful_peer import CarefulPeer
from tests.support.running import Running


def seat(server: Running, index: int, member: str, token: str = "") -> CarefulPeer:
    """A member's client for this node, not yet open."""
    return CarefulPeer(server.ws_at(index), token or server.token(member))


@asynccontextmanager
async def seats(
    server: Running, *places: tuple[int, str], devices: bool = False
) -> AsyncIterator[tuple[CarefulPeer, ...]]:
    """A connected client at each of these nodes, in a house that is quiet; with `devices`, each
    on a device of its own, that is called after its place."""
    async with AsyncExitStack() as stack:
        peers = []
        for number, (index, member) in enumerate(places):
            peer = await stack.enter_async_context(seat(server, index, member))
            await peer.connect(device=f"device {number}" if devices else "test")
            peers.append(peer)
        await server.quiet()
        yield tuple(peers)


async def talk(one: CarefulPeer, place: str, count: int, name: str) -> list[str]:
    """Send so many messages at once; answers their ids."""
    answers = [
        await one.start("message.send", conversation=place, body=f"{name} {n}",
                        client_id=f"{name} {n}")
        for n in range(count)
    ]  # fmt: skip
    return [frame["result"]["message"] for frame in await asyncio.gather(*answers)]


async def operate_at(server: Running, index: int, cmd: str, **params: object) -> None:
    """An operator's command, given to this node."""
    await server.nodes[index].dispatcher.call(OPERATOR, cmd, dict(params))


def present(server: Running, index: int, member: str) -> int:
    """How many sessions of a member a node has at this moment."""
    return sum(s.audience.member == member for s in server.nodes[index].hub.sessions)


def passed(server: Running) -> int:
    """The last end of access that was applied by all nodes; that it is one and the same."""
    (fence,) = {node.hub.fences.applied for node in server.nodes}
    return fence


class HeldBack:
    """A node that is told late, from when it is made until `release`, what others publish.

    That there is a fence to read is told at once, as it may overtake everything else.
    """

    def __init__(self, node: Node) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self._node = node
        node.bus.listen(self)

    def arrived(self, topic: str, message: bytes) -> None:
        if topic == FENCES:
            self._node.hub.arrived(topic, message)
        else:
            self.messages.append((topic, message))

    def complete(self, topics: Sequence[str]) -> None:
        self._node.hub.complete(topics)

    def release(self) -> None:
        """Tell it everything, and from now on at once."""
        self._node.bus.listen(self._node.hub)
        for topic, message in self.messages:
            self._node.hub.arrived(topic, message)
