"""What one client may ask for at once, and what becomes of who asks for more or reads nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import msgpack
import pytest

from server.domain.policy import Policy
from tests.support import peer
from tests.support.careful_peer import CarefulPeer, careful
from tests.support.running import Running, running_node
from tests.support.waiting import until

MSGPACK, JSON = "subrosa.v1.msgpack", "subrosa.v1.json"
FRAME = 128 * 1024


def port_of(server: Running) -> int:
    return httpx.URL(server.base).port or 0


async def test_a_frame_of_128_kib_is_taken_and_one_byte_more_is_1009() -> None:
    async with running_node() as server:
        await server.people("ada")
        async with careful(server, "ada") as (ada,):
            frame = {"id": 1_000_000, "cmd": "ping", "params": {"x": ""}}
            room = FRAME - len(msgpack.packb(frame)) - 4  # a longer text has a longer head
            waiting = ada.expect(1_000_000)
            whole = msgpack.packb({**frame, "params": {"x": "x" * room}})
            assert len(whole) == FRAME
            await ada.send_raw(whole)
            assert "result" in await waiting
            await ada.send_raw(msgpack.packb({**frame, "params": {"x": "x" * (room + 1)}}))
            assert (await ada.end())[0] == 1009


async def test_a_message_in_fragments_counts_as_a_whole() -> None:
    async with running_node() as server:
        async with peer.open_websocket(port_of(server), MSGPACK) as one:
            await one.send(peer.frame(0x02, b"x" * 70_000), peer.frame(0x00, b"x" * 70_000))
            assert (await one.closed_with())[0] == 1009
        async with peer.open_websocket(port_of(server), MSGPACK) as one:
            await one.send(peer.frame(0x02), *[peer.frame(0x00)] * 100)
            assert (await one.closed_with())[0] == 1009


@pytest.mark.parametrize(("subprotocol", "first"), [(MSGPACK, peer.BINARY), (JSON, peer.TEXT)])
async def test_a_claim_of_more_is_not_waited_for(subprotocol: str, first: int) -> None:
    async with running_node() as server:
        async with peer.open_websocket(port_of(server), subprotocol) as one:
            await one.send(peer.frame(first, b"", length=2**40))
            assert (await one.closed_with())[0] == 1009


async def test_text_that_is_not_utf_8_is_1007_and_broken_frames_1002() -> None:
    async with running_node() as server:
        async with peer.open_websocket(port_of(server), JSON) as one:
            await one.send(peer.frame(peer.TEXT, b'{"id": "\xff"}'))
            assert (await one.closed_with())[0] == 1007
        for broken in (
            peer.unmasked_frame(peer.TEXT, b"{}"), peer.frame(0xC1, b"{}"),
            peer.frame(0x83, b"{}"), peer.frame(0x80, b"{}"), peer.frame(0x09, b""),
        ):  # fmt: skip
            async with peer.open_websocket(port_of(server), JSON) as one:
                await one.send(broken)
                assert (await one.closed_with())[0] == 1002


async def test_a_flood_of_pings_is_4013_with_when_to_come_back() -> None:
    async with running_node() as server:
        async with peer.open_websocket(port_of(server), JSON) as one:
            one.send_nowait(*[peer.frame(peer.PING, b"x")] * 200)
            code, reason = await one.closed_with()
            assert code == 4013
            assert int(reason.removeprefix("after_ms=")) > 0


async def test_commands_in_flight_are_bounded_and_all_answered_in_order() -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        async with careful(server, "ada") as (ada,):
            most = 0
            submit = server.node.store.submit

            def counting(call: Any) -> None:
                nonlocal most
                submit(call)
                most = max(most, server.node.store.waiting)

            server.node.store.submit = counting  # type: ignore[method-assign]
            answers = [
                await ada.start("message.send", to="grace", body=f"{n}", client_id=f"{n}")
                for n in range(500)
            ]
            seqs = [frame["result"]["seq"] for frame in await asyncio.gather(*answers)]
            assert seqs == list(range(1, 501))
            assert most <= 64


async def data(one: peer.Peer) -> tuple[int, bytes]:
    """The next frame that is no ping: one comes now and then."""
    while (frame := await one.frame())[0] == peer.PING:
        pass
    return frame


async def slow_reader(server: Running, one: peer.Peer, member: str) -> None:
    params = {"token": server.token(member), "device": "slow"}
    frame = {"id": 1, "cmd": "connect", "params": params}
    await one.send(peer.frame(peer.BINARY, msgpack.packb(frame)))
    assert "result" in msgpack.unpackb((await one.frame())[1])


async def test_who_does_not_read_is_too_slow_and_loses_nothing() -> None:
    policy = Policy(buffer_soft_bytes=20_000, buffer_hard_bytes=100_000)
    async with running_node(policy=policy) as server:
        await server.people("ada", "grace")
        async with (
            careful(server, "ada", "grace") as (ada, other),
            peer.open_websocket(port_of(server), MSGPACK, receive_buffer=4_096) as slow,
        ):
            await slow_reader(server, slow, "grace")
            sent = 0
            hub = server.nodes[-1].hub
            while not hub.counters.too_slow:
                body = f"m{sent}".ljust(4_000)
                await ada.call("message.send", to="grace", body=body, client_id=str(sent))
                sent += 1
            await until(lambda: len(hub.audiences["grace"].sessions) == 1)
            # Everybody else has had everything in its time.
            last = ""
            while last != f"m{sent - 1}":
                last = (await other.event("message.created"))["data"]["body"].strip()
            told, code = [], 0
            try:
                while True:
                    first, payload = await data(slow)
                    if first == peer.CLOSE:
                        code = int.from_bytes(payload[:2])
                        break
                    told.append(msgpack.unpackb(payload)["pos"])
            except (asyncio.IncompleteReadError, ConnectionError):
                pass  # aborted: it was too full for a goodbye
            assert code in (0, 4008)
            assert told == list(range(2, len(told) + 2))
            async with CarefulPeer(server.ws, server.token("grace")) as again:
                await again.connect(resume={"member:grace": len(told) + 1})
                for number in range(len(told), sent):
                    event = await again.event("message.created")
                    assert event["data"]["body"].strip() == f"m{number}"


async def test_while_a_socket_is_full_signals_go_first() -> None:
    policy = Policy(buffer_soft_bytes=10_000, typing_renew_ms=0)
    async with running_node(policy=policy) as server:
        await server.people("ada", "grace")
        async with (
            careful(server, "ada") as (ada,),
            peer.open_websocket(port_of(server), MSGPACK, receive_buffer=4_096) as slow,
        ):
            await slow_reader(server, slow, "grace")
            place = (await ada.call("conversation.start", members=["grace"]))["conversation"]
            (session,) = server.nodes[-1].hub.audiences["grace"].sessions.values()
            sent = 0
            while session.held_bytes < 100_000:
                body = f"m{sent}".ljust(4_000)
                await ada.call("message.send", to="grace", body=body, client_id=str(sent))
                await ada.call("typing.start", conversation=place)
                sent += 1
            await until(lambda: not session.due)  # at the end of a tick
            assert not any(item.signal for item in session.pending)
            got = 0
            signals = 0
            while got < sent:
                name = msgpack.unpackb((await data(slow))[1])["event"]
                got += name == "message.created"
                signals += name == "typing.started"
            assert signals < sent
