"""One PostgreSQL, Redis and nursery for all cells of a process, and the cast's database.

`SUBROSA_CELLS=all` makes every cell of fault and phase; without it one of every second fault. At
the end of all cells a summary is printed and written to build/.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.cluster import cast, summary
from tests.faults.cluster.rig import Services, services
from tests.support.nursery import ROOT, Nursery

ALL = os.environ.get("SUBROSA_CELLS") == "all"
BUILD = ROOT / "build"


@pytest.fixture(scope="session")
def cluster_services() -> Iterator[Services]:
    """What every cell needs."""
    with Nursery() as nursery, services(nursery) as made:
        asyncio.run(cast.make_template(made))
        yield made


@pytest.fixture(scope="session")
def seed() -> str:
    """Printed with what fails; `SUBROSA_SEED` runs it again."""
    return os.environ.get("SUBROSA_SEED") or secrets.token_hex(4)


@pytest.fixture(scope="session")
def kept() -> Path:
    """Where verdicts are left for the summary."""
    return BUILD / "faults.d"


def pytest_sessionstart(session: pytest.Session) -> None:
    if ALL and not hasattr(session.config, "workerinput"):
        summary.begin(BUILD)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if ALL:
        for line in summary.end(BUILD):
            terminalreporter.write_line(line)
