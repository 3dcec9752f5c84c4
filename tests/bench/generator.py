"""The load generator, run once: on the other core, with a limit to its time."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from tests.bench.places import OTHER_CORE, Place, compiled

LIMIT_S = 180


class Incomplete(Exception):
    """Not everything that was due came, once: there is no figure."""


def run(
    place: Place, *options: str, conns: int, limit_s: float = LIMIT_S, **more: object
) -> dict[str, Any]:
    """Open so many sockets and publish; what was counted. Raises `Incomplete`."""
    command = [
        "taskset", "-c", OTHER_CORE, compiled("fan"), "--port", str(place.port),
        "--path", place.path, "--conns", str(conns), *options,
    ]  # fmt: skip
    for name, value in more.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    done = subprocess.run(command, capture_output=True, timeout=limit_s, check=False)
    if done.returncode:
        raise Incomplete(done.stderr.decode(errors="replace")[:500])
    found: dict[str, Any] = json.loads(done.stdout)
    if found["deliveries"] != found["expected"] or found["closed"] or found["uneven"]:
        raise Incomplete(f"not each delivery came once: {found}")
    if found["errors"]:
        raise Incomplete(f"{found['errors']} publishes were refused")
    return found
