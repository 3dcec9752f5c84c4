"""How far an announcement disturbs others: `python -m tests.bench.announcing [MEMBERS]`.

A server of its own; two connections write to each other a hundred times a second, each message
timed until it is acknowledged: before, during and after an announcement to a group of so many.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

from tests.support.careful_peer import HttpPeer
from tests.support.peer_client import Peer
from tests.support.running import Process, websocket

EVERY_S = 0.01
QUIET_S = 10.0
LONGEST_S = 300.0
AT_ONCE = 1_000


async def _round_trips(ada: Peer, name: str, seconds: float, over: Callable[[], bool]) -> None:
    """Send on a schedule for so long, or until it is over, and print how long each took."""
    loop = asyncio.get_running_loop()
    began, took = loop.time(), list[float]()
    while loop.time() - began < seconds and not over():
        due = began + len(took) * EVERY_S
        await asyncio.sleep(max(0.0, due - loop.time()))
        await ada.call("message.send", to="grace", body="hello", client_id=f"{name}{len(took)}")
        took.append(loop.time() - due)
    took.sort()
    at = {q: took[int(len(took) * q)] * 1000 for q in (0.5, 0.99)}
    print(f"{name:7}{len(took):7} sends, ms p50 {at[0.5]:.1f}, p99 {at[0.99]:.1f}, "
          f"worst {took[-1] * 1000:.0f}", flush=True)  # fmt: skip


async def _people(operator: HttpPeer, count: int) -> None:
    names = ["ada", "grace", *(f"m{n}" for n in range(count))]
    commands = [{"cmd": "member.put", "params": {"id": n, "name": n}} for n in names]
    for start in range(0, len(commands), AT_ONCE):
        await operator.call("batch", commands=commands[start : start + AT_ONCE])
    await operator.call("connection.put", a="ada", b="grace")
    began = time.perf_counter()
    await operator.call("group.put", id="all", name="All", owner="ada", members=names[2:])
    print(f"group.put of {count}: {time.perf_counter() - began:.1f} s", flush=True)


async def _measure(server: Process, token: str, count: int) -> None:
    async with Peer(websocket(server.base), token) as ada:
        await ada.connect()
        await _round_trips(ada, "before", QUIET_S, lambda: False)
        began = time.perf_counter()
        place = (await ada.call("conversation.start", group="all"))["conversation"]

        async def everybody() -> float:
            while True:
                got = await ada.call("conversation.get", conversation=place)
                if got["participant_count"] > count:
                    return time.perf_counter() - began
                await asyncio.sleep(0.5)

        reached = asyncio.create_task(everybody())
        await _round_trips(ada, "during", LONGEST_S, reached.done)
        print(f"an announcement to {count}: {await reached:.1f} s", flush=True)
        await _round_trips(ada, "after", QUIET_S, lambda: False)


async def main(count: int) -> None:
    """Print the figures."""
    data = Path(mkdtemp())
    server = Process(data, SUBROSA_RATE_LIMITS="off")
    try:
        await server.start()
        key = await asyncio.to_thread((data / "admin.key").read_text)
        async with HttpPeer(server.base, key=key.strip()) as operator:
            await _people(operator, count)
            issued = await operator.call("token.issue", member="ada")
            await _measure(server, issued["token"], count)
    finally:
        await server.kill()
        shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000))
