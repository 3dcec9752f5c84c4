"""What several interleaved runs come to: medians, ratios, and how far they spread."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from typing import Any

Runs = dict[str, list[float]]  # by who was measured, one figure a run


def interleaved(
    turns: int, measures: Mapping[str, Callable[[int], float]], say: Callable[[str], None]
) -> Runs:
    """Measure everybody in turn, and that so many times over."""
    runs: Runs = {name: [] for name in measures}
    for turn in range(turns):
        for name, measure in measures.items():
            runs[name].append(measure(turn))
        say("  ".join(f"{name} {values[-1]:,.0f}" for name, values in runs.items()))
    return runs


def compared(runs: Runs, ours: str = "subrosa") -> dict[str, Any]:
    """The median of each, and of the ratios of ours to each other one, run by run."""
    found: dict[str, Any] = {
        "runs": runs,
        "median": {name: statistics.median(values) for name, values in runs.items()},
    }
    for name, values in runs.items():
        if name != ours:
            ratios = [mine / other for mine, other in zip(runs[ours], values, strict=True)]
            found[f"of {name}"] = {
                "median": statistics.median(ratios),
                "least": min(ratios),
                "most": max(ratios),
            }
    return found


def line(name: str, found: Mapping[str, Any]) -> str:
    """One measurement, for a person."""
    medians = ", ".join(f"{who} {value:,.0f}" for who, value in found["median"].items())
    ratios = ", ".join(
        f"{value['median']:.2f} {who} ({value['least']:.2f}–{value['most']:.2f})"
        for who, value in found.items()
        if who.startswith("of ")
    )
    return f"{name}: {medians}" + (f"; {ratios}" if ratios else "")
