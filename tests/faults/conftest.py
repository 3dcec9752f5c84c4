"""What tests of faults have in common: bounds, and a mother of processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.bounded import bound
from tests.support.nursery import Nursery

HERE = Path(__file__).parent


@pytest.fixture(scope="package")
def nursery() -> Iterator[Nursery]:
    """Forks the command line as processes of their own."""
    with Nursery() as mother:
        yield mother


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    bound([item for item in items if HERE in item.path.parents])
