"""The PostgreSQL of the tests: it starts, copies, crashes, comes back, and leaves nothing."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.support.postgres_service import USER, Postgres, _processes

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        server.create_database("template")
        asyncio.run(_write(server.url("template"), "CREATE TABLE note (text text NOT NULL)"))
        asyncio.run(_write(server.url("template"), "INSERT INTO note VALUES ('from the template')"))
        yield server


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    postgres.create_database("test", template="template")
    yield postgres.url("test")
    postgres.drop_database("test")


async def _write(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


async def _notes(url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT text FROM note")
    await connection.close()
    return [row["text"] for row in rows]


async def test_a_database_is_a_copy_of_its_template(postgres: Postgres, database: str) -> None:
    await _write(database, "INSERT INTO note VALUES ('of its own')")
    assert await _notes(database) == ["from the template", "of its own"]
    assert await _notes(postgres.url("template")) == ["from the template"]


async def test_the_databases_owner_is_no_superuser(database: str) -> None:
    connection = await asyncpg.connect(database)
    assert await connection.fetchval("SELECT current_user") == USER
    assert await connection.fetchval("SHOW is_superuser") == "off"
    await connection.close()


async def test_a_password_is_asked_for(database: str) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(database, password="another")


@pytest.mark.parametrize("how", ["kill", "stop", "stop_immediate"])
async def test_what_was_committed_is_there_after_an_end(
    postgres: Postgres, database: str, how: str
) -> None:
    open_one = await asyncpg.connect(database)
    await _write(database, "INSERT INTO note VALUES ('committed')")
    await open_one.execute("BEGIN; INSERT INTO note VALUES ('not committed')")
    getattr(postgres, how)()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await open_one.execute("COMMIT")
    open_one.terminate()
    with pytest.raises(ConnectionRefusedError):
        await asyncpg.connect(database)
    postgres.start()
    assert await _notes(database) == ["from the template", "committed"]


async def test_a_frozen_server_is_silent_and_then_answers(
    postgres: Postgres, database: str
) -> None:
    connection = await asyncpg.connect(database)
    postgres.freeze()
    asked = asyncio.create_task(connection.fetchval("SELECT 1"))
    # Not one of its processes can have answered: all are stopped, and none is left out.
    pids = _processes(postgres._data)
    states = {Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] for pid in pids}
    assert len(pids) > 3
    assert states == {"T"}
    assert not asked.done()
    postgres.thaw()
    assert await asked == 1
    await connection.close()


async def test_connections_to_one_database_are_cut(postgres: Postgres, database: str) -> None:
    cut, kept = await asyncpg.connect(database), await asyncpg.connect(postgres.url("template"))
    assert postgres.terminate_backends("test") == 1
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await cut.fetchval("SELECT 1")
    assert await kept.fetchval("SELECT 1") == 1
    cut.terminate()
    await kept.close()


@pytest.mark.parametrize("frozen", [False, True])
def test_nothing_is_left_of_it_when_who_started_it_is_killed(frozen: bool) -> None:
    program = (
        "import signal\n"
        "from tests.support.postgres_service import Postgres\n"
        "with Postgres() as server:\n"
        f"    {'server.freeze()' if frozen else 'pass'}\n"
        "    print(server._folder, flush=True)\n"
        "    signal.pause()\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child.stdout:
        data = Path(child.stdout.readline().decode().strip()) / "data"
        assert len(_processes(data)) > 3
        child.kill()
        child.wait()
        # The watch holds the pipe's other end as well: it is read to its end when the watch has.
        assert child.stdout.read() == b""
    assert _processes(data) == []
    assert not data.parent.exists()
