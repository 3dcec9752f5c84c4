"""The HTML report: one file that works offline, in light and dark, and on paper."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from client_demo.load.charts import Line, chart
from client_demo.load.findings import KINDS
from client_demo.load.histogram import Histogram
from client_demo.load.report import Result, as_json, speed
from client_demo.load.scenarios import SCENARIOS
from client_demo.load.wire import Map

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2024; --soft: #5b646e; --edge: #d9dee4;
  --card: #f6f8fa; --good: #1a6b3c; --bad: #b3261e; --warn: #8a5a00; --a: #1f5fbf; --b: #c2560c;
  --c: #1a7f5a; --d: #8546b0; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --ink: #e8ebee; --soft: #a2acb6;
  --edge: #343b43; --card: #1c2126; --good: #6cd39a; --bad: #ff8a80; --warn: #f0b95a;
  --a: #7fb2ff; --b: #ffa45c; --c: #5fd3a6; --d: #cda0f0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 76rem; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2.25rem 0 .75rem; }
p { margin: .25rem 0; } .soft { color: var(--soft); }
.verdict { border-left: 5px solid var(--good); background: var(--card); padding: .8rem 1rem;
  margin: 1.25rem 0; font-size: 1.1rem; font-weight: 600; }
.verdict.bad { border-color: var(--bad); color: var(--bad); }
.verdict.warn { border-color: var(--warn); color: var(--warn); }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr));
  gap: .75rem; margin: 0; }
.numbers div { background: var(--card); border: 1px solid var(--edge); border-radius: 6px;
  padding: .6rem .8rem; }
.numbers dt { color: var(--soft); font-size: .85rem; }
.numbers dd { margin: 0; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.numbers dd small { font-size: .8rem; font-weight: 400; color: var(--soft); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr));
  gap: 1rem; }
figure { margin: 0; border: 1px solid var(--edge); border-radius: 6px; padding: .75rem; }
figcaption { font-weight: 600; }
svg { display: block; width: 100%; height: auto; }
.grid { stroke: var(--edge); stroke-width: 1; } .go { stroke: var(--soft); stroke-dasharray: 3 3; }
.tick { fill: var(--soft); font: 11px system-ui, sans-serif; }
polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
polyline.a { stroke: var(--a); } polyline.b { stroke: var(--b); stroke-dasharray: 7 3; }
polyline.c { stroke: var(--c); } polyline.d { stroke: var(--d); stroke-dasharray: 2 3; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; margin: .4rem 0 0;
  padding: 0; font-size: .85rem; color: var(--soft); }
.key { display: inline-block; width: 1.4em; height: 0; margin-right: .45em; vertical-align: middle;
  border-top: 3px solid; } .key.a { color: var(--a); } .key.b { color: var(--b);
  border-top-style: dashed; } .key.c { color: var(--c); } .key.d { color: var(--d);
  border-top-style: dotted; }
.none { color: var(--soft); padding: 2rem; text-align: center; }
table { border-collapse: collapse; min-width: min(34rem, 100%);
  font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .35rem .6rem; border-bottom: 1px solid var(--edge);
  vertical-align: top; }
th:first-child, td:first-child { text-align: left; } td.words { text-align: left; }
thead th { color: var(--soft); font-weight: 500; font-size: .85rem; }
.scroll { overflow-x: auto; } .found { color: var(--bad); font-weight: 600; }
code { font: .85rem ui-monospace, monospace; overflow-wrap: anywhere; }
"""


def page(result: Result) -> str:
    """The whole file."""
    report = as_json(result)
    title = f"subrosa load {report['scenario']}"
    body = "\n".join(
        (
            f"<h1>{escape(title)}</h1>",
            f"<p class=soft>{escape(SCENARIOS[report['scenario']].line)} · "
            f"{escape(report['started_at'])} · run {escape(report['run'])} · "
            f"{escape(', '.join(report['targets']))}"
            f"{' (a server of its own)' if report['embedded'] else ''}</p>",
            *_verdict(result, report),
            "<h2>In numbers</h2>",
            _numbers(report),
            "<h2>Latency, from the moment each was due</h2>",
            _latencies(report),
            "<h2>Over time</h2>",
            f'<div class="charts">{"".join(_charts(result, report))}</div>',
            "<h2>What was checked</h2>",
            _findings(report),
            "<h2>Errors and closes</h2>",
            _tallies(report),
            "<h2>Processors and memory</h2>",
            _machines(report),
            "<h2>The run</h2>",
            _plan(report),
        )
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}'
        '</title><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _verdict(result: Result, report: Map) -> Iterator[str]:
    slow = speed(result)
    if slow:
        yield f'<p class="verdict warn">{escape(slow)}</p>'
    words = report["headline"].removeprefix(slow).strip()
    yield f'<p class="verdict{"" if result.clean else " bad"}">{escape(words)}</p>'


def _numbers(report: Map) -> str:
    rates, latency = report["rates"], report["latency_ms"]
    cells = [
        ("offered", f"{rates['offered']:,.0f}", "a second"),
        ("acknowledged", f"{rates['answered']:,.0f}", "a second"),
        ("delivered", f"{rates['deliveries']:,.0f}", "a second"),
        ("to receipt, median", _ms(latency["delivery"]["p50"]), "ms"),
        ("to receipt, 99 %", _ms(latency["delivery"]["p99"]), "ms"),
        (
            "sessions",
            f"{report['plan']['sessions']:,}",
            f"{report['plan']['members']:,} members",
        ),
    ]
    if rates["signals"]:
        cells.insert(3, ("signals", f"{rates['signals']:,.0f}", "a second"))
    if rates["connects"]:
        cells.insert(3, ("connects", f"{rates['connects']:,.0f}", "a second"))
    return (
        "<dl class=numbers>"
        + "".join(
            f"<div><dt>{escape(name)}</dt><dd>{value} <small>{escape(unit)}</small></dd></div>"
            for name, value, unit in cells
        )
        + "</dl>"
    )


