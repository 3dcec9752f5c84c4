"""The Autobahn cases, as kosoku runs them, against the protocol class behind an echo application.

The product speaks one kind of message on a connection, chosen with the subprotocol; the cases
speak both and ask for no subprotocol. So the echo speaks none either, and is run once for text
and once for binary.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from kosoku import FailureError, run_fuzzingclient

from server.protocol.frames import BINARY, TEXT
from server.web.endpoint import Limits
from server.web.serving import running
from tests.support.echo import EchoAcceptor, answer_ok

COMPRESSION = ["12.*", "13.*"]
"""Never run: permessage-deflate is not offered here, it costs 50 KB a session."""

BINARY_CASES = ["1.2.*"]
LARGE_TEXT = ["9.1.*", "9.3.*", "9.5.*", "9.7.*"]
LARGE_BINARY = ["9.2.*", "9.4.*", "9.6.*", "9.8.*"]
"""Of up to 16 MiB and 65,536 fragments a message: run with limits raised out of their way."""

PATIENCE_MS = 500
"""For which the tester waits for the server's end of the connection."""

ROOMY = Limits(max_size=1 << 25, fragments=1 << 17)

NOT_STRICT = {"6.4.1", "6.4.2", "6.4.3", "6.4.4"}
"""Text is checked when it is whole, not fragment by fragment: allowed, and looked at once only."""

UNDEFINED = {"7.1.6", "7.13.1", "7.13.2"}
"""What these expect, the cases themselves leave open."""


async def verdicts(
    opcode: int, cases: Sequence[str], excluded: Sequence[str] = (), limits: Limits | None = None
) -> dict[str, tuple[str, str]]:
    """Each case's verdict on the messages and on the close. Raises with those that failed."""

    def opcode_of(subprotocol: str) -> int:
        return opcode

    acceptor = EchoAcceptor((), opcode_of)
    async with running(answer_ok, acceptor, limits=limits, opcode_of=opcode_of) as served:
        url = f"ws://{served.host}:{served.port}/ws"
        return await run(url, cases, excluded)


async def run(
    url: str, cases: Sequence[str], excluded: Sequence[str] = (), concurrency: int = 16
) -> dict[str, tuple[str, str]]:
    """As `verdicts`. A case that ran into the tester's own patience, as any does where the machine
    stands still for that long, is run again, by itself."""
    again = list[str]()
    try:
        results = await run_fuzzingclient(url, cases, excluded, concurrency)
    except FailureError as failure:
        results = failure.results
        failed = [case for case in results if not case.passed]
        if concurrency == 1 or min(case.duration for case in failed) < PATIENCE_MS:
            raise
        again = [case.case_id for case in failed]
    found = {case.case_id: (case.behavior.value, case.behavior_close.value) for case in results}
    return found | await run(url, again, concurrency=1) if again else found


def not_ok(results: dict[str, tuple[str, str]]) -> set[str]:
    return {case for case, verdict in results.items() if verdict != ("OK", "OK")}


async def test_every_case_of_the_products_size_as_text() -> None:
    large = [*LARGE_TEXT, *LARGE_BINARY]
    results = await verdicts(TEXT, ["*"], [*COMPRESSION, *BINARY_CASES, *large])

    assert len(results) == 239
    assert not_ok(results) == NOT_STRICT | UNDEFINED


async def test_binary_messages() -> None:
    results = await verdicts(BINARY, BINARY_CASES)

    assert len(results) == 8
    assert not_ok(results) == set()


@pytest.mark.parametrize(
    ("opcode", "cases"), [(TEXT, LARGE_TEXT), (BINARY, LARGE_BINARY)], ids=["text", "binary"]
)
async def test_large_messages_under_larger_limits(opcode: int, cases: Sequence[str]) -> None:
    results = await verdicts(opcode, cases, limits=ROOMY)

    assert len(results) == 27
    assert not_ok(results) == set()
