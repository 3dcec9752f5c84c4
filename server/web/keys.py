"""The deployment's keys: made at the first start, readable by their owner only.

`DIR/signing.key` signs members' tokens, `DIR/admin.key` lets the operator in. Neither is ever
logged, printed or put in a URL.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from server.errors import SetupError


def make_dir(directory: Path) -> None:
    """Make the data directory, its owner's alone. Raises `SetupError`."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"{directory} cannot be used: {error.strerror}") from None


def load_or_make(directory: Path, name: str, given: str = "") -> str:
    """A key's text: what was given, else the file's, made if there is none.

    Raises `SetupError` if it cannot be read or made, is too short, or others may read it.
    """
    if given:
        return _long_enough(given, f"the {name} given in the environment")
    path = directory / name
    try:
        if not path.exists():
            _make(path)
        if path.stat().st_mode & 0o077:
            raise SetupError(f"{path} can be read by others: chmod 600 it")
        return _long_enough(path.read_text(encoding="utf-8").strip(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"{path} cannot be read or made: {error}") from None


def _make(path: Path) -> None:
    # Written aside and linked into place: a crash leaves no half of a key behind, and of two
    # processes that start together both read the same one. In containers that share a directory
    # they may have the same id, so it is not named by that.
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(aside, path)
        except FileExistsError:
            return
    finally:
        aside.unlink(missing_ok=True)


def _long_enough(text: str, where: str) -> str:
    if len(text) < 32:
        raise SetupError(f"{where} is shorter than 32 characters")
    return text
