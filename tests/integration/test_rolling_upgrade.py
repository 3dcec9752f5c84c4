"""Two versions side by side: nodes are replaced one by one, and nobody notices.

The next version is a copy of this one with a migration more, whose column old nodes know nothing
of, and with messages on the bus that carry a field more.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from server.store import schema
from server.web.tokens import Tokens
from tests.support import houses
from tests.support.careful_peer import CarefulPeer, HttpPeer
from tests.support.running import Process

ROOT = Path(__file__).resolve().parents[2]
THIS = schema.version()
NEXT = f"{int(THIS) + 1:04}"
MIGRATION = '''"""The next one."""

import sqlalchemy as sa
from alembic import op

revision = "NEXT"
down_revision = "THIS"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message", sa.Column("mood", sa.Text(), nullable=False, server_default="calm"))
    needs = sa.table("deployment", sa.column("name"), sa.column("value"))
    op.execute(needs.delete().where(needs.c.name == "needs"))
    op.execute(needs.insert().values(name="needs", value="NEEDS"))
'''


def next_version(folder: Path, needs: str) -> Path:
    """A copy of this version that goes one further; `needs` is the oldest that may serve then."""
    for package in ("server", "client_demo"):
        shutil.copytree(
            ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    versions = folder / "server" / "store" / "migrations" / "versions"
    text = MIGRATION.replace("THIS", THIS).replace("NEXT", NEXT).replace("NEEDS", needs)
    (versions / f"{NEXT}_next.py").write_text(text)
    messages = folder / "server" / "realtime" / "messages.py"
    text = messages.read_text()
    longer = text.replace(
        "    signal: Signal | None = None\n",
        '    signal: Signal | None = None\n    mood: str = "calm"\n',
    )
    assert longer != text
    messages.write_text(longer)
    return folder


class Rolling:
    """Nodes of either version over one database and bus."""

    def __init__(self, data: Path, settings: dict[str, str], stack: AsyncExitStack) -> None:
        self._data = data
        self._stack = stack
        self._environment = {
            "SUBROSA_DATABASE": settings["database"],
            "SUBROSA_REDIS": settings["redis"],
            "SUBROSA_REDIS_PREFIX": settings["redis_prefix"],
            "SUBROSA_RATE_LIMITS": "off",
        }

    async def node(self, code: Path | None = None) -> Process:
        """Another node, killed at the end if it is still there."""
        process = Process(self._data, code=code, **self._environment)
        await process.start()
        self._stack.push_async_callback(process.kill)
        return process

    async def operate(self, node: Process, cmd: str, **params: str) -> None:
        """An operator's command at a node."""
        key = (self._data / "admin.key").read_text().strip()
        async with HttpPeer(node.base, key=key) as operator:
            await operator.call(cmd, **params)

    async def peer(self, node: Process, member: str) -> CarefulPeer:
        """A connected client at a node."""
        key = (self._data / "signing.key").read_text().strip()
        token = Tokens.signing(key, time.time).issue(member, 3600)
        peer = CarefulPeer(node.base.replace("http", "ws") + "/ws", token)
        await self._stack.enter_async_context(peer)
        return peer


@asynccontextmanager
async def rolling(tmp_path: Path) -> AsyncIterator[Rolling]:
    token = houses.CURRENT.set("two nodes")
    try:
        async with houses.resources() as (settings, _), AsyncExitStack() as stack:
            yield Rolling(tmp_path / "data", settings, stack)
    finally:
        houses.CURRENT.reset(token)


@pytest.mark.timeout(90)
async def test_nodes_of_two_versions_serve_side_by_side(tmp_path: Path) -> None:
    newer = next_version(tmp_path / "next", needs=THIS)
    async with rolling(tmp_path) as house:
        old = await house.node()
        for member in ("ada", "grace"):
            await house.operate(old, "member.put", id=member, name=member)
        await house.operate(old, "connection.put", a="ada", b="grace")
        ada = await house.peer(old, "ada")
        await ada.connect()

        new = await house.node(newer)  # migrates under the old one's feet
        grace = await house.peer(new, "grace")
        await grace.connect()
        for number in range(5):
            await ada.call("message.send", to="grace", body=f"old {number}", client_id=f"o{number}")
            await grace.call("message.send", to="ada", body=f"new {number}", client_id=f"n{number}")
        for peer in (ada, grace):
            bodies = [(await peer.event("message.created"))["data"]["body"] for _ in range(10)]
            assert sorted(bodies) == sorted(f"{v} {n}" for v in ("old", "new") for n in range(5))
        await house.operate(new, "session.revoke", member="ada")
        assert (await ada.end())[0] == 4508

        again = await house.node()  # the version before may even start
        late = await house.peer(again, "grace")
        await late.connect()
        assert (await late.call("conversation.list"))["conversations"][0]["last"]["body"] == "new 4"


@pytest.mark.timeout(60)
async def test_a_version_that_cannot_serve_the_newer_database_says_so(tmp_path: Path) -> None:
    newer = next_version(tmp_path / "next", needs=NEXT)
    async with rolling(tmp_path) as house:
        await house.node(newer)
        with pytest.raises(RuntimeError, match=r"subrosa: the database is of a newer version"):
            await house.node()
