"""Structured logs: one JSON map a line on standard error, of named fields only.

Bodies, tokens and keys never get here: callers log names and ids of their own choosing, and
only the fields listed below are taken from a record.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

import msgspec

FIELDS = ("cmd", "ref", "code", "address", "seconds", "count")


class JsonLines(logging.Formatter):
    """A record as one line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "from": record.name,
            "message": record.getMessage(),
        }
        line.update({name: getattr(record, name) for name in FIELDS if hasattr(record, name)})
        if record.exc_info and record.exc_info[0] is not None:
            # The kind and place of a failure, not its text: that may quote what a member wrote.
            line["error"] = record.exc_info[0].__name__
            line["trace"] = _places(record.exc_info[2])
        return msgspec.json.encode(line).decode()


def _places(trace: object) -> list[str]:
    places = []
    while trace is not None:
        frame = getattr(trace, "tb_frame", None)
        if frame is not None:
            name = frame.f_globals.get("__name__", "?")
            places.append(f"{name}:{getattr(trace, 'tb_lineno', 0)}")
        trace = getattr(trace, "tb_next", None)
    return places[-12:]


def configure(level: str) -> None:
    """Send every log of this process there."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("alembic", "uvicorn.access", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
