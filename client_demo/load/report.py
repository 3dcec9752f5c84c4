"""What came of a run, as one map (the JSON report) and as lines for a terminal.

The map's fields are in docs/load-testing.md; `VERSION` goes up when one changes its meaning. Holds
numbers, codes, ids and findings: no token, no key, no text of a message.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from client_demo.load import wire
from client_demo.load.collected import BUSY, Collected
from client_demo.load.findings import Findings
from client_demo.load.histogram import Histogram
from client_demo.load.plan import Plan
from client_demo.load.wire import Map

VERSION = 1
PERCENTILES = (50.0, 90.0, 99.0, 99.9)


@dataclass(slots=True, kw_only=True)
class Result:
    """Everything that a report is made of."""

    run: str
    plan: Plan
    targets: list[str]
    embedded: bool
    started_at: str
    opening_s: float
    run_s: float
    interrupted: bool
    collected: Collected
    findings: Findings
    unjudged: list[str]
    unsent: int
    withheld: int
    servers: list[Map] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether everything was as it has to be, and was there to be judged."""
        return not self.findings.total and not self.unjudged and self.did_something

    @property
    def did_something(self) -> bool:
        """Whether the server took any message at all."""
        sums = self.collected.sums()
        return self.interrupted or sums["answered"] > 0 or sums["sent"] == 0

    @property
    def busy(self) -> list[int]:
        """The generator processes that were too busy for a verdict on speed."""
        generators = self.collected.generators
        return [index for index, generator in enumerate(generators) if generator.too_busy]


def latency(histogram: Histogram) -> Map:
    """A histogram's percentiles, in milliseconds."""
    found = {f"p{p:g}".replace(".", ""): histogram.percentile(p) / 1000 for p in PERCENTILES}
    return {"count": histogram.total, **found, "max": histogram.largest / 1000}


def headline(result: Result) -> str:
    """What the run says, in one sentence that stands first in every report."""
    if result.interrupted:
        start = "Stopped early: "
    else:
        start = ""
    if result.findings.total:
        kinds = ", ".join(f"{n} {kind}" for kind, n in result.findings.counts.items() if n)
        correct = f"{start}FAULTS FOUND: {kinds}."
    elif result.unjudged:
        correct = f"{start}{len(result.unjudged)} sessions were not there at the end to be judged."
    elif not result.did_something:
        correct = f"{start}The server took no message at all."
    else:
        correct = f"{start}Clean: nothing lost, duplicated, reordered or leaked."
    if result.busy:
        return f"{speed(result)} {correct}"
    return correct


def speed(result: Result) -> str:
    """Why there is no verdict on speed; empty where there is one."""
    if not result.busy:
        return ""
    index = result.busy[0]
    used = result.collected.generators[index].mean_cpu
    return (
        f"NO VERDICT ON SPEED: generator process {index} used {used:.0%} of its core (limit "
        f"{BUSY:.0%}); the rates and latencies are its own as much as the server's."
    )


