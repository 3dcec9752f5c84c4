"""The servers that are measured, each pinned to the first core, and who is in them."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import httpx

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build"
PEERS = BUILD / "peers"  # `npm install bun socket.io` there has them measured as well
SERVER_CORE, OTHER_CORE = "0", "1"
START_S = 30.0
BATCH = 200


class Missing(Exception):
    """Something that a measurement needs is not on this machine; the text says what."""


class Place(NamedTuple):
    """A running server."""

    port: int
    pid: int
    path: str = "/ws"

    def resident(self) -> int:
        """Bytes of memory that the process has, as the kernel counts them."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024


def compiled(name: str) -> str:
    """One of the C programs here, built."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise Missing("a C compiler is needed: apt-get install gcc libc6-dev")
    BUILD.mkdir(exist_ok=True)
    program = BUILD / name
    source = HERE / f"{name}.c"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        command = [compiler, "-O2", "-o", str(program), str(source)]
        subprocess.run(command, check=True)
    return str(program)


def free_port() -> int:
    """One that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def _running(
    command: Sequence[str], port: int, environment: Mapping[str, str] | None = None
) -> Iterator[Place]:
    process = subprocess.Popen(
        ["taskset", "-c", SERVER_CORE, *command],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(process, port)
        yield Place(port, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise Missing(f"{process.args!r} ended with {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise Missing(f"{process.args!r} does not listen")


@contextmanager
def limit(size: int) -> Iterator[Place]:
    """The bare limit, answering with frames of so many bytes."""
    port = free_port()
    with _running([compiled("limit"), str(port), str(size)], port) as place:
        yield place


@contextmanager
def naive() -> Iterator[Place]:
    """Starlette as one would write it first."""
    port = free_port()
    with _running([sys.executable, str(HERE / "peers" / "naive.py"), str(port)], port) as place:
        yield place


@contextmanager
def bun() -> Iterator[Place]:
    """Bun, where it has been installed."""
    program = PEERS / "node_modules" / ".bin" / "bun"
    if not program.exists():
        raise Missing(f"bun: npm install --prefix {PEERS.relative_to(ROOT)} bun")
    port = free_port()
    with _running([str(program), str(HERE / "peers" / "bun.mjs"), str(port)], port) as place:
        yield place


@contextmanager
def socketio() -> Iterator[Place]:
    """Socket.IO, where it and Node have been installed."""
    node = shutil.which("node")
    if node is None or not (PEERS / "node_modules" / "socket.io").exists():
        raise Missing(f"socket.io: npm install --prefix {PEERS.relative_to(ROOT)} socket.io")
    port = free_port()
    program = str(HERE / "peers" / "socketio.mjs")
    with _running([node, program, str(port), str(PEERS)], port) as place:
        yield place._replace(path="/socket.io/?EIO=4&transport=websocket")


@contextmanager
def subrosa(*options: str, policy: str = "") -> Iterator[House]:
    """The server on a directory of its own, on the disk that the project is on."""
    BUILD.mkdir(exist_ok=True)
    port = free_port()
    with TemporaryDirectory(dir=BUILD, prefix="bench-") as directory:
        rules = Path(directory) / "policy.toml"
        rules.write_text(policy)
        environment = {"SUBROSA_RATE_LIMITS": "off", "SUBROSA_POLICY": str(rules)}
        command = [
            sys.executable, "-m", "server", "serve", "--port", str(port),
            "--data", f"{directory}/data", *options,
        ]  # fmt: skip
        with _running(command, port, environment) as place:
            key = (Path(directory) / "data" / "admin.key").read_text().strip()
            with House(place, key) as house:
                yield house


class House:
    """A running Subrosa with its operator's key."""

    def __init__(self, place: Place, key: str) -> None:
        self.place = place
        base = f"http://127.0.0.1:{place.port}"
        self._http = httpx.Client(base_url=base, timeout=120, trust_env=False)
        self._operator = {"X-API-Key": key}

    def __enter__(self) -> House:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def operate(self, commands: Sequence[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
        """Carry out the operator's commands; their results."""
        results: list[dict[str, Any]] = []
        for start in range(0, len(commands), BATCH):
            part = [{"cmd": c, "params": p} for c, p in commands[start : start + BATCH]]
            answer = self._http.post(
                "/admin/v1/batch", json={"commands": part}, headers=self._operator
            )
            answer.raise_for_status()
            results += [one["result"] for one in answer.json()["result"]["results"]]
        return results

    def ask(self, token: str, cmd: str, **params: Any) -> dict[str, Any]:
        """Carry out a member's command; its result."""
        answer = self._http.post(
            f"/v1/{cmd}", json=params, headers={"Authorization": f"Bearer {token}"}
        )
        answer.raise_for_status()
        result: dict[str, Any] = answer.json()["result"]
        return result

    def metric(self, name: str) -> float:
        """A number without labels, as the server says it now."""
        text = self._http.get("/metrics", headers=self._operator).text
        found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
        assert found is not None, name
        return float(found[1])

    def members(self, count: int) -> dict[str, str]:
        """So many new members: their ids and a token of each."""
        ids = [f"m{number}" for number in range(count)]
        self.operate([("member.put", {"id": one, "name": one}) for one in ids])
        issued = self.operate([("token.issue", {"member": one}) for one in ids])
        return {one: result["token"] for one, result in zip(ids, issued, strict=True)}

    def room(self, members: Mapping[str, str]) -> str:
        """A conversation of all of them."""
        first, *others = members
        self.operate([("connection.put", {"a": first, "b": other}) for other in others])
        made = self.ask(members[first], "conversation.start", members=others, client_id="room")
        return str(made["conversation"])
