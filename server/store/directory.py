"""The data directory's lock: one embedded server at a time, and where it listens.

The lock is the kernel's, so it ends with its process however that ends; the file only says who.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from server.errors import DataDirHeld, SetupError

NAME = "subrosa.lock"


class DirectoryLock:
    """Held from `take` until `release`."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME
        self._descriptor = -1

    def take(self) -> None:
        """Raises `DataDirHeld` with the holder's address, or `SetupError`."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise SetupError(f"{self._path} cannot be opened: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with os.fdopen(descriptor) as file:
                address = file.read().strip() or None
            where = f" at {address}" if address else ""
            raise DataDirHeld(
                f"{self._path.parent} is held by a running server{where}: stop it first", address
            ) from None
        self._descriptor = descriptor
        os.ftruncate(descriptor, 0)

    def announce(self, address: str) -> None:
        """Write where the holder listens, for commands that are sent to it."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, address.encode(), 0)

    def release(self) -> None:
        """Let the next one in."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1
