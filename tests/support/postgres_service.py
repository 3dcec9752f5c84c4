"""A real PostgreSQL (15 or newer) for tests, that can be crashed, frozen and started again.

`Postgres` is a context: inside it the server runs on a loopback port, at its end nothing is left of
it. Every process of a cluster has the cluster's folder as working directory and no other process
has: that is how they are found, a crashed server's orphans too. Run as a module this is the watch
that ends them and removes the folder once whoever started it is gone, however that came.

All methods block, and may be called with a loop running or without.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import pwd
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import asyncpg

from tests.support.services import postgres_bin

ROOT = Path(__file__).resolve().parents[2]

ADMIN: Final = "postgres"
USER: Final = "subrosa"
"""Owns the databases and is no superuser, as in a deployment."""

_START_S: Final = 60.0
_END_S: Final = 15.0
_STATEMENT_S: Final = 30.0
_POLL_S: Final = 0.003
_ROOM: Final = 1 << 30
"""Free bytes that memory must have to hold a cluster: a database takes 8 MiB, its log up to 256."""

# Outside the range that Linux gives outgoing connections from: the port must still be free when
# the server comes back to it.
_PORTS: Final = range(20_000, 32_000)

_SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "256MB",
    # No standby follows it, and copying a database is cheaper without what one would need.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # In the cluster's folder, which goes with it; the default outlives a killed server.
    "dynamic_shared_memory_type": "mmap",
    "timezone": "UTC",
    "lc_messages": "C",
    "log_line_prefix": "%m [%p] %d ",
}
# What has been written to the kernel survives a killed process, only not a killed machine. So
# nothing is synced, while a commit still waits for its write, and pages are logged whole: a kill
# may tear the writing of one.
_NOT_SYNCED: Final = {"fsync": "off", "synchronous_commit": "on", "full_page_writes": "on"}
_DURABLE: Final = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


class Postgres:
    """One PostgreSQL server of its own. `durable` syncs to a disk; otherwise nothing is synced.

    Order of text is that of bytes unless an ICU locale is given, e.g. "en-US".
    """

    def __init__(self, *, durable: bool = False, icu_locale: str | None = None) -> None:
        self._durable = durable
        self._icu_locale = icu_locale
        self._password = secrets.token_hex(16)
        self._postmaster: subprocess.Popen[bytes] | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self._bin = postgres_bin()
        self._owner = _owner()
        self._folder = Path(tempfile.mkdtemp(prefix="subrosa-pg-", dir=_place(self._durable)))
        self._data = self._folder / "data"
        self._watch = subprocess.Popen(
            [sys.executable, "-m", __name__, str(self._folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            os.chown(self._folder, self._owner.pw_uid, self._owner.pw_gid)
            self._make()
            self.start()
            self._admin(f"CREATE ROLE {USER} LOGIN PASSWORD '{self._password}'")
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
        self._watch.communicate()  # closes what it watches, and waits until nothing is left
        self._reap()
        assert self._watch.returncode == 0, f"something of it is left in {self._folder}"

    # --- databases ---------------------------------------------------------------------------

    def url(self, database: str) -> str:
        """Where a database is, for its owner."""
        return f"postgresql://{USER}:{self._password}@127.0.0.1:{self.port}/{database}"

    def admin_url(self, database: str = ADMIN) -> str:
        """The same for the superuser."""
        return f"postgresql://{ADMIN}:{self._password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str, template: str | None = None) -> None:
        """Make a database, as a copy of another if one is named, which nobody may be using."""
        # Copied as files: half the time of the other strategy, which logs every page.
        source = f"TEMPLATE {_quoted(template)} STRATEGY FILE_COPY" if template else ""
        self._admin(f"CREATE DATABASE {_quoted(name)} OWNER {USER} {source}")

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is connected to it; one that does not exist is none."""
        self._admin(f"DROP DATABASE IF EXISTS {_quoted(name)} WITH (FORCE)")

    def terminate_backends(self, database: str) -> int:
        """Cut every connection to a database; answers how many there were."""
        return len(
            self._admin(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1",
                database,
            )
        )

    # --- faults ------------------------------------------------------------------------------

    def kill(self) -> None:
        """Crash it: every process of it is killed where it stands. Data stays; see `start`."""
        _end(self._data)
        self._reap()

    def stop(self) -> None:
        """Shut it down in order: every session is told that it is being ended."""
        self._signalled(signal.SIGINT)

    def stop_immediate(self) -> None:
        """Have it end without a checkpoint: it recovers at the next start, as from a crash."""
        self._signalled(signal.SIGQUIT)

    def freeze(self) -> None:
        """Stop every process of it: connections stay up and are silent."""
        _freeze(self._data)

    def thaw(self) -> None:
        """Let it go on from where `freeze` stopped it."""
        for pid in _processes(self._data):
            _signal(pid, signal.SIGCONT)

    def start(self) -> None:
        """Start it on its port, and wait until it has recovered and takes connections.

        Raises: RuntimeError with the end of its log if it does not.
        """
        assert self._postmaster is None, "it runs already"
        # A killed server leaves its lock file, with an id that may be another process's by now.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        self.port = self.port or _free_port()
        with (self._folder / "log").open("ab") as log:
            self._postmaster = subprocess.Popen(
                [self._bin / "postgres", "-D", self._data, "-p", str(self.port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._as_owner(),
            )
        _until(self._takes_connections, _START_S, "it took no connections")

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        assert self._postmaster is not None, "it does not run"
        return self._postmaster.pid

    def log(self) -> str:
        """All that the server has logged."""
        return (self._folder / "log").read_text(errors="replace")

    # --- within ------------------------------------------------------------------------------

    def _make(self) -> None:
        self._data.mkdir(mode=0o700)
        os.chown(self._data, self._owner.pw_uid, self._owner.pw_gid)
        password = self._folder / "password"
        password.touch(mode=0o600)
        password.write_text(self._password)
        os.chown(password, self._owner.pw_uid, self._owner.pw_gid)
        icu = ["--locale-provider=icu", f"--icu-locale={self._icu_locale}"]
        run = subprocess.run(
            [
                self._bin / "initdb", "-D", self._data, "-U", ADMIN, "--pwfile", password,
                "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync",
                "--no-instructions", *(icu if self._icu_locale else []),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **self._as_owner(),
        )  # fmt: skip
        password.unlink()
        if run.returncode:
            raise RuntimeError(f"initdb failed:\n{run.stdout}")
        settings = _SETTINGS | (_DURABLE if self._durable else _NOT_SYNCED)
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def _as_owner(self) -> dict[str, Any]:
        """How its processes are started: in its folder, and not as root, which it refuses."""
        if os.geteuid() != 0:
            return {"cwd": self._data}
        uid, gid = self._owner.pw_uid, self._owner.pw_gid
        return {"cwd": self._data, "user": uid, "group": gid, "extra_groups": [gid]}

    def _takes_connections(self) -> bool:
        assert self._postmaster is not None
        if self._postmaster.poll() is not None:
            self._postmaster = None
            raise RuntimeError(f"PostgreSQL did not start:\n{self.log()[-4000:]}")
        # Its lock file's last line says so, as soon as it does.
        return _lock_file(self._data)[7:8] == ["ready"]

    def _signalled(self, how: signal.Signals) -> None:
        assert self._postmaster is not None, "it does not run"
        self._postmaster.send_signal(how)
        self._postmaster.wait(_END_S)
        self._postmaster = None

    def _reap(self) -> None:
        if self._postmaster is not None:
            self._postmaster.wait(_END_S)
            self._postmaster = None

    def _admin(self, statement: str, *values: object) -> list[Any]:
        """Carry out one statement as the superuser, on a connection of its own."""

        async def carry_out() -> list[Any]:
            connection = await asyncpg.connect(
                self.admin_url(), timeout=_STATEMENT_S, command_timeout=_STATEMENT_S, ssl=False
            )
            try:
                return list(await connection.fetch(statement, *values))
            finally:
                connection.terminate()

        return _elsewhere(carry_out())


def _elsewhere(work: Coroutine[Any, Any, list[Any]]) -> list[Any]:
    """Run it to its end in a loop of its own: the caller may be inside another."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(asyncio.run(work))
        except BaseException as error:  # noqa: BLE001 - raised again below
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    answer: list[Any] = outcome[0]
    return answer


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _until(condition: Callable[[], bool], limit_s: float, otherwise: str) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"PostgreSQL: {otherwise} within {limit_s} s")
        time.sleep(_POLL_S)


def _owner() -> pwd.struct_passwd:
    """Who its processes run as: this user, or somebody harmless instead of root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    for name in (ADMIN, "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("PostgreSQL does not run as root, and there is neither postgres nor nobody")


def _place(durable: bool) -> Path:
    """Where the cluster's folder goes: into memory if there is room, and it need not be a disk."""
    memory = Path("/dev/shm")
    usable = not durable and memory.is_dir() and os.access(memory, os.W_OK | os.X_OK)
    if usable and shutil.disk_usage(memory).free >= _ROOM:
        return memory
    for place in (Path(tempfile.gettempdir()).resolve(), Path("/var/tmp"), Path("/tmp")):
        # Whoever it runs as has to get there.
        if all(folder.stat().st_mode & 0o001 for folder in (place, *place.parents)):
            return place
    raise RuntimeError("no folder for PostgreSQL: others may enter neither TMPDIR nor /tmp")


def _free_port() -> int:
    for port in random.sample(_PORTS, 200):
        with socket.socket() as attempt, contextlib.suppress(OSError):
            attempt.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port for PostgreSQL")


def _lock_file(data: Path) -> list[str]:
    """Its lines: 1 the postmaster's id, 7 its shared memory's key and id, 8 how it is."""
    try:
        return [line.strip() for line in (data / "postmaster.pid").read_text().splitlines()]
    except OSError:
        return []


# --- a cluster's processes; the watch uses these as well --------------------------------------


def _processes(data: Path) -> list[int]:
    """The ids of all processes of a cluster, the postmaster first if it is there."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        # It may be gone meanwhile, or be somebody's who does not let us look.
        with contextlib.suppress(OSError):
            if (process / "cwd").readlink() == data:
                found.append(int(process.name))
    postmaster = _lock_file(data)[:1]
    return sorted(found, key=lambda pid: ([str(pid)] != postmaster, pid))


def _signal(pid: int, how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, how)


def _freeze(data: Path) -> None:
    """Stop all of a cluster. The postmaster comes first, and then makes no more of them."""
    stopped: set[int] = set()
    while new := [pid for pid in _processes(data) if pid not in stopped]:
        for pid in new:
            _signal(pid, signal.SIGSTOP)
        stopped.update(new)


def _end(data: Path) -> None:
    """Kill all of a cluster, and wait until they are gone."""
    _freeze(data)  # so that none sees another's end, and does anything about it
    memory = _lock_file(data)[6:7]
    for pid in _processes(data):
        _signal(pid, signal.SIGKILL)
    _until(lambda: not _processes(data), _END_S, "its processes did not end")
    if memory:
        # A few bytes that the kernel keeps for ever after who made them was killed.
        ctypes.CDLL(None).shmctl(int(memory[0].split()[-1]), 0, None)


def _watch_over(folder: Path) -> None:
    sys.stdin.buffer.read()  # until whoever started this closes it, or is no more
    _end(folder / "data")
    shutil.rmtree(folder)


if __name__ == "__main__":
    _watch_over(Path(sys.argv[1]))