def as_json(result: Result) -> Map:
    """The report as one map."""
    plan, collected = result.plan, result.collected
    during, whole = collected.during(), collected.sums()
    seconds = result.run_s
    return {
        "version": VERSION,
        "run": result.run,
        "scenario": plan.scenario,
        "started_at": result.started_at,
        "headline": headline(result),
        "verdict": {
            "clean": result.clean,
            "speed": not result.busy,
            "interrupted": result.interrupted,
        },
        "plan": {
            "members": plan.members,
            "sessions": plan.sessions,
            "rate": plan.rate,
            "seconds": plan.seconds,
            "ramp": plan.ramp,
            "processes": plan.processes,
            "encodings": [wire.ENCODINGS[encoding] for encoding in plan.encodings],
            "seed": plan.seed,
        },
        "targets": result.targets,
        "embedded": result.embedded,
        "seconds": {"opening": round(result.opening_s, 3), "run": round(seconds, 3)},
        "totals": {
            **{name: during[name] for name in during if name not in ("live", "unanswered")},
            "connects": whole["connects"],
            "unsent": result.unsent,
            "withheld": result.withheld,
        },
        "rates": {
            "offered": round(during["due"] / seconds, 1),
            "answered": round(during["answered"] / seconds, 1),
            "deliveries": round(during["deliveries"] / seconds, 1),
            "signals": round(during["signals"] / seconds, 1),
            "connects": round(during["connects"] / seconds, 1),
            "connects_while_opening": round(
                collected.before["connects"] / max(result.opening_s, 0.001), 1
            ),
        },
        "latency_ms": {
            "delivery": latency(collected.deliveries),
            "answer": latency(collected.answers),
            "connect": latency(collected.opens),
        },
        "errors": collected.tallied("errors"),
        "closes": collected.tallied("closes"),
        "findings": {
            kind: {"count": count, "examples": result.findings.examples[kind]}
            for kind, count in result.findings.counts.items()
        },
        "unjudged": result.unjudged[:20],
        "generators": [
            {
                "cpu_mean": round(generator.mean_cpu, 3),
                "cpu_max": round(max(generator.cpu, default=0.0), 3),
                "too_busy": generator.too_busy,
            }
            for generator in collected.generators
        ],
        "servers": result.servers,
        "series": collected.series_maps(),
    }


def lines(result: Result) -> Iterator[str]:
    """The report for a terminal."""
    report = as_json(result)
    rates, totals, plan = report["rates"], report["totals"], report["plan"]
    yield report["headline"]
    yield from (f"  {line}" for line in result.findings.lines())
    yield from (f"  not judged: {who}" for who in result.unjudged[:5])
    yield (
        f"{plan['members']} members, {plan['sessions']} sessions, {result.run_s:.1f} s, "
        f"{plan['processes']} generator process(es), {' and '.join(plan['encodings'])}"
    )
    yield (
        f"offered {rates['offered']:,.0f}/s   acknowledged {rates['answered']:,.0f}/s   "
        f"delivered {rates['deliveries']:,.0f}/s   signals {rates['signals']:,.0f}/s   "
        f"connects {rates['connects']:,.0f}/s"
    )
    heads = ("count", "50 %", "90 %", "99 %", "99.9 %", "most")
    yield f"{'milliseconds':<14}{''.join(f'{head:>10}' for head in heads)}"
    for name, words in (
        ("delivery", "to receipt"), ("answer", "to answer"), ("connect", "to connect"),
    ):  # fmt: skip
        row = report["latency_ms"][name]
        if row["count"]:
            cells = "".join(f"{row[key]:>10.1f}" for key in ("p50", "p90", "p99", "p999", "max"))
            yield f"{words:<14}{row['count']:>10,}{cells}"
    if totals["waited"]:
        yield f"{totals['waited']:,} sends had to wait for their session; counted from when due"
    if totals["refused"]:
        yield f"{totals['refused']:,} sends were refused, as changes of access can have it"
    if result.withheld:
        yield f"{result.withheld:,} events had not come when access ended, and were withheld"
    if result.unsent:
        yield f"{result.unsent:,} sends had no answer in the end"
    if report["errors"]:
        yield "errors: " + ", ".join(f"{code} {n:,}" for code, n in report["errors"].items())
    if report["closes"]:
        yield "closed: " + ", ".join(f"{code} {n:,}" for code, n in report["closes"].items())
    for generator in report["generators"]:
        mean, most = generator["cpu_mean"], generator["cpu_max"]
        yield f"generator: {mean:.0%} of a core, {most:.0%} at most"
    for server in result.servers:
        yield (
            f"server {server['target']}: {server['cpu_mean']:.0%} of a core, memory "
            f"{server['memory_before'] / 1e6:.0f} MB before, {server['memory_max'] / 1e6:.0f} at "
            f"most, {server['memory_after'] / 1e6:.0f} after"
        )
