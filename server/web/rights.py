"""What the command line shows of members' rights: an export as one document, the audit log."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from rich.table import Table

from server.errors import SetupError
from server.web.remote import Operate

Map = dict[str, Any]
VERSION = 1
_AGO = re.compile(r"(\d{1,5})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@contextlib.contextmanager
def owners_file(path: Path) -> Iterator[IO[str]]:
    """A file that its owner alone may read, and that is there only once it is whole.

    Raises `SetupError`.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        with os.fdopen(
            os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            yield file
        part.replace(path)
    except OSError as error:
        raise SetupError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


async def write_export(operate: Operate, member: str, out: IO[str]) -> int:
    """Write all that is a member's as one JSON document, page by page; answers how many items."""
    items, section, comma, first_ms, last_ms = 0, "", "", 0, 0
    asked: Map | None = {}
    while asked is not None:
        page = await operate("member.export", {"id": member, **asked})
        text = ""
        if not section:
            text = f'{{"export": {VERSION}, "member": {json.dumps(member)}, "sections": {{'
        first_ms, last_ms = first_ms or page["at_ms"], page["at_ms"]
        if page["section"] != section:
            text += "\n ]," if section else ""
            section, comma = page["section"], ""
            text += f"\n {json.dumps(section)}: ["
        for item in page["items"]:
            text += f"{comma}\n  {json.dumps(item, ensure_ascii=False)}"
            comma = ","
            items += 1
        await asyncio.to_thread(out.write, text)
        asked = page.get("next")
    end = f'\n ]}}, "from_ms": {first_ms}, "to_ms": {last_ms}}}\n'
    await asyncio.to_thread(out.write, end)
    return items


def since_ms(text: str | None, now: datetime) -> int:
    """What `--since` says: 90m, 36h, 7d, or a date or time of ISO 8601, UTC unless it says
    otherwise. Raises `SetupError`."""
    if text is None:
        return 0
    ago = _AGO.fullmatch(text)
    try:
        if ago:
            moment = now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        else:
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0, int(moment.timestamp() * 1000))
    except (ValueError, OverflowError):
        raise SetupError(f"--since {text}: neither like 7d or 36h nor a date") from None


async def acts(operate: Operate, member: str | None, since: int) -> AsyncIterator[Map]:
    """Every entry of the audit log since then, the newest first."""
    asked: Map = {"since_ms": since, **({"member": member} if member else {})}
    while True:
        page = await operate("audit.list", asked)
        for entry in page["entries"]:
            yield entry
        if not page["more"]:
            return
        asked["before"] = page["next"]


def table(entries: list[Map]) -> Table:
    """The entries for a person."""
    shown = Table("time (UTC)", "by", "command", "about", "outcome", "detail")
    for entry in entries:
        moment = datetime.fromtimestamp(entry["at_ms"] / 1000, UTC)
        shown.add_row(
            moment.isoformat(" ", "milliseconds").removesuffix("+00:00"),
            entry.get("member", entry["by"]),
            entry["cmd"],
            ", ".join(entry["about"]),
            entry["outcome"],
            ", ".join(f"{name}: {_said(value)}" for name, value in entry["detail"].items()),
        )
    return shown


def _said(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
