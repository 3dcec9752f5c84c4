"""Tokens: who signs them, what they must say, how long they last."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from server.errors import SetupError
from tests.support.careful_peer import CarefulPeer, HttpPeer, careful, refused
from tests.support.clocks import Clock
from tests.support.peer_client import Peer
from tests.support.running import Running, running_node


def claims(**changed: Any) -> dict[str, Any]:
    """A good token's claims; a change to None takes one away."""
    now = time.time()
    usual = {"sub": "ada", "iat": now, "exp": now + 600, "jti": "one"}
    return {name: value for name, value in {**usual, **changed}.items() if value is not None}


def signed(server: Running, payload: dict[str, Any], algorithm: str = "HS256") -> str:
    """With the text of the deployment's signing.key, as the network's own backend would."""
    key = (server.node.settings.data / "signing.key").read_text().strip()
    return jwt.encode(payload, key, algorithm=algorithm)


async def turned_away(server: Running, token: str) -> tuple[int, int]:
    """How a token fares: the close code of a WebSocket, and HTTP's status."""
    async with Peer(server.ws, token) as one:
        error = await refused(one, "connect", token=token)
        assert error["code"] == "unauthenticated"
        code = (await one.end())[0]
    async with HttpPeer(server.base, token) as http:
        assert (await refused(http, "settings.get"))["code"] == "unauthenticated"
    return code, http.status


async def let_in(server: Running, token: str) -> None:
    async with CarefulPeer(server.ws, token) as one:
        await one.connect()
        await one.call("settings.get")
    async with HttpPeer(server.base, token) as http:
        await http.call("settings.get")


async def test_the_text_of_the_signing_key_signs_hs256() -> None:
    async with running_node() as server:
        await server.people("ada")
        await let_in(server, signed(server, claims()))
        now = time.time()
        await let_in(server, signed(server, claims(iat=now - 0.0001, exp=now + 86_399.9)))
        await let_in(server, signed(server, claims(iat=int(now), exp=int(now) + 60)))
        await let_in(server, signed(server, claims(nbf=now + 60, aud="somebody", extra={})))


BAD: dict[str, Any] = {
    "no sub": {"sub": None},
    "no iat": {"iat": None},
    "no exp": {"exp": None},
    "no jti": {"jti": None},
    "sub is a number": {"sub": 7},
    "sub is nobody": {"sub": "nobody"},
    "sub is empty": {"sub": ""},
    "sub is no id": {"sub": "a/b"},
    "sub ends with a line": {"sub": "ada\n"},
    "iat is text": {"iat": "yesterday"},
    "iat is true": {"iat": True},
    "iat is negative": {"iat": -1},
    "exp is text": {"exp": str(int(time.time()) + 600)},
    "exp is a list": {"exp": [1]},
    "jti is a number": {"jti": 7},
    "jti is empty": {"jti": ""},
    "jti is long": {"jti": "j" * 65},
    "iat lies ahead": {"iat": time.time() + 3600, "exp": time.time() + 7200},
    "a second too long": {"iat": time.time() - 1, "exp": time.time() + 86_400},
    "a year long": {"exp": time.time() + 365 * 86_400},
    "for ever": {"exp": 1e30},
}


async def test_a_token_with_wrong_claims_is_turned_away() -> None:
    async with running_node() as server:
        await server.people("ada")
        fared = {}
        for kind, change in BAD.items():
            # PyJWT checks some kinds itself when it encodes; the wire may carry anything.
            fared[kind] = await turned_away(server, raw_token(server, claims(**change)))
        assert fared == dict.fromkeys(BAD, (4500, 401))


def raw_token(server: Running, payload: dict[str, Any]) -> str:
    """Signed over exactly these claims, whatever they are."""
    key = (server.node.settings.data / "signing.key").read_text().strip()
    return jwt.PyJWS().encode(json.dumps(payload).encode(), key, algorithm="HS256")


async def test_other_algorithms_and_keys_are_turned_away() -> None:
    async with running_node() as server:
        await server.people("ada")
        good = signed(server, claims())
        head, body, mark = good.split(".")
        for token in (
            signed(server, claims(), "HS512"),
            jwt.encode(claims(), "", algorithm="none"),
            jwt.encode(claims(), "x" * 64, algorithm="HS256"),
            f"{head}.{body}.",
            f"{head}.{body}",
            f"{head}.{body[:-2]}.{mark}",
            f"{head}.{body}.{mark[:-2]}AA",
            "x", "..", "a.b.c", "é.é.é", "\x00",
        ):  # fmt: skip
            async with Peer(server.ws, token) as one:
                assert (await refused(one, "connect", token=token))["code"] == "unauthenticated"
                assert (await one.end())[0] == 4500


async def test_iat_may_have_a_fraction_and_must_not_lie_ahead() -> None:
    async with running_node() as server:
        clock = Clock.of(server)
        await server.people("ada")
        now = clock.now_s()
        await let_in(server, signed(server, claims(iat=now, exp=now + 60)))
        ahead = signed(server, claims(iat=now + 0.001, exp=now + 60))
        assert await turned_away(server, ahead) == (4500, 401)
        clock.move(0.002)
        await let_in(server, ahead)


