"""What tests of faults have in common: a mother of processes, and what every wire is handed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from server.web.uvicorn_protocol import WebSocketProtocol
from tests.faults.wires import Handed
from tests.support.nursery import Nursery


@pytest.fixture(scope="package")
def nursery() -> Iterator[Nursery]:
    """Forks the command line as processes of their own."""
    with Nursery() as mother:
        yield mother


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> Handed:
    """Watches every wire's `write`."""
    seen = Handed()
    write = WebSocketProtocol.write

    def watched(self: WebSocketProtocol, frames: Any) -> None:
        seen.log.append((self, b"".join(frames)))
        write(self, frames)

    monkeypatch.setattr(WebSocketProtocol, "write", watched)
    return seen
