"""HTTP: health, metrics, the reference, and how a command is posted."""

from __future__ import annotations

import json
from typing import Any

import httpx
import msgpack
import pytest

from server.commands import table
from server.web.http import MEMBER_BODY
from tests.support.careful_peer import TYPES, HttpPeer, careful, refused
from tests.support.running import Running, running_node


def client(server: Running) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server.base, trust_env=False, timeout=30)


async def test_health_and_readiness() -> None:
    async with running_node() as server, client(server) as http:
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.get("/readyz")).status_code == 200
        server.node.dispatcher.draining = True
        assert (await http.get("/readyz")).status_code == 503
        assert (await http.get("/healthz")).status_code == 200
        server.node.dispatcher.draining = False


async def test_metrics_are_for_the_operator_or_this_machine() -> None:
    async with running_node() as server, client(server) as http:
        await server.people("ada", "grace")
        async with careful(server, "ada", "grace") as (ada, grace):
            await ada.call("message.send", to="grace", body="a canary", client_id="1")
            await grace.event("message.created")
            answer = await http.get("/metrics")
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/plain")
            values = {
                line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
                for line in answer.text.splitlines()
                if line and not line.startswith("#")
            }
            assert values["subrosa_sessions"] == 2
            assert values["subrosa_deliveries_total"] >= 2
            assert values['subrosa_commands_total{cmd="message.send",outcome="ok"}'] == 1
            for name in ("ada", "grace", "canary"):
                assert name not in answer.text
        for header in ("x-forwarded-for", "forwarded", "x-real-ip", "via"):
            answer = await http.get("/metrics", headers={header: "127.0.0.1"})
            assert answer.status_code == 401, header
            answer = await http.get(
                "/metrics", headers={header: "192.0.2.1", "x-api-key": server.admin_key}
            )
            assert answer.status_code == 200


async def test_the_reference_names_every_command() -> None:
    async with running_node() as server, client(server) as http:
        page = await http.get("/docs")
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        openapi = (await http.get("/docs/openapi.json")).json()
        asyncapi = (await http.get("/docs/asyncapi.json")).text
        assert openapi["openapi"].startswith("3.")
        assert json.loads(asyncapi)["asyncapi"].startswith("3.")
        for name, command in table.MEMBER.items():
            assert name in page.text
            assert f'"{name}"' in asyncapi
            assert (f"/v1/{name}" in openapi["paths"]) == command.http, name
        for name in table.OPERATOR:
            assert f"/admin/v1/{name}" in openapi["paths"], name
        assert (await http.get("/docs/nothing")).status_code == 404


async def test_the_page_is_served_and_asks_for_nothing_from_elsewhere() -> None:
    async with running_node() as server, client(server) as http:
        answer = await http.get("/")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("encoding", TYPES)
async def test_the_body_is_params_and_the_answer_a_result_or_an_error(encoding: str) -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        token = server.token("ada")
        async with HttpPeer(server.base, token, encoding=encoding) as ada:
            pack: Any = msgpack.packb if encoding == "msgpack" else lambda v: json.dumps(v).encode()
            answer = await ada.post("/v1/settings.get", b"")
            assert (set(answer), ada.status) == ({"result"}, 200)
            assert ada.headers["content-type"] == TYPES[encoding]
            assert ada.headers["cache-control"] == "no-store"
            answer = await ada.post("/v1/explain", pack({"to": "grace"}))
            assert set(answer) == {"result"}
            for body in (
                b"[]", b"7", b'"x"', b"{", pack([]), pack(7), pack("x"), b"\xc1", b"\x81",
                pack({"to": "grace"}) + b"x", b"\xff\xfe",
            ):  # fmt: skip
                answer = await ada.post("/v1/explain", body)
                assert (answer["error"]["code"], ada.status) == ("invalid", 400), body
                assert set(answer) == {"error"}
                assert ada.headers["content-type"] == TYPES[encoding]
            answer = await ada.post("/v1/no.such", pack({}))
            assert (answer["error"]["code"], answer["error"]["field"]) == ("invalid", "cmd")


