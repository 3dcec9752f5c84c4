"""Idempotence: what a caller's client_id made, for good.

Called by every command that creates, under the caller's own topic, before any other rule: the
repeat of something that happened is answered with what happened, whatever has changed since.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from server.commands.work import Work
from server.domain.rows import Creation
from server.errors import ClientIdReused


def _digest(content: msgspec.Struct) -> bytes:
    return blake2b(msgspec.msgpack.encode(content), digest_size=16).digest()


def made(
    caller: int, client_id: str | None, command: str, content: msgspec.Struct, work: Work
) -> int | None:
    """The key of what this client_id of a caller, by key, made before, or None.

    Raises `ClientIdReused` if that was another command or other content.
    """
    if client_id is None:
        return None
    row = work.find(Creation, (caller, client_id))
    if row is None:
        return None
    # Without a digest its content has been removed by its age: whatever comes now is taken for it.
    if row.command != command or row.digest not in (b"", _digest(content)):
        raise ClientIdReused
    return row.ref


def remember(
    caller: int,
    client_id: str | None,
    command: str,
    content: msgspec.Struct,
    ref: int,
    work: Work,
) -> None:
    """Record what this client_id made."""
    if client_id is not None:
        work.put(Creation(caller, client_id, command, _digest(content), ref))
