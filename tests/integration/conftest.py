"""Bounds for the tests of whole servers and their services."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.bounded import bound

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    bound([item for item in items if HERE in item.path.parents])
