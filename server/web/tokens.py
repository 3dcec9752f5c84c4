"""Tokens: JWTs with one algorithm, fixed by the key, that name a member for at most 24 hours.

With the deployment's own key (HS256) the server makes and checks them; with a public key (EdDSA
or RS256) somebody else makes them and it only checks. Whether a valid token was revoked is
decided with the command, in its transaction.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from server.commands.outcome import Caller
from server.domain.ids import is_member_id
from server.errors import Refused, SetupError, TokenExpired, Unauthenticated

LONGEST_S = 86_400
_JTI = 64
_FAR_S = 2**40


class Tokens:
    """One key, one algorithm. `now` is Unix seconds with a fraction."""

    def __init__(self, key: Any, algorithm: str, now: Callable[[], float], *, signs: bool) -> None:
        self._key = key
        self._algorithm = algorithm
        self._now = now
        self._signs = signs

    @classmethod
    def signing(cls, secret: str, now: Callable[[], float]) -> Tokens:
        """With the text of signing.key: makes and checks HS256 tokens."""
        if len(secret) < 32:
            raise SetupError("the signing key is shorter than 32 characters")
        return cls(secret, "HS256", now, signs=True)

    @classmethod
    def checking(cls, pem: Path, now: Callable[[], float]) -> Tokens:
        """With a public key: checks tokens that somebody else signs. Raises `SetupError`."""
        try:
            key = load_pem_public_key(pem.read_bytes())
        except (OSError, ValueError) as error:
            raise SetupError(f"{pem} holds no public key in PEM form: {error}") from error
        if isinstance(key, Ed25519PublicKey):
            return cls(key, "EdDSA", now, signs=False)
        if isinstance(key, RSAPublicKey):
            return cls(key, "RS256", now, signs=False)
        raise SetupError(f"{pem}: only Ed25519 and RSA keys are taken")

    def issue(self, member: str, ttl_s: int) -> str:
        """A token for a member. Raises `Refused` where only the issuer elsewhere can sign."""
        if not self._signs:
            raise Refused("token_public_key", "Tokens are signed elsewhere: ask their issuer.")
        issued = self._now()
        claims = {
            "sub": member,
            "iat": issued,
            "exp": issued + min(ttl_s, LONGEST_S),
            "jti": secrets.token_urlsafe(12),
        }
        return jwt.encode(claims, self._key, algorithm=self._algorithm)

    def verify(self, token: str, device: str = "") -> Caller:
        """Who a token names. Raises `Unauthenticated`, or `TokenExpired`."""
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[self._algorithm],
                options={
                    "require": ["sub", "iat", "exp", "jti"],
                    # Checked below, on this server's clock and with fractions.
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                    "verify_aud": False,
                    "enforce_minimum_key_length": False,
                },
            )
        except (jwt.InvalidTokenError, RecursionError, ValueError) as error:
            raise Unauthenticated("The token is not valid.") from error
        return self._caller(claims, device)

    def _caller(self, claims: dict[str, Any], device: str) -> Caller:
        sub, iat, exp, jti = (claims[name] for name in ("sub", "iat", "exp", "jti"))
        numbers = all(
            isinstance(n, int | float) and not isinstance(n, bool) and 0 <= n < _FAR_S
            for n in (iat, exp)
        )
        if not (isinstance(sub, str) and is_member_id(sub) and numbers):
            raise Unauthenticated("The token's claims are not of their kinds.")
        if not (isinstance(jti, str) and 0 < len(jti) <= _JTI):
            raise Unauthenticated(f"The token's jti is not a string of up to {_JTI}.")
        now = self._now()
        if iat > now:
            raise Unauthenticated("The token's iat lies ahead.")
        if exp - iat > LONGEST_S:
            raise Unauthenticated("The token is longer valid than 24 hours.")
        if exp <= now:
            raise TokenExpired
        return Caller(sub, int(iat * 1_000_000), jti, device, int(exp * 1000))
