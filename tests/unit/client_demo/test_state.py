"""The state file: survives a kill at any moment, is one process's and its owner's alone."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from client_demo.errors import StateUnusable
from client_demo.state import Entry, StateFile


def hello(number: int, to: str = "grace") -> Entry:
    return Entry(f"id-{number}", {"to": to, "body": f"hello {number} ✓"})


async def test_a_new_file_is_empty_and_what_is_kept_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "ada.db"
    state = StateFile(path)
    saved = await state.open()
    assert (saved.member, saved.epoch, saved.topics, saved.entries) == ("", "", {}, ())
    await state.belong_to("ada")
    await state.save({"member:ada": 4, "conversation:x": 1}, "e")
    await state.save({"member:ada": 5}, "e")
    for number in range(4):
        await state.add(hello(number))
    await state.remove("id-1")
    await state.close()

    again = StateFile(path)
    saved = await again.open()
    await again.close()
    assert (saved.member, saved.epoch, saved.topics) == ("ada", "e", {"member:ada": 5})
    assert saved.entries == (hello(0), hello(2), hello(3))


async def test_it_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "ada.db"
    state = StateFile(path)
    await state.open()
    await state.add(hello(1))
    modes = {file.name: file.stat().st_mode & 0o077 for file in tmp_path.iterdir()}
    await state.close()
    assert modes["ada.db"] == 0
    assert not any(modes.values())


async def test_only_one_process_holds_it(tmp_path: Path) -> None:
    first, second = StateFile(tmp_path / "ada.db"), StateFile(tmp_path / "ada.db")
    await first.open()
    with pytest.raises(StateUnusable, match="another process"):
        await second.open()
    await second.close()
    await first.close()


async def test_what_is_no_state_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ada.db"
    path.write_text("a letter to grandmother, and nothing that a database could read\n" * 50)
    state = StateFile(path)
    with pytest.raises(StateUnusable, match="not a state file"):
        await state.open()
    await state.close()
    assert path.read_text().startswith("a letter")


async def test_another_version_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "ada.db") as db:
        db.execute("PRAGMA user_version = 9")
    db.close()
    state = StateFile(tmp_path / "ada.db")
    with pytest.raises(StateUnusable, match="another version"):
        await state.open()
    await state.close()


WRITER = """
import asyncio, sys
from pathlib import Path
from client_demo.state import Entry, StateFile

async def main():
    state = StateFile(Path(sys.argv[1]))
    await state.open()
    for number in range(10_000):
        await state.add(Entry(f"id-{number}", {"to": "grace", "body": "x" * number}))
        print(number, flush=True)

asyncio.run(main())
"""


async def test_what_was_kept_is_there_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "ada.db"
    root = Path(__file__).resolve().parents[3]
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(path), stdout=subprocess.PIPE, cwd=root
    )
    assert writer.stdout is not None
    told = [int(await writer.stdout.readline()) for _ in range(40)]
    os.kill(writer.pid, signal.SIGKILL)
    told += [int(line) for line in (await writer.stdout.read()).split(b"\n") if line]
    await writer.wait()
    state = StateFile(path)
    entries = (await state.open()).entries
    await state.close()
    assert [e.client_id for e in entries[: len(told)]] == [f"id-{n}" for n in told]
    assert [len(e.params["body"]) for e in entries] == list(range(len(entries)))
    assert len(entries) - len(told) <= 1  # one may have been written and not told