def _latencies(report: Map) -> str:
    rows = []
    for key, words in (
        ("delivery", "message to receipt"), ("answer", "message to answer"),
        ("connect", "connection to session"),
    ):  # fmt: skip
        row = report["latency_ms"][key]
        if row["count"]:
            values = [_ms(row[name]) for name in ("p50", "p90", "p99", "p999", "max")]
            rows.append([words, f"{row['count']:,}", *values])
    heads = ["milliseconds", "count", "50 %", "90 %", "99 %", "99.9 %", "most"]
    return _table(heads, rows)


def _charts(result: Result, report: Map) -> Iterator[str]:
    series = report["series"]

    def line(name: str, colour: str, key: str, scale: float = 1.0) -> Line:
        return Line(name, colour, [(point["t"], point[key] * scale) for point in series])

    time = "seconds from the start of the load"
    yield chart("Latency to receipt, ms",
                [line("median", "a", "delivery_p50", 1e-3),
                 line("99 %", "b", "delivery_p99", 1e-3)],
                x_words=time, y_words=_short, log=True)  # fmt: skip
    yield chart("Offered and acknowledged, a second",
                [line("offered", "b", "offered"), line("acknowledged", "a", "answered")],
                x_words=time, y_words=_short)  # fmt: skip
    yield chart("Delivered, a second",
                [line("events", "a", "deliveries"), line("signals", "b", "signals")],
                x_words=time, y_words=_short)  # fmt: skip
    yield chart("Sessions", [line("connected", "a", "live"),
                             line("connects a second", "b", "connects")],
                x_words=time, y_words=_short)  # fmt: skip
    collected = result.collected
    yield chart("Distribution of latency, ms",
                [_curve("to receipt", "a", collected.deliveries),
                 _curve("to answer", "b", collected.answers),
                 _curve("to connect", "d", collected.opens)],
                x_words="share that is not slower", y_words=_short, log=True,
                x_ticks=[(0, "0 %"), (1, "90 %"), (2, "99 %"), (3, "99.9 %"), (4, "99.99 %"),
                         (5, "99.999 %")])  # fmt: skip
    yield chart("Processor, % of a core",
                [line("busiest generator", "b", "generator_cpu", 100),
                 line("server", "a", "server_cpu", 100)],
                x_words=time, y_words=_short)  # fmt: skip


def _curve(name: str, colour: str, histogram: Histogram) -> Line:
    points = [
        (-math.log10(max(1e-6, 1 - percent / 100)), value / 1000)
        for percent, value in histogram.curve()
    ]
    if points:
        # The last value is at 100 %, which has no place on this axis: it ends where it is known.
        points[-1] = (math.log10(max(10.0, histogram.total)), points[-1][1])
    return Line(name, colour, points)


def _findings(report: Map) -> str:
    rows = []
    for kind, words in KINDS.items():
        found = report["findings"][kind]
        examples = "".join(f"<br><code>{escape(example)}</code>" for example in found["examples"])
        count = f"<span class=found>{found['count']:,}</span>" if found["count"] else "0"
        rows.append([kind, count, f"{escape(words)}{examples}"])
    unjudged = "".join(f"<br><code>{escape(who)}</code>" for who in report["unjudged"])
    rows.append(["not judged", f"{len(report['unjudged'])}",
                 f"sessions that were not there at the end{unjudged}"])  # fmt: skip
    return _table(["", "found", ""], rows, words=2)


def _tallies(report: Map) -> str:
    totals = report["totals"]
    rows = [["error", escape(code), f"{n:,}"] for code, n in report["errors"].items()]
    rows += [["close", escape(code), f"{n:,}"] for code, n in report["closes"].items()]
    rows += [
        ["", words, f"{totals[key]:,}"]
        for key, words in (
            ("waited", "sends that had to wait for their session, counted from when due"),
            ("refused", "sends refused, as changes of access can have it"),
            ("withheld", "events that had not come when access ended, and were withheld"),
            ("unsent", "sends without an answer in the end"),
            ("cuts", "connections cut on purpose"),
            ("resets", "topics that the server reset"),
        )
        if totals[key]
    ]
    return _table(["", "", "count"], rows, words=1) if rows else "<p class=soft>none</p>"


def _machines(report: Map) -> str:
    rows = [
        [f"generator {number}", f"{one['cpu_mean']:.0%}", f"{one['cpu_max']:.0%}", "", "", ""]
        for number, one in enumerate(report["generators"])
    ]
    for server in report["servers"]:
        memory = [f"{server[f'memory_{at}'] / 1e6:,.0f}" for at in ("before", "max", "after")]
        rows.append([escape(server["target"]), f"{server['cpu_mean']:.0%}", "", *memory])
    heads = ["share of a core", "mean", "most", "MB before", "at most", "after"]
    return _table(heads, rows)


def _plan(report: Map) -> str:
    plan = {**report["plan"], "encodings": ", ".join(report["plan"]["encodings"])}
    plan |= {f"seconds, {name}": value for name, value in report["seconds"].items()}
    return _table(["", ""], [[escape(name), escape(f"{value}")] for name, value in plan.items()])


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], words: int = -1) -> str:
    """Cells are HTML already; the column `words` is text."""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(
        "<tr>"
        + "".join(
            f"<td class=words>{cell}</td>" if at == words else f"<td>{cell}</td>"
            for at, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _ms(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def _short(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:g} M"
    if value >= 1e4:
        return f"{value / 1e3:g} k"
    return f"{value:g}"
