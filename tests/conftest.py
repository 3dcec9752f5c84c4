"""What every test runs under: the loop of production, no blocking call in it, a bounded search.

Called by pytest alone. Fixtures that start or stand in for a part of the server live in
tests/support; timeouts of tests without a loop, and "warnings are errors", in pyproject.toml.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator, Mapping

import hypothesis
import pytest
import uvloop
from blockbuster import BlockBuster, blockbuster_ctx

from tests.support.bounded import bound

# A deadline per example measures the machine's other load; the test's own timeout bounds it.
hypothesis.settings.register_profile("subrosa", deadline=None, print_blob=True)
hypothesis.settings.load_profile("subrosa")


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Async tests run on the loop that the server runs on."""
    return {"uvloop": uvloop.new_event_loop}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """No async test waits for ever."""
    bound(items)


def pytest_collection_finish() -> None:
    """What all tests are made of stays until the end: walking it took a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def nothing_blocks_the_loop() -> Iterator[BlockBuster]:
    """A blocking call that our own code makes inside a loop raises `BlockingError`."""
    with blockbuster_ctx(["server", "client_demo"]) as watch:
        # A new connection to PostgreSQL looks for the files that its clients may be set up by: a
        # few small ones of this machine, at the start and after the link was lost.
        for function in watch.functions.values():
            function.can_block_in("asyncpg/connect_utils.py", "_parse_connect_dsn_and_args")
            # Migrations are read and run in a thread that has a loop for nothing else.
            function.can_block_in("server/store/schema.py", "migrate")
        yield watch
