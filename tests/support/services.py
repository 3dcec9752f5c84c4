"""Finds the programs beside Python that tests drive; `.ci/services` installs the same ones.

A missing one is an error, not a skipped test: what was not run has not passed.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

# First without the browser around it: pages are drawn alike in two thirds of the time.
CHROMIUM = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
REDIS = ("redis-server", "valkey-server")
HAPROXY = ("haproxy",)

CLUSTERS = Path("/usr/lib/postgresql")
"""Where Debian keeps PostgreSQL, a folder a version: only its clients are on the PATH there."""

CHROMIUM_FLAGS = (
    # Nothing of it may reach for the network: a test machine need not have one.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-gpu",
    "--disable-quic",
    # Its sandbox refuses to run as root, which a container usually is.
    *(("--no-sandbox",) if os.geteuid() == 0 else ()),
)


def chromium() -> Path:
    """The browser for Playwright's `executable_path`.

    Raises: FileNotFoundError if none of `CHROMIUM` is on the PATH.
    """
    return _on_path(CHROMIUM)


def redis_server() -> Path:
    """A Redis server, or one that speaks the same.

    Raises: FileNotFoundError if none of `REDIS` is on the PATH.
    """
    return _on_path(REDIS)


def haproxy() -> Path:
    """The reverse proxy that the deployment files are written for.

    Raises: FileNotFoundError if none of `HAPROXY` is on the PATH.
    """
    return _on_path(HAPROXY)


def postgres_bin() -> Path:
    """The folder with `postgres` and `initdb`, of the newest version where there are several.

    Raises: FileNotFoundError if no folder of the PATH or of `CLUSTERS` holds both.
    """
    on_path = shutil.which("postgres")
    versions = sorted(CLUSTERS.glob("*/bin"), key=_version, reverse=True)
    # A link on the PATH leads to the folder where the server finds what belongs to it.
    for folder in ([Path(on_path).resolve().parent] if on_path else []) + versions:
        if all(os.access(folder / name, os.X_OK) for name in ("postgres", "initdb")):
            return folder
    raise FileNotFoundError(
        f"postgres and initdb are neither on the PATH nor in {CLUSTERS}/*/bin: run .ci/services"
    )


def _version(folder: Path) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", folder.parent.name)))


def _on_path(names: tuple[str, ...]) -> Path:
    # Debian has a server's program in sbin, which is not on everybody's PATH.
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"))
    for name in names:
        if found := shutil.which(name, path=path):
            return Path(found)
    raise FileNotFoundError(f"none of {', '.join(names)} is on the PATH: run .ci/services")
