"""The opening handshake: who is let in, what each other request is told, and in which order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from server.protocol.wire import Listener, Wire
from server.web.handshake import Accepted, Refused, Request, answer

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
FOREIGN = "http://elsewhere.example"


class Doorman:
    """An acceptor that turns one origin away."""

    def __init__(self, *spoken: str) -> None:
        self.spoken = spoken
        self.asked: list[str | None] = []

    def subprotocols(self) -> Sequence[str]:
        return self.spoken

    def refusal(self, origin: str | None) -> tuple[int, str] | None:
        self.asked.append(origin)
        return (403, "not from there") if origin == FOREIGN else None

    def accepted(self, wire: Wire, subprotocol: str) -> Listener:
        raise AssertionError("judging a request opens nothing")


def handshake(
    *,
    method: str = "GET",
    version: str = "1.1",
    target: bytes = b"/ws",
    drop: bytes = b"",
    extra: Sequence[tuple[bytes, bytes]] = (),
) -> Request:
    headers = [
        (b"host", b"127.0.0.1"),
        (b"connection", b"keep-alive, Upgrade"),
        (b"upgrade", b"WebSocket"),
        (b"sec-websocket-key", KEY),
        (b"sec-websocket-version", b"13"),
        (b"sec-websocket-protocol", b"chat, subrosa.v1.json"),
        (b"sec-websocket-protocol", b"subrosa.v1.msgpack"),
    ]
    replaced = {name for name, _ in extra}
    kept = [pair for pair in headers if pair[0] not in replaced and pair[0] != drop]
    return Request(method, version, target, [*kept, *extra])


@pytest.fixture
def doorman() -> Doorman:
    return Doorman("subrosa.v1.msgpack", "subrosa.v1.json")


def test_the_servers_first_choice_among_those_offered_is_spoken(doorman: Doorman) -> None:
    verdict = answer(handshake(), doorman)

    assert verdict == Accepted(
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        b"Sec-WebSocket-Protocol: subrosa.v1.msgpack\r\n\r\n",
        "subrosa.v1.msgpack",
    )


def test_compression_is_never_accepted(doorman: Doorman) -> None:
    offer = (b"sec-websocket-extensions", b"permessage-deflate; client_max_window_bits")
    verdict = answer(handshake(extra=[offer]), doorman)

    assert isinstance(verdict, Accepted)
    assert b"extensions" not in verdict.response.lower()


def test_where_no_subprotocol_is_spoken_none_is_asked_for() -> None:
    verdict = answer(handshake(drop=b"sec-websocket-protocol"), Doorman())

    assert isinstance(verdict, Accepted)
    assert verdict.subprotocol == ""
    assert b"Protocol:" not in verdict.response


def test_a_query_is_not_read(doorman: Doorman) -> None:
    assert isinstance(answer(handshake(target=b"/ws?x=1"), doorman), Accepted)


def test_the_origin_reaches_the_acceptor_as_it_was_sent(doorman: Doorman) -> None:
    answer(handshake(extra=[(b"origin", b"https://Caf\xe9.example")]), doorman)
    answer(handshake(), doorman)

    assert doorman.asked == ["https://Café.example", None]


@pytest.mark.parametrize(
    ("request_", "status", "about"),
    [
        pytest.param(handshake(target=b"/"), 404, "no WebSocket here", id="root"),
        pytest.param(handshake(target=b"/ws/"), 404, "no WebSocket here", id="longer-path"),
        pytest.param(handshake(target=b"/WS"), 404, "no WebSocket here", id="upper-case-path"),
        pytest.param(handshake(method="POST"), 400, "GET", id="method"),
        pytest.param(handshake(version="1.0"), 400, "HTTP/1.1", id="http-version"),
        pytest.param(handshake(drop=b"host"), 400, "host", id="no-host"),
        pytest.param(handshake(drop=b"connection"), 400, "upgrade", id="no-connection"),
        pytest.param(handshake(extra=[(b"upgrade", b"h2c")]), 400, "upgrade", id="other-upgrade"),
        pytest.param(handshake(drop=b"sec-websocket-key"), 400, "key", id="no-key"),
        pytest.param(
            handshake(extra=[(b"sec-websocket-key", b"c2hvcnQ=")]), 400, "key", id="short-key"
        ),
        pytest.param(
            handshake(extra=[(b"sec-websocket-key", b"dGhl!IHNhbXBsZSBub25jZQ==")]),
            400,
            "key",
            id="key-not-base64",
        ),
        pytest.param(
            handshake(extra=[(b"sec-websocket-key", b"\xff" * 24)]), 400, "key", id="key-not-ascii"
        ),
        pytest.param(
            handshake(extra=[(b"sec-websocket-key", KEY)] * 2), 400, "twice", id="two-keys"
        ),
        pytest.param(
            handshake(extra=[(b"origin", b"http://a"), (b"origin", b"http://b")]),
            400,
            "twice",
            id="two-origins",
        ),
        pytest.param(handshake(extra=[(b"host", b"a"), (b"host", b"b")]), 400, "twice", id="hosts"),
        pytest.param(handshake(drop=b"sec-websocket-version"), 400, "version", id="no-version"),
        pytest.param(
            handshake(extra=[(b"sec-websocket-version", b"8")]), 400, "version", id="version-8"
        ),
        pytest.param(
            handshake(extra=[(b"origin", FOREIGN.encode())]), 403, "not from there", id="origin"
        ),
        pytest.param(
            handshake(drop=b"sec-websocket-protocol"), 400, "subprotocol", id="no-subprotocol"
        ),
        pytest.param(
            handshake(extra=[(b"sec-websocket-protocol", b"SUBROSA.V1.JSON, subrosa.v2.json")]),
            400,
            "subrosa.v1.msgpack, subrosa.v1.json",
            id="unknown-subprotocol",
        ),
    ],
)
def test_what_is_refused(doorman: Doorman, request_: Request, status: int, about: str) -> None:
    verdict = answer(request_, doorman)

    assert isinstance(verdict, Refused)
    assert (verdict.status, about in verdict.text) == (status, True)


def test_who_speaks_another_version_is_told_ours(doorman: Doorman) -> None:
    verdict = answer(handshake(extra=[(b"sec-websocket-version", b"14")]), doorman)

    assert isinstance(verdict, Refused)
    assert verdict.headers == ((b"sec-websocket-version", b"13"),)


def test_a_foreign_page_learns_nothing_of_the_subprotocols(doorman: Doorman) -> None:
    verdict = answer(
        handshake(drop=b"sec-websocket-protocol", extra=[(b"origin", FOREIGN.encode())]), doorman
    )

    assert isinstance(verdict, Refused)
    assert verdict.status == 403


def test_a_malformed_request_is_not_put_to_the_acceptor(doorman: Doorman) -> None:
    answer(handshake(drop=b"sec-websocket-key"), doorman)
    answer(handshake(target=b"/other"), doorman)

    assert doorman.asked == []
