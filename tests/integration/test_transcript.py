"""The conversations of docs/transcript.md and docs/transcript-ways.md, held again by the real
terminals over a real server."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections import Counter
from pathlib import Path

from tests.support.peer_client import connected
from tests.support.running import running_node

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "transcript.md").read_text()
WAYS = (ROOT / "docs" / "transcript-ways.md").read_text()
PATIENCE_S = 25.0


def told(line: str) -> str:
    """A line without dates and the time of day in it."""
    return re.sub(r"(\d{4}-\d\d-\d\d |\d{1,2} [A-Z][a-z]{2} )?\d\d:\d\d", "--:--", line.rstrip())


def script(member: str, text: str) -> list[tuple[list[str], str]]:
    """What a member's terminal shows before each line that is typed, and that line."""
    (block,) = re.findall(rf"^```{member}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    steps: list[tuple[list[str], str]] = []
    shown: list[str] = []
    for line in block.splitlines():
        if line.startswith("> "):
            steps.append((shown, line.removeprefix("> ")))
            shown = []
        else:
            shown.append(told(line))
    assert not shown, "a transcript ends with what was typed last"
    return steps


class Terminal:
    """One member's messenger as a process; lines are typed once what comes before them is there."""

    def __init__(self, base: str, member: str, state: Path, text: str = TEXT) -> None:
        self._command = [
            sys.executable, "-m", "client_demo", "chat", "--as", member, "--plain",
            "--url", base, "--state", str(state / f"{member}.db"),
        ]  # fmt: skip
        self._steps = script(member, text)
        self._lines: Counter[str] = Counter()
        self._news = asyncio.Condition()
        self.answers = asyncio.Event()

    async def hold(self, gate: asyncio.Event | None = None) -> Counter[str]:
        """The whole conversation; answers every line printed. Beyond the first line, it is typed
        after the `gate`."""
        process = await asyncio.create_subprocess_exec(
            *self._command, cwd=ROOT, env={**os.environ, "TZ": "UTC"},
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        reader = asyncio.create_task(self._read(process.stdout))
        try:
            expected: Counter[str] = Counter()
            for number, (shown, typed) in enumerate(self._steps):
                expected.update(shown)
                await self._see(expected)
                if number and gate is not None:
                    await gate.wait()
                process.stdin.write(f"{typed}\n".encode())
                expected[f"> {typed}"] += 1
            assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
            await reader
            await process.wait()
        return self._lines

    async def _see(self, expected: Counter[str]) -> None:
        """Wait until all of these lines have been printed."""
        try:
            async with asyncio.timeout(PATIENCE_S), self._news:
                await self._news.wait_for(lambda: expected <= self._lines)
        except TimeoutError:
            raise AssertionError(f"not printed: {[*(expected - self._lines)]}") from None

    async def _read(self, output: asyncio.StreamReader) -> None:
        while line := await output.readline():
            async with self._news:
                self._lines[told(line.decode())] += 1
                if not line.startswith(b"> "):
                    self.answers.set()
                self._news.notify_all()

    @property
    def whole(self) -> Counter[str]:
        """Every line of the transcript."""
        return Counter(
            line for shown, typed in self._steps for line in (*shown, told(f"> {typed}"))
        )


async def test_the_transcript_can_be_held_again(tmp_path: Path) -> None:
    over = asyncio.Event()
    async with running_node(demo=True) as server, connected(server, "tim") as (socket,):
        guido, ivan, tim = (Terminal(server.base, m, tmp_path) for m in ("guido", "ivan", "tim"))
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(tim.hold(over))
            # What is written before somebody is there would be unread, and not printed.
            talking = [group.create_task(guido.hold(ivan.answers)), group.create_task(ivan.hold())]
            await asyncio.gather(*talking)
            over.set()
        assert talking[0].result() == guido.whole
        assert talking[1].result() == ivan.whole
        assert watching.result() == tim.whole
        # The third one's socket is live, and has not had a byte of it.
        await socket.call("settings.set", sponsored=False)
        await socket.event("settings.changed")
        assert [event["event"] for event in socket.all_events] == ["settings.changed"]
        for word in (b"point cloud", b"guido", b"slab", b"Ferreira"):
            assert word not in socket.bytes


async def test_a_walk_along_each_way_can_be_taken_again(tmp_path: Path) -> None:
    members = ("lynn", "hedy", "edith", "tim", "ken")
    async with running_node(demo=True) as server:
        taken = {m: Terminal(server.base, m, tmp_path, WAYS) for m in members}
        everybody = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            walks = {m: group.create_task(one.hold(everybody)) for m, one in taken.items()}
            # What is written before somebody is there would be unread, and not printed.
            for one in taken.values():
                await one.answers.wait()
            everybody.set()
        for member, walk in walks.items():
            assert walk.result() == taken[member].whole, member


def test_the_walk_shows_every_kind() -> None:
    assert "#" in WAYS
    for kind in ("open_profile", "group", "inmail"):
        assert f"[{kind}]" in WAYS
    assert "direct        open, free" in WAYS
