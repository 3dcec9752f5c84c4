"""Files of payloads for the generator, in either encoding.

What a published payload says of itself has a fixed width, so that the generator can write it over.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgpack

TIME = "@@" + "0" * 19 + "@@"
NUMBER = "~#00000000"


class Encoding(NamedTuple):
    """One of the protocol's two."""

    name: str
    pack: Callable[[Any], bytes]
    options: tuple[str, ...]  # the generator's


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


JSON = Encoding("json", _json, ("--protocol", "subrosa.v1.json"))
MSGPACK = Encoding("msgpack", msgpack.packb, ("--protocol", "subrosa.v1.msgpack", "--binary"))


def write(path: Path, payloads: Iterable[bytes]) -> Path:
    """Each behind its length."""
    path.write_bytes(b"".join(struct.pack("<I", len(one)) + one for one in payloads))
    return path


def connect(token: str, device: str, resume: dict[str, int] | None = None) -> dict[str, Any]:
    """A session's first frame; `resume` are the positions that it goes on from."""
    params = {"token": token, "device": device, **({"resume": resume} if resume else {})}
    return {"id": 1, "cmd": "connect", "params": params}


def send(run: str, **where: str) -> dict[str, Any]:
    """A message to a conversation, or to a member; `run` keeps client ids apart between runs."""
    params = {**where, "client_id": f"{run}{NUMBER}", "body": TIME}
    return {"id": NUMBER, "cmd": "message.send", "params": params}