async def test_an_expired_token_is_told_4005_at_connect() -> None:
    async with running_node() as server:
        clock = Clock.of(server)
        await server.people("ada")
        token = signed(server, claims(iat=clock.now_s(), exp=clock.now_s() + 5))
        await let_in(server, token)
        clock.move(5)
        assert await turned_away(server, token) == (4005, 401)


async def test_a_live_socket_ends_with_4005_when_its_token_does() -> None:
    async with running_node() as server:
        clock = Clock.of(server)
        await server.people("ada")
        async with (
            Peer(server.ws, server.token("ada", 30)) as short,
            careful(server, "ada") as (long,),
        ):
            connected = await short.connect()
            clock.move(29)
            server.node.heartbeat.beat()
            await short.call("ping")
            assert connected["expires_at"] <= clock.now_ms() + 1_000
            clock.move(2)
            server.node.heartbeat.beat()
            assert (await short.end())[0] == 4005
            await long.call("ping")


async def test_refresh_lets_a_session_live_on() -> None:
    async with running_node() as server:
        clock = Clock.of(server)
        await server.people("ada", "grace")
        async with CarefulPeer(server.ws, server.token("ada", 30)) as ada:
            first = await ada.connect()
            clock.move(10)
            fresh = await ada.call("refresh", token=server.token("ada", 60))
            assert 39_000 <= fresh["expires_at"] - first["expires_at"] <= 41_000
            for wrong in (server.token("grace"), "x", server.token("nobody")):
                error = await refused(ada, "refresh", token=wrong)
                assert error["code"] in ("unauthenticated", "invalid")
            clock.move(25)  # the first would have ended 5 seconds ago
            server.node.heartbeat.beat()
            await ada.call("settings.get")
            clock.move(36)
            server.node.heartbeat.beat()
            assert (await ada.end())[0] == 4005


async def test_commands_with_an_expired_token_are_refused_before_the_socket_is_closed() -> None:
    async with running_node() as server:
        clock = Clock.of(server)
        await server.people("ada")
        async with CarefulPeer(server.ws, server.token("ada", 30)) as ada:
            await ada.connect()
            clock.move(31)
            assert (await refused(ada, "settings.get"))["code"] == "unauthenticated"
            error = await refused(ada, "settings.set", receipts=False)
            assert error["code"] == "unauthenticated"


KEYS: dict[str, Any] = {
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
    "RS256": lambda: rsa.generate_private_key(public_exponent=65_537, key_size=2048),
}


def public_pem(key: PrivateKeyTypes, path: Path) -> str:
    path.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return str(path)


@pytest.mark.parametrize("algorithm", KEYS)
async def test_with_a_public_key_somebody_else_signs(algorithm: str, tmp_path: Path) -> None:
    key = KEYS[algorithm]()
    pem = public_pem(key, tmp_path / "public.pem")
    async with running_node(token_public_key=pem) as server:
        await server.people("ada")
        await let_in(server, jwt.encode(claims(), key, algorithm=algorithm))

        another = jwt.encode(claims(), KEYS[algorithm](), algorithm=algorithm)
        assert await turned_away(server, another) == (4500, 401)
        # The public key's text is no secret to sign with.
        text = Path(pem).read_text()
        forged = jwt.api_jws.PyJWS()
        vars(forged._algorithms["HS256"])["prepare_key"] = lambda given: given
        confused = forged.encode(
            jwt.PyJWT()._encode_payload(claims()), text.encode(), algorithm="HS256"
        )
        assert await turned_away(server, confused) == (4500, 401)
        async with HttpPeer(server.base, key=server.admin_key) as operator:
            error = await refused(operator, "token.issue", member="ada")
            assert (error["code"], operator.status) == ("refused", 409)
            assert type(error["rule"]) is str


async def test_only_two_kinds_of_public_key_are_taken(tmp_path: Path) -> None:
    other = public_pem(ec.generate_private_key(ec.SECP256R1()), tmp_path / "ec.pem")
    (tmp_path / "junk.pem").write_text("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----")
    for pem in (other, str(tmp_path / "junk.pem"), str(tmp_path / "missing.pem")):
        with pytest.raises(SetupError, match=r"\.pem"):
            async with running_node(token_public_key=pem):
                pass


async def test_an_issued_token_is_what_the_contract_says() -> None:
    async with running_node() as server:
        await server.people("ada")
        async with HttpPeer(server.base, key=server.admin_key) as operator:
            token = (await operator.call("token.issue", member="ada", ttl=90))["token"]
            whole = (await operator.call("token.issue", member="ada"))["token"]
            for params in ({"member": "nobody"}, {"member": "ada", "ttl": 86_401},
                           {"member": "ada", "ttl": 0}, {}):  # fmt: skip
                assert (await refused(operator, "token.issue", **params))["code"] == "invalid"
        key = (server.node.settings.data / "signing.key").read_text().strip()
        told = jwt.decode(token, key, algorithms=["HS256"])
        assert told["sub"] == "ada"
        assert told["exp"] - told["iat"] == pytest.approx(90)
        assert told["iat"] % 1 != 0
        assert told["jti"] != jwt.decode(whole, key, algorithms=["HS256"])["jti"]
        await let_in(server, token)
        await let_in(server, whole)
