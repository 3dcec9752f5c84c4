"""How many sessions a member has, and when a silent one ends."""

from __future__ import annotations

from contextlib import AsyncExitStack

import httpx
import msgpack

from server.domain.policy import DEFAULT
from tests.support import peer
from tests.support.careful_peer import CarefulPeer, careful
from tests.support.clocks import Clock
from tests.support.running import Running, running_node

MSGPACK = "subrosa.v1.msgpack"
INTERVAL_S = 25


def port_of(server: Running) -> int:
    return httpx.URL(server.base).port or 0


def beats(server: Running, clock: Clock, seconds: int) -> None:
    for _ in range(seconds):
        clock.move(1)
        for node in server.nodes:
            node.heartbeat.beat()


async def test_a_51st_session_is_refused_while_all_others_show_life() -> None:
    async with running_node() as server, AsyncExitStack() as stack:
        await server.people("ada")
        peers = []
        for _ in range(50):
            one = CarefulPeer(server.ws, server.token("ada"))
            peers.append(await stack.enter_async_context(one))
            await one.connect()
        async with CarefulPeer(server.ws, server.token("ada")) as late:
            await late.start("connect", token=server.token("ada"))
            assert (await late.end())[0] == 4504
        for one in peers:
            await one.call("ping")
        # One that leaves makes room.
        await peers[0].socket.close()
        await peers[0].end()
        await server.attended()
        async with CarefulPeer(server.ws, server.token("ada")) as late:
            await late.connect()
            await late.call("ping")


async def test_beyond_the_limit_the_longest_silent_session_makes_room() -> None:
    policy = type(DEFAULT)(sessions_per_member=3)
    async with running_node(policy=policy) as server, AsyncExitStack() as stack:
        clock = Clock.of(server)
        await server.people("ada", "grace")
        peers = []
        for _ in range(3):
            one = CarefulPeer(server.ws, server.token("ada"))
            peers.append(await stack.enter_async_context(one))
            await one.connect()
            clock.move(1)
        (grace,) = await stack.enter_async_context(careful(server, "grace"))
        clock.move(40)
        await peers[0].call("ping")
        await peers[2].call("ping")
        await server.attended()
        late = await stack.enter_async_context(CarefulPeer(server.ws, server.token("ada")))
        await late.connect()
        assert (await peers[1].end())[0] == 4504
        for one in (peers[0], peers[2], late, grace):
            await one.call("ping")


async def raw_session(server: Running, one: peer.Peer, member: str) -> None:
    """Connect on a socket that answers no ping by itself."""
    params = {"token": server.token(member), "device": "raw"}
    await one.send(
        peer.frame(peer.BINARY, msgpack.packb({"id": 1, "cmd": "connect", "params": params}))
    )
    _, payload = await one.frame()
    assert "result" in msgpack.unpackb(payload)


async def test_silence_of_two_intervals_ends_a_session_and_any_frame_is_life() -> None:
    async with running_node() as server:
        clock = Clock.of(server)
        await server.people("ada", "grace", "linus")
        port = port_of(server)
        async with (
            peer.open_websocket(port, MSGPACK) as silent,
            peer.open_websocket(port, MSGPACK) as ponging,
            peer.open_websocket(port, MSGPACK) as chopping,
            careful(server, "linus") as (linus,),
        ):
            await raw_session(server, silent, "ada")
            await raw_session(server, ponging, "grace")
            await raw_session(server, chopping, "grace")
            for _ in range(4):
                beats(server, clock, INTERVAL_S)
                # Once in each interval, jittered over it.
                assert await ponging.frame() == (peer.PING, b"")
                assert await chopping.frame() == (peer.PING, b"")
                await ponging.send(peer.frame(peer.PONG, b"unasked"))
                # The first fragment of a message, and the rest: no command, but life.
                whole = msgpack.packb({"id": 7, "cmd": "ping"})
                await chopping.send(peer.frame(0x02, whole[:4]), peer.frame(0x80, whole[4:]))
                assert msgpack.unpackb((await chopping.frame())[1])["id"] == 7
                await linus.call("ping")
            await silent.gone()
            assert sum(len(node.gateway.connections) for node in server.nodes) == 3
