"""A real Redis for tests, in a folder of its own, that can be killed, frozen and started again.

`RedisService` is a context: inside it the server runs on a loopback port and stores nothing, at
its end it and its folder are gone. It ends with whoever started it, however that came.

All methods block for moments, and may be called with a loop running or without.
"""

from __future__ import annotations

import ctypes
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import redis

from tests.support.services import redis_server

_START_S: Final = 20.0
_POLL_S: Final = 0.005
_PR_SET_PDEATHSIG: Final = 1

# Outside the range that Linux gives outgoing connections from: the port must still be free when
# the server comes back to it.
_PORTS: Final = range(20_000, 32_000)

_SETTINGS: Final = (
    "bind 127.0.0.1",
    "daemonize no",
    "unixsocket redis.sock",
    'save ""',
    "appendonly no",
    "loglevel notice",
)
_libc = ctypes.CDLL(None, use_errno=True)


class RedisService:
    """One Redis server of its own. `config` are further lines of its configuration, e.g. `user`s.

    `admin` is a user that may do everything; the default user may as well, unless the
    configuration says otherwise.
    """

    def __init__(self, config: Sequence[str] = ()) -> None:
        self._config = tuple(config)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="subrosa-redis-"))
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        shutil.rmtree(self._folder)

    def url(self, user: str = "", password: str = "", port: int = 0) -> str:
        """Where it is; by way of another port, if one is given."""
        login = f"{user}:{password}@" if user or password else ""
        return f"redis://{login}127.0.0.1:{port or self.port}"

    @property
    def unix_url(self) -> str:
        """Where it is without a network."""
        return f"unix://{self._folder}/redis.sock"

    # --- faults ------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it on its port, and wait until it answers.

        Raises: RuntimeError with the end of its log if it does not.
        """
        assert self._process is None, "it runs already"
        program = redis_server()
        for _ in range(20):
            port = self.port or _free_port()
            lines = [
                *_SETTINGS,
                f"port {port}",
                f"dir {self._folder}",
                "user admin on nopass ~* &* +@all",
                *self._config,
            ]
            (self._folder / "redis.conf").write_text("\n".join(lines) + "\n")
            with (self._folder / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    [program, str(self._folder / "redis.conf")],
                    cwd=self._folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=_end_with_parent,
                )
            if self._answers(port):
                self.port = port
                return
            self.kill()
            if self.port or "Address already in use" not in self.log():
                break
        raise RuntimeError(f"Redis did not start:\n{self.log()[-4000:]}")

    def kill(self) -> None:
        """End it where it stands, if it runs: its connections are reset."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def restart(self) -> None:
        """Kill it, and start it again on the same port."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Stop it: connections stay up, new ones are accepted by the kernel, all are silent."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on from where `freeze` stopped it."""
        self._signal(signal.SIGCONT)

    # --- asking it ---------------------------------------------------------------------------

    def ask(self, *command: str | bytes | int) -> Any:
        """Have the administrator carry out a command. Raises redis-py's errors."""
        with redis.Redis(
            port=self.port,
            username="admin",
            password="any",
            driver_info=None,
            protocol=2,
            socket_timeout=_START_S,
        ) as client:
            return client.execute_command(*command)

    def forget(self) -> None:
        """Cut whoever is connected, and begin its statistics and logs of refusals anew."""
        for kind in ("pubsub", "normal"):
            self.ask("CLIENT", "KILL", "TYPE", kind)
        self.ask("CONFIG", "RESETSTAT")
        self.ask("ACL", "LOG", "RESET")

    def subscribers(self, channel: str) -> int:
        """How many connections are subscribed to a channel."""
        return int(self.ask("PUBSUB", "NUMSUB", channel)[1])

    def log(self) -> str:
        """All that the server has logged."""
        return (self._folder / "log").read_text(errors="replace")

    # --- within ------------------------------------------------------------------------------

    def _signal(self, which: signal.Signals) -> None:
        assert self._process is not None, "it does not run"
        self._process.send_signal(which)

    def _answers(self, port: int) -> bool:
        """Wait until it takes connections; False if it ended instead."""
        assert self._process is not None
        until = time.monotonic() + _START_S
        while time.monotonic() < until:
            if self._process.poll() is not None:
                return False
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                    connection.sendall(b"PING\r\n")
                    # Either +PONG or that it wants a password: somebody else's would not.
                    if connection.recv(64)[:1] in (b"+", b"-") and self._process.poll() is None:
                        return True
            except OSError:
                pass
            time.sleep(_POLL_S)
        return False


def _free_port() -> int:
    for port in random.sample(_PORTS, 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise RuntimeError("no port is free")


def _end_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
