"""What the contract's tests have in common: the houses they run in, a mother of processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import houses
from tests.support.nursery import Nursery

# What is about one process, its files, its sockets or its command line is the same in every house.
ONE_PROCESS = (
    "test_running",
    "test_drain",
    "test_handshake",
    "test_http",
    "test_tokens",
    "test_rights_at_the_command_line",
)
# So is what is refused before the store is asked, or counted by each node for itself.
BEFORE_THE_STORE = ("test_errors", "test_limits")


# Each allowed pair of store and bus meets the commands that most others are like.
EVERY_PAIR = ("test_messages",)


@pytest.fixture(scope="package")
def nursery() -> Iterator[Nursery]:
    """Forks the command line as processes of their own."""
    with Nursery() as mother:
        yield mother


@pytest.fixture(autouse=True)
def house(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where `running_node` puts the test's server."""
    name = getattr(request, "param", houses.EMBEDDED)
    token = houses.CURRENT.set(name)
    yield
    houses.CURRENT.reset(token)
    houses.forget()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    module = metafunc.module.__name__.rpartition(".")[2]
    if module in ONE_PROCESS:
        return
    marker = metafunc.definition.get_closest_marker("houses")
    everywhere = (houses.EMBEDDED,) if module in BEFORE_THE_STORE else houses.CONTRACT
    usual = everywhere + (houses.PAIRS if module in EVERY_PAIR else ())
    chosen = marker.args if marker is not None else usual
    metafunc.parametrize("house", chosen, indirect=True, ids=lambda name: name.replace(" ", "-"))
