"""Wire ids: unguessable text that is a keyed form of an internal integer key.

An id is a synthetic-IV cipher of the key: tag = H(tag key, kind, key), then key xor H(mask key,
kind, tag), both keyed by the deployment. So it needs no column and no index, says nothing of
order or number, and a made-up one is found out without asking the store. Members alone have ids
of their own choosing.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from hashlib import blake2b
from hmac import compare_digest
from typing import NewType

MemberId = NewType("MemberId", str)
MEMBER_ID = r"^[A-Za-z0-9_.-]{1,64}$(?!\n)"  # `$` alone would let a last line end pass
_MEMBER_ID = re.compile(MEMBER_ID)
_REMEMBERED = 16_384
_LENGTH = 22  # base64url of 16 bytes, unpadded


def is_member_id(text: str) -> bool:
    """Whether `text` could be a member's id."""
    return _MEMBER_ID.match(text) is not None


class Ids:
    """Internal keys to wire ids and back, under one deployment's secret of 32 bytes."""

    __slots__ = ("_encode", "_secret")

    def __init__(self, secret: bytes) -> None:
        if len(secret) != 32:
            raise ValueError("the id secret is 32 bytes")
        self._secret = secret
        # A send says the same few ids in its event, its log and its answer.
        self._encode = lru_cache(_REMEMBERED)(self._encoded)

    def _mac(self, use: bytes, data: bytes) -> bytes:
        return blake2b(data, digest_size=8, key=self._secret, person=use).digest()

    def derive(self, use: bytes) -> bytes:
        """A key of 32 bytes for another use, from which nothing here can be learnt."""
        return blake2b(b"derive", digest_size=32, key=self._secret, person=use).digest()

    def _encoded(self, kind: bytes, key: int) -> str:
        plain = key.to_bytes(8, "big")
        tag = self._mac(b"tag:" + kind, plain)
        mask = self._mac(b"mask:" + kind, tag)
        hidden = int.from_bytes(mask, "big") ^ key
        return urlsafe_b64encode(tag + hidden.to_bytes(8, "big"))[:_LENGTH].decode("ascii")

    def _decode(self, kind: bytes, text: str) -> int | None:
        if len(text) != _LENGTH or not text.isascii():
            return None
        try:
            raw = urlsafe_b64decode(text + "==")
        except ValueError:
            return None
        if len(raw) != 16:
            return None
        tag, hidden = raw[:8], int.from_bytes(raw[8:], "big")
        key = hidden ^ int.from_bytes(self._mac(b"mask:" + kind, tag), "big")
        if not compare_digest(self._mac(b"tag:" + kind, key.to_bytes(8, "big")), tag):
            return None
        # The last character carries 2 spare bits: only the canonical spelling is the id.
        return key if key < 2**63 and self._encode(kind, key) == text else None

    def conversation(self, key: int) -> str:
        """A conversation's id, 22 characters."""
        return self._encode(b"con", key)

    def conversation_key(self, text: str) -> int | None:
        """The key behind an id, or None for what this deployment never gave out."""
        return self._decode(b"con", text)

    def message(self, key: int) -> str:
        """A message's id, 22 characters."""
        return self._encode(b"msg", key)

    def message_key(self, text: str) -> int | None:
        """The key behind an id, or None for what this deployment never gave out."""
        return self._decode(b"msg", text)

    def invitation(self, key: int) -> str:
        """An invitation's id, 22 characters."""
        return self._encode(b"inv", key)

    def invitation_key(self, text: str) -> int | None:
        """The key behind an id, or None for what this deployment never gave out."""
        return self._decode(b"inv", text)

    def entry(self, key: int) -> str:
        """A place in a ledger, 22 characters."""
        return self._encode(b"led", key)

    def entry_key(self, text: str) -> int | None:
        """The key behind such a place, or None for what this deployment never gave out."""
        return self._decode(b"led", text)

    def report(self, key: int) -> str:
        """A report's id, 22 characters."""
        return self._encode(b"rep", key)

    def report_key(self, text: str) -> int | None:
        """The key behind an id, or None for what this deployment never gave out."""
        return self._decode(b"rep", text)

    def member(self, key: int) -> str:
        """A place in a list of members, 22 characters; members' ids are their own."""
        return self._encode(b"mem", key)

    def member_key(self, text: str) -> int | None:
        """The key behind such a place, or None for what this deployment never gave out."""
        return self._decode(b"mem", text)

    def hold(self, key: int) -> str:
        """A hold's id, 22 characters."""
        return self._encode(b"hld", key)

    def hold_key(self, text: str) -> int | None:
        """The key behind an id, or None for what this deployment never gave out."""
        return self._decode(b"hld", text)


def member_topic(member: str) -> str:
    """The topic of one member's own log: "member:ada"."""
    return f"member:{member}"


def conversation_topic(conversation: str) -> str:
    """The topic of a conversation of more than two: "conversation:…"."""
    return f"conversation:{conversation}"
