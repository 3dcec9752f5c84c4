"""`make bench`: every budget, beside the bare limit and others, into build/bench.json.

    python -m tests.bench [--only WORD] [--runs 5]

`slope` takes five minutes, and only when it is named. Needs a C compiler and `taskset`; what else
is not there is left out, and said.
"""

from __future__ import annotations

import argparse
import functools
import json
import platform
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench import figures, measures, places, slope
from tests.bench.generator import Incomplete
from tests.bench.payloads import JSON, MSGPACK

Measure = Callable[[Path, int, measures.Say], dict[str, Any]]


def _all() -> dict[str, Measure]:
    made: dict[str, Measure] = {}
    for sessions in (1_000, 10_000):
        for window in (1, 8, 64):
            made[f"fan-out {sessions} window {window}"] = functools.partial(
                measures.fan_out, sessions=sessions, window=window, encoding=JSON
            )
    for window in (1, 64):
        made[f"fan-out 1000 window {window} msgpack"] = functools.partial(
            measures.fan_out, sessions=1_000, window=window, encoding=MSGPACK, peers=False
        )
        made[f"fan-out 1000 window {window} redis"] = functools.partial(
            measures.fan_out, sessions=1_000, window=window, encoding=JSON, redis=True, peers=False
        )
    made["sends sqlite"] = functools.partial(measures.sends, database=False)
    made["sends postgres"] = functools.partial(measures.sends, database=True)
    made["new sessions"] = measures.new_sessions
    for sessions, missed, own in ((1, 10, False), (1_000, 10, False), (1_000, 1_000, False),
                                  (200, 1_000, True)):  # fmt: skip
        made[f"resuming {sessions} missed {missed} {'own' if own else 'shared'}"] = (
            functools.partial(measures.resuming, sessions=sessions, missed=missed, own=own)
        )
    made["memory"] = measures.memory
    return made


# Minutes each: measured when named.
LONG: dict[str, Measure] = {"slope": slope.slope}


def main() -> int:
    """Measure, print, and keep what was found."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", default="", help="measurements with this in their name")
    parser.add_argument("--runs", type=int, default=5, help="interleaved runs of each (5)")
    asked = parser.parse_args()
    kept = places.BUILD / "bench.json"
    results = json.loads(kept.read_text())["results"] if asked.only and kept.exists() else {}
    failed = 0
    places.BUILD.mkdir(exist_ok=True)
    for name, measure in {**_all(), **LONG}.items():
        if asked.only not in name or (name in LONG and not asked.only):
            continue
        print(name, flush=True)
        # On the disk that is measured: a file system in memory syncs nothing.
        with tempfile.TemporaryDirectory(dir=places.BUILD) as directory:
            try:
                results[name] = measure(Path(directory), asked.runs, _say)
            except (Incomplete, places.Missing) as reason:
                print(f"  not measured: {reason}", flush=True)
                failed += 1
                continue
        print(f"  {figures.line(name, results[name])}", flush=True)
        machine = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
        kept.write_text(json.dumps({"machine": machine, "results": results}, indent=1))
    print(f"kept in {kept.relative_to(places.ROOT)}")
    return 1 if failed else 0


def _say(text: str) -> None:
    print(f"  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
