"""What the contract's tests have in common: a mother of processes, and keys for tokens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.nursery import Nursery


@pytest.fixture(scope="package")
def nursery() -> Iterator[Nursery]:
    """Forks the command line as processes of their own."""
    with Nursery() as mother:
        yield mother
