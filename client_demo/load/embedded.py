"""A server of the tester's own: `subrosa serve` as a process, in a directory that goes with it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from client_demo.load.plan import LoadError

END_WITHIN_S = 20.0


class EmbeddedServer:
    """Started with rate limits lifted and as many sessions a member as the run needs."""

    def __init__(self, sessions_per_member: int, participants: int) -> None:
        self._policy = (
            f"sessions_per_member = {max(50, sessions_per_member)}\n"
            f"participants_per_conversation = {max(50, participants)}\n"
        )
        self._directory = tempfile.TemporaryDirectory(prefix="subrosa-load-")
        self._process: subprocess.Popen[str] | None = None
        self.base = ""
        self.key = ""

    def __enter__(self) -> Self:
        data = Path(self._directory.name)
        policy = data / "policy.toml"
        policy.write_text(self._policy)
        kept = {k: v for k, v in os.environ.items() if not k.startswith("SUBROSA_")}
        process = subprocess.Popen(  # noqa: S603 - this interpreter, with words of our own
            [sys.executable, "-m", "server", "serve", "--port", "0", "--data", str(data / "data")],
            env={
                **kept,
                "SUBROSA_RATE_LIMITS": "off",
                "SUBROSA_POLICY": str(policy),
                "SUBROSA_LOG_LEVEL": "error",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # Ctrl-C is the tester's alone
        )
        self._process = process
        assert process.stdout is not None
        line = process.stdout.readline()
        if " on http" not in line:
            _, errors = process.communicate()
            self._directory.cleanup()
            said = (errors.strip().splitlines() or ["it said nothing"])[-1]
            raise LoadError(f"a server of its own did not start: {said}")
        self.base = line.rsplit(" ", 1)[1].strip()
        self.key = (data / "data" / "admin.key").read_text().strip()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process = self._process
        if process is not None:
            process.terminate()
            try:
                process.communicate(timeout=END_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
        self._directory.cleanup()
