"""`GET /ws`: which origins and subprotocols are let in, and what kind of frames follow."""

from __future__ import annotations

import json
from typing import Any

import httpx
import msgpack
import pytest

from tests.support import peer
from tests.support.peer_client import Peer
from tests.support.running import Running, running_node

MSGPACK, JSON = "subrosa.v1.msgpack", "subrosa.v1.json"


def port_of(server: Running) -> int:
    return httpx.URL(server.base).port or 0


async def status_of(server: Running, subprotocol: str | None, **headers: str) -> int:
    async with peer.connected(port_of(server)) as socket:
        await socket.send(peer.request(subprotocol, **headers))
        return (await socket.response())[0]


async def test_a_script_has_no_origin_and_is_let_in() -> None:
    async with running_node() as server:
        assert await status_of(server, MSGPACK) == 101


async def test_the_page_of_the_server_itself_is_let_in_and_no_other() -> None:
    async with running_node() as server:
        port = port_of(server)
        for own in (f"http://127.0.0.1:{port}", f"http://localhost:{port}"):
            assert await status_of(server, JSON, origin=own) == 101
        for foreign in (
            "https://example.org", "null", "http://127.0.0.1", f"http://127.0.0.1:{port + 1}",
            f"http://127.0.0.1:{port}.example.org", f"http://example.org:{port}", "",
        ):  # fmt: skip
            assert await status_of(server, JSON, origin=foreign) == 403, foreign


async def test_listed_origins_are_let_in() -> None:
    async with running_node(origins=("https://network.example",)) as server:
        assert await status_of(server, JSON, origin="https://network.example") == 101
        assert await status_of(server, JSON, origin="https://NETWORK.example") == 101
        assert await status_of(server, JSON, origin="http://network.example") == 403
        assert await status_of(server, JSON, origin="https://a.network.example") == 403


@pytest.mark.parametrize(
    "offered", [None, "", "chat", "subrosa.v2.json", "SUBROSA.V1.JSON", "subrosa.v1.jsonx"]
)
async def test_without_a_known_subprotocol_it_is_400(offered: str | None) -> None:
    async with running_node() as server:
        assert await status_of(server, offered) == 400


async def test_of_several_subprotocols_a_known_one_is_named() -> None:
    async with running_node() as server, peer.connected(port_of(server)) as socket:
        await socket.send(peer.request(f"chat, {JSON} ,subrosa.v2.json"))
        status, head, _ = await socket.response()
        assert status == 101
        assert f"sec-websocket-protocol: {JSON}\r\n" in head.lower()


async def test_a_foreign_origin_is_told_before_the_subprotocol_is_looked_at() -> None:
    async with running_node() as server:
        assert await status_of(server, None, origin="https://example.org") == 403


@pytest.mark.parametrize(("subprotocol", "first"), [(MSGPACK, peer.BINARY), (JSON, peer.TEXT)])
async def test_frames_are_of_the_subprotocols_kind(subprotocol: str, first: int) -> None:
    pack: Any = msgpack.packb if first == peer.BINARY else lambda v: json.dumps(v).encode()
    unpack: Any = msgpack.unpackb if first == peer.BINARY else json.loads
    async with running_node() as server, peer.open_websocket(port_of(server), subprotocol) as one:
        await one.send(peer.frame(first, pack({"id": "x", "cmd": "ping"})))
        kind, payload = await one.frame()
        assert kind == first
        assert unpack(payload)["error"]["code"] == "unauthenticated"

        other = peer.TEXT if first == peer.BINARY else peer.BINARY
        await one.send(peer.frame(other, pack({"id": 1, "cmd": "ping"})))
        assert (await one.closed_with())[0] == 1003


async def test_a_token_in_the_url_is_nobodys() -> None:
    async with running_node() as server:
        await server.people("ada")
        token = server.token("ada")
        async with Peer(f"{server.ws}?token={token}&access_token={token}", "") as one:
            answer = await (await one.start("settings.get"))
            assert answer["error"]["code"] == "unauthenticated"
