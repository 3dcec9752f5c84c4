"""SIGTERM: not ready, sessions told when to come back, writes finished, gone within ten seconds."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from pathlib import Path
from typing import Any

import httpx

from tests.support import peer
from tests.support.careful_peer import HttpPeer
from tests.support.nursery import Nursery
from tests.support.peer_client import Peer, Refusal

GONE_S = 10.0
JSON = "subrosa.v1.json"


class Site:
    """A server process, with members."""

    def __init__(self, base: str, data: Path) -> None:
        self.base = base
        self.ws = base.replace("http", "ws") + "/ws"
        self.port = httpx.URL(base).port or 0
        self._key = (data / "admin.key").read_text().strip()

    async def token(self, member: str) -> str:
        async with HttpPeer(self.base, key=self._key) as operator:
            return str((await operator.call("token.issue", member=member))["token"])

    async def people(self, *members: str) -> None:
        async with HttpPeer(self.base, key=self._key) as operator:
            for member in members:
                await operator.call("member.put", id=member, name=member)
            for a in members:
                for b in members:
                    if a < b:
                        await operator.call("connection.put", a=a, b=b)


async def status(http: httpx.AsyncClient, path: str) -> int:
    return (await http.get(path)).status_code


async def test_sessions_are_told_when_to_come_back_and_the_process_is_gone(
    nursery: Nursery, tmp_path: Path
) -> None:
    async with nursery.serving(tmp_path) as (child, base), contextlib.AsyncExitStack() as stack:
        site = Site(base, tmp_path)
        await site.people("ada")
        token = await site.token("ada")
        peers = []
        for _ in range(20):
            one = await stack.enter_async_context(Peer(site.ws, token))
            await one.connect()
            peers.append(one)
        started = time.monotonic()
        code = child.kill(signal.SIGTERM)
        ending = asyncio.ensure_future(code)
        ends = [await one.end() for one in peers]
        assert {end for end, _ in ends} == {4001}
        delays = [int(reason.removeprefix("after_ms=")) for _, reason in ends]
        assert all(delay > 0 for delay in delays)
        assert len(set(delays)) > 10  # spread, or they would all be back at once
        assert await ending == 0
        assert time.monotonic() - started < GONE_S
        assert b'"level":"error"' not in await child.err.read()


async def test_while_it_drains_it_is_alive_and_not_ready(nursery: Nursery, tmp_path: Path) -> None:
    async with (
        nursery.serving(tmp_path) as (child, base),
        httpx.AsyncClient(base_url=base, trust_env=False) as http,
    ):
        site = Site(base, tmp_path)
        await site.people("ada")
        async with (
            HttpPeer(base, await site.token("ada")) as ada,
            # One that does not answer the goodbye, so that the drain takes its time.
            peer.open_websocket(site.port, JSON) as impolite,
        ):
            assert await status(http, "/readyz") == 200
            started = time.monotonic()
            ending = asyncio.ensure_future(child.kill(signal.SIGTERM))
            assert (await impolite.closed_with())[0] == 4001
            assert await status(http, "/readyz") == 503
            assert await status(http, "/healthz") == 200
            try:
                await ada.call("settings.get")
            except Refusal as refusal:
                assert (refusal.code, ada.status) == ("busy", 503)
                assert refusal.error["retryable"] is True
            else:
                raise AssertionError("a draining server took a command")
            async with peer.connected(site.port) as late:
                await late.send(peer.request(JSON))
                assert (await late.response())[0] == 503
            assert await ending == 0
            assert time.monotonic() - started < GONE_S


async def test_what_was_submitted_is_finished(nursery: Nursery, tmp_path: Path) -> None:
    streams = 8
    members = [f"m{n}" for n in range(streams)]
    acknowledged: list[str] = []
    refused: list[str] = []
    unanswered: list[str] = []
    cut: list[str] = []
    enough = asyncio.Event()

    async def over_socket(site: Site, token: str, to: str) -> None:
        async with Peer(site.ws, token) as one:
            await one.connect()
            waiting: list[tuple[str, asyncio.Future[dict[str, Any]]]] = []
            with contextlib.suppress(Exception):
                for number in range(10_000):
                    ident = f"ws {token[-8:]} {number}"
                    sent = await one.start("message.send", to=to, body=ident, client_id=ident)
                    waiting.append((ident, sent))
                    if number >= 16:
                        await waiting[number - 16][1]
                    if number == 40:
                        enough.set()
            await one.end()
            for ident, sent in waiting:
                if sent.done() and sent.exception() is None and "result" in sent.result():
                    acknowledged.append(ident)

    async def over_http(site: Site, token: str, to: str) -> None:
        async with HttpPeer(site.base, token) as one:
            for number in range(10_000):
                ident = f"http {token[-8:]} {number}"
                try:
                    await one.call("message.send", to=to, body=ident, client_id=ident)
                except Refusal as refusal:
                    if refusal.code != "busy":
                        unanswered.append(f"{ident}: {refusal!r}")
                    refused.append(ident)
                    return
                except (httpx.NetworkError, httpx.RemoteProtocolError):
                    cut.append(ident)  # closed between two requests: nothing is taken any more
                    return
                except httpx.HTTPError as error:
                    unanswered.append(f"{ident}: {error!r}")
                    return
                acknowledged.append(ident)

    limits = {"SUBROSA_RATE_LIMITS": "off"}
    async with nursery.serving(tmp_path, **limits) as (child, base):
        site = Site(base, tmp_path)
        await site.people("target", *members)
        tokens = [await site.token(member) for member in members]
        started = 0.0
        async with asyncio.TaskGroup() as load:
            for token in tokens:
                load.create_task(over_socket(site, token, "target"))
                load.create_task(over_http(site, token, "target"))
            await enough.wait()
            started = time.monotonic()
            assert await child.kill(signal.SIGTERM) == 0
            assert time.monotonic() - started < GONE_S
    assert unanswered == []
    async with nursery.serving(tmp_path, **limits) as (_, base):
        site = Site(base, tmp_path)
        kept: list[str] = []
        async with HttpPeer(base, await site.token("target")) as target:
            talks = (await target.call("conversation.list", limit=200))["conversations"]
            assert len(talks) == streams
            for talk in talks:
                after = 0
                while True:
                    page = await target.call(
                        "conversation.history", conversation=talk["id"], after=after, limit=200
                    )
                    kept += [m["body"] for m in page["messages"]]
                    if not page["more"]:
                        break
                    after = page["messages"][-1]["seq"]
        assert len(kept) == len(set(kept))
        assert set(acknowledged) - set(kept) == set()
        assert set(refused + cut) & set(kept) == set()
        assert len(acknowledged) > 8 * 20
