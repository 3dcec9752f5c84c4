"""Line charts as SVG: no script, nothing from elsewhere, colours by the page's style."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 560, 240
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 14, 34

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: its name, the class that colours it, and its points."""

    name: str
    colour: str
    points: Points


def chart(
    title: str,
    lines: Sequence[Line],
    *,
    x_words: str,
    y_words: Callable[[float], str],
    x_ticks: Sequence[tuple[float, str]] | None = None,
    log: bool = False,
) -> str:
    """A figure with its title, legend and axes. `log` is for latencies, which span decades."""
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points if y > 0 or not log]
    if len(set(xs)) < 2 or not ys:
        return _figure(title, lines, '<p class="none">nothing to show</p>')
    low_x, high_x = min(xs), max(xs)
    ticks = _decades(min(ys), max(ys)) if log else _even(max(ys))
    low_y, high_y = (ticks[0], max(ticks[-1], max(ys))) if log else (0.0, ticks[-1])

    def at_x(value: float) -> float:
        return LEFT + (value - low_x) / (high_x - low_x) * (WIDTH - LEFT - RIGHT)

    def at_y(value: float) -> float:
        if log:
            share = math.log(max(value, low_y) / low_y) / max(1e-9, math.log(high_y / low_y))
        else:
            share = value / high_y
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
    ]
    for value in ticks:
        y = at_y(value)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">'
            f"{escape(y_words(value))}</text>"
        )
    for value, words in x_ticks if x_ticks is not None else _seconds(low_x, high_x):
        if low_x <= value <= high_x:
            parts.append(
                f'<text class="tick" x="{at_x(value):.1f}" y="{HEIGHT - BOTTOM + 16}" '
                f'text-anchor="middle">{escape(words)}</text>'
            )
    if x_ticks is None and low_x < 0 < high_x:
        parts.append(
            f'<line class="go" x1="{at_x(0):.1f}" x2="{at_x(0):.1f}" y1="{TOP}" '
            f'y2="{HEIGHT - BOTTOM}"/>'
        )
    parts.append(
        f'<text class="tick" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 3}" '
        f'text-anchor="middle">{escape(x_words)}</text>'
    )
    for line in lines:
        for piece in _pieces(line.points, log):
            path = " ".join(f"{at_x(x):.1f},{at_y(y):.1f}" for x, y in piece)
            parts.append(f'<polyline class="{line.colour}" points="{path}"/>')
    parts.append("</svg>")
    return _figure(title, lines, "".join(parts))


def _figure(title: str, lines: Sequence[Line], drawing: str) -> str:
    legend = "".join(
        f'<li><span class="key {line.colour}"></span>{escape(line.name)}</li>' for line in lines
    )
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>{drawing}"
        f"<ul class=legend>{legend}</ul></figure>"
    )


def _pieces(points: Points, log: bool) -> list[list[tuple[float, float]]]:
    """The line without the places where there is no value, which a logarithm cannot draw."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for x, y in points:
        if y > 0 or not log:
            pieces[-1].append((x, y))
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if len(piece) > 1]


def _even(highest: float) -> list[float]:
    """Round numbers from 0 to at least the highest value."""
    if highest <= 0:
        return [0.0, 1.0]
    step = 10 ** math.floor(math.log10(highest / 4))
    for factor in (1, 2, 2.5, 5, 10):
        if highest / (step * factor) <= 5:
            step *= factor
            break
    count = math.ceil(highest / step - 1e-9)
    return [step * number for number in range(count + 1)]


def _decades(lowest: float, highest: float) -> list[float]:
    first = math.floor(math.log10(lowest))
    last = math.ceil(math.log10(highest) - 1e-9)
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]


def _seconds(low: float, high: float) -> list[tuple[float, str]]:
    wanted = (high - low) / 7
    step = next((s for s in (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600) if s >= wanted), 1800)
    first = math.ceil(low / step)
    return [(n * step, f"{n * step:g}") for n in range(first, math.floor(high / step) + 1)]