async def test_both_encodings_refuse_the_same_inputs() -> None:
    deep: Any = "x"
    for _ in range(40):
        deep = [deep]
    pairs: list[tuple[bytes, bytes]] = [
        (b'{"to": NaN}', msgpack.packb({"to": float("nan")})),
        (b'{"to": 1e999}', msgpack.packb({"to": float("inf")})),
        (b'{"to": 9007199254740992}', msgpack.packb({"to": 2**53})),
        (b'{"to": -9007199254740992}', msgpack.packb({"to": -(2**53)})),
        (b'{"to": 18446744073709551615}', msgpack.packb({"to": 2**64 - 1})),
        (b'{"to": "\\ud800"}', b"\x81\xa2to\xa3\xed\xa0\x80"),
        (b'{"\\udfff": 1}', b"\x81\xa3\xed\xbf\xbf\x01"),
        (b'{"to": "\xff"}', b"\x81\xa2to\xa1\xff"),
        (b'{1: "x"}', msgpack.packb({1: "x"})),
        (json.dumps({"to": deep}).encode(), msgpack.packb({"to": deep})),
        (b"[" * 50_000, b"\x91" * 50_000),
        (b'{"to": ' + b'{"a": ' * 20_000, b"\x81\xa1a" * 20_000),
    ]
    async with running_node() as server:
        await server.people("ada")
        token = server.token("ada")
        async with (
            HttpPeer(server.base, token) as text,
            HttpPeer(server.base, token, encoding="msgpack") as binary,
        ):
            for one, other in pairs:
                for peer, body in ((text, one), (binary, other)):
                    answer = await peer.post("/v1/explain", body)
                    assert (answer["error"]["code"], peer.status) == ("invalid", 400), body[:40]
                    assert "field" not in answer["error"], body[:40]
            for ext in (b"\xc7\x01\x05x", b"\xd6\xff\x00\x00\x00\x01", b"\xc4\x01x"):
                answer = await binary.post("/v1/explain", b"\x81\xa2to" + ext)
                assert (answer["error"]["code"], binary.status) == ("invalid", 400)
            # What both can carry is no error of the encoding: the parameter is what is wrong.
            for number in (2**53 - 1, -(2**53) + 1, 1.5, 1e300, None, True):
                for peer, body in (
                    (text, json.dumps({"to": number}).encode()),
                    (binary, msgpack.packb({"to": number})),
                ):
                    answer = await peer.post("/v1/explain", body)
                    assert answer["error"]["field"] == "to"


async def test_a_content_type_of_another_kind_is_invalid() -> None:
    async with running_node() as server:
        await server.people("ada")
        async with HttpPeer(server.base, server.token("ada")) as ada:
            for kind in ("text/plain", "application/xml", "multipart/form-data", "x", ""):
                answer = await ada.post("/v1/settings.get", b"{}", **{"content-type": kind})
                assert (answer["error"]["code"], ada.status) == ("invalid", 400), kind
            for kind in ("application/json; charset=utf-8", "Application/JSON"):
                answer = await ada.post("/v1/settings.get", b"{}", **{"content-type": kind})
                assert "result" in answer


async def test_a_body_beyond_the_limit_is_too_large() -> None:
    async with running_node() as server:
        await server.people("ada")
        async with HttpPeer(server.base, server.token("ada")) as ada:
            fits = b'{"x": "' + b"x" * (MEMBER_BODY - 9) + b'"}'
            assert len(fits) == MEMBER_BODY == 128 * 1024
            assert "result" in await ada.post("/v1/settings.get", fits)
            answer = await ada.post("/v1/settings.get", fits + b" ")
            assert (answer["error"]["code"], ada.status) == ("too_large", 413)
            assert answer["error"]["retryable"] is False
            assert "result" in await ada.post("/v1/settings.get", b"{}")


async def test_without_a_bearer_token_nobody_is_let_in() -> None:
    async with running_node() as server:
        await server.people("ada")
        token = server.token("ada")
        for header in (
            "", "Bearer", f"Basic {token}", token, f"Bearer {token}x", "Bearer x",
            f"Bearer {server.admin_key}",
        ):  # fmt: skip
            async with HttpPeer(server.base) as http:
                answer = await http.post("/v1/settings.get", b"{}", authorization=header)
                assert (answer["error"]["code"], http.status) == ("unauthenticated", 401), header
        async with HttpPeer(server.base) as http:
            answer = await http.post("/v1/settings.get", b"{}", authorization=f"bearer {token}")
            assert "result" in answer
            # Somebody who may not come in is not told what there is.
            answer = await http.post("/v1/no.such", b"[")
            assert answer["error"]["code"] == "unauthenticated"


async def test_commands_of_a_socket_are_not_given_over_http() -> None:
    async with running_node() as server:
        await server.people("ada")
        async with HttpPeer(server.base, server.token("ada")) as ada:
            for cmd in ("connect", "refresh", "resume", "ping"):
                error = await refused(ada, cmd, token=server.token("ada"))
                assert (error["code"], error["field"]) == ("invalid", "cmd")


async def test_a_command_is_posted_and_nothing_else() -> None:
    async with running_node() as server, client(server) as http:
        for path in ("/v1/settings.get", "/admin/v1/member.put"):
            for method in ("GET", "PUT", "DELETE", "PATCH"):
                assert (await http.request(method, path)).status_code == 405
        assert (await http.post("/v1/a/b")).status_code == 404
        assert (await http.get("/v2/settings.get")).status_code == 404
