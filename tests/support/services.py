"""Finds the programs beside Python that tests drive; `.ci/services` installs the same ones.

A missing one is an error, not a skipped test: what was not run has not passed.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

CHROMIUM_FLAGS = (
    # Nothing of it may reach for the network: a test machine need not have one.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-gpu",
    # Its sandbox refuses to run as root, which a container usually is.
    *(("--no-sandbox",) if os.geteuid() == 0 else ()),
)


def chromium() -> Path:
    """The browser for Playwright's `executable_path`.

    Raises: FileNotFoundError if none of `CHROMIUM` is on the PATH.
    """
    for name in CHROMIUM:
        if found := shutil.which(name):
            return Path(found)
    raise FileNotFoundError(f"none of {', '.join(CHROMIUM)} is on the PATH: run .ci/services")
