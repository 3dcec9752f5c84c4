"""Messages that only the nodes of one deployment can have made.

Whoever may publish on the Redis that nodes share could else put events before members. A sealed
message is a version byte, a MAC over the channel and the body, and the body. It proves where it
comes from and which channel it was made for, not that it is new: one that is sent again on its
channel opens again, and hubs drop what they have seen.
"""

from __future__ import annotations

import hmac
from hashlib import blake2b

VERSION = b"\x01"
_MAC_BYTES = 16
_BODY = len(VERSION) + _MAC_BYTES
_USE = b"subrosa bus"


class Seal:
    """Seals and opens with a key of its own, derived from the deployment's."""

    def __init__(self, key: bytes) -> None:
        derived = blake2b(key, digest_size=32, person=_USE).digest()
        self._keyed = blake2b(VERSION, digest_size=_MAC_BYTES, key=derived, person=_USE)

    def seal(self, channel: bytes, body: bytes) -> bytes:
        """Make what is published on the channel."""
        return b"".join((VERSION, self._mac(channel, body), body))

    def open(self, channel: bytes, sealed: bytes) -> bytes | None:
        """Give the body; None for what was not sealed with this key for this channel."""
        if not known(sealed) or len(sealed) < _BODY:
            return None
        body = sealed[_BODY:]
        given = sealed[len(VERSION) : _BODY]
        return body if hmac.compare_digest(given, self._mac(channel, body)) else None

    def _mac(self, channel: bytes, body: bytes) -> bytes:
        mac = self._keyed.copy()
        # With its length, so that no part of the channel's name can be taken for the body's.
        mac.update(len(channel).to_bytes(4, "big"))
        mac.update(channel)
        mac.update(body)
        return mac.digest()


def known(sealed: bytes) -> bool:
    """Whether it is of a version that this node opens: another node may be newer."""
    return sealed[: len(VERSION)] == VERSION
