"""The table over all cells: what was acknowledged and found, and how long recovering took."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

COLUMNS = ("lost", "twice", "order", "phantom", "leak", "internal")


def begin(build: Path) -> None:
    """Forget what earlier runs have left."""
    shutil.rmtree(build / "faults.d", ignore_errors=True)


def quantile(values: list[float], share: float) -> float:
    """The value that so large a share does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def end(build: Path) -> list[str]:
    """Write faults.json and faults.md; answers the table's lines."""
    files = sorted((build / "faults.d").glob("*.json"))
    cells: list[dict[str, Any]] = [json.loads(file.read_text()) for file in files]
    if not cells:
        return []
    rows = [
        f"| {cell['cell']} | {cell['acknowledged']} | "
        + " | ".join(str(cell["findings"][name]) for name in COLUMNS)
        + f" | {cell['unknown']} | {cell['resumes']} | {cell['recovery_s']:.2f} |"
        for cell in cells
    ]
    times = [cell["recovery_s"] for cell in cells]
    ends: dict[str, list[float]] = {}
    for cell in cells:
        for kind, values in cell.pop("latencies").items():
            ends.setdefault(kind, []).extend(values)
    totals = {
        "cells": len(cells),
        "acknowledged": sum(cell["acknowledged"] for cell in cells),
        "findings": {name: sum(cell["findings"][name] for cell in cells) for name in COLUMNS},
        "recovery_s": {"p50": quantile(times, 0.5), "p99": quantile(times, 0.99)},
        "answered_s": {
            kind: {"count": len(values), "p50": quantile(values, 0.5),
                   "p99": quantile(values, 0.99)}
            for kind, values in sorted(ends.items())
        },
    }  # fmt: skip
    lines = [
        f"| cell | acknowledged | {' | '.join(COLUMNS)} | unknown | resumes | recovery s |",
        "| --- |" + " ---: |" * (len(COLUMNS) + 4),
        *rows,
        "",
        f"{totals['cells']} cells, {totals['acknowledged']} acknowledged; recovery "
        f"p50 {quantile(times, 0.5):.2f} s, p99 {quantile(times, 0.99):.2f} s",
    ]
    (build / "faults.json").write_text(json.dumps({"totals": totals, "cells": cells}, indent=1))
    (build / "faults.md").write_text("\n".join(lines) + "\n")
    return lines
