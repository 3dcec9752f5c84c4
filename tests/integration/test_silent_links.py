"""A database that falls silent holds nobody for longer than its link's watch."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import text

from server.domain.policy import DEFAULT
from server.store.leases import PostgresLeases
from server.store.postgres import LINK_FAILURES, PostgresDatabase, watched
from tests.support.postgres_service import Postgres

DEAD_S = 0.3
LIMIT_S = 5.0  # asyncpg says nothing for ever by itself


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture
async def database(postgres: Postgres) -> AsyncIterator[PostgresDatabase]:
    postgres.create_database("test")
    opened = await PostgresDatabase.open(postgres.url("test"), DEFAULT)
    yield opened
    postgres.thaw()
    await opened.close()
    await asyncio.to_thread(postgres.drop_database, "test")


@pytest.mark.parametrize("after", ["before a statement", "after the last statement"])
async def test_a_transaction_ends_wherever_the_silence_begins(
    postgres: Postgres, database: PostgresDatabase, after: str
) -> None:
    async def one() -> None:
        async with watched(database.renewing, DEAD_S) as connection:
            await connection.scalar(text("SELECT 1"))
            postgres.freeze()
            if after == "before a statement":
                await connection.scalar(text("SELECT 1"))

    done, _ = await asyncio.wait([asyncio.create_task(one())], timeout=LIMIT_S)
    postgres.thaw()
    assert [type(task.exception()) for task in done] != []
    assert all(isinstance(task.exception(), LINK_FAILURES) for task in done)
    assert await PostgresLeases(database).renew("a", 0, 0) == 1


async def test_a_renewal_ends_while_its_lease_still_holds(
    postgres: Postgres, database: PostgresDatabase
) -> None:
    leases = PostgresLeases(database)
    assert await leases.renew("a", 0, 0) == 1
    postgres.freeze()
    asked = time.monotonic()
    with pytest.raises(LINK_FAILURES):
        async with asyncio.timeout(LIMIT_S):
            await leases.renew("a", 0, 0)
    postgres.thaw()
    assert time.monotonic() - asked < LIMIT_S
    assert await leases.renew("a", 0, 0) >= 2
