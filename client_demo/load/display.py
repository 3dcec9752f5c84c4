"""What one sees while a run lasts: a live table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from client_demo.load.collected import Collected
from client_demo.load.plan import Plan

PLAIN_EVERY_S = 2.0


class Display:
    """`show` may be called at any time; it draws as often as is worth reading."""

    def __init__(
        self,
        plan: Plan,
        collected: Collected,
        console: Console,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan = plan
        self._collected = collected
        self._console = console
        self._clock = clock
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None
        self._phase = ""
        self._said = 0.0

    def running(self) -> AbstractContextManager[Any]:
        """For as long as there is something to see."""
        return self._live if self._live is not None else nullcontext()

    def show(self, phase: str) -> None:
        """How it stands."""
        if self._live is not None:
            self._live.update(self._table(phase))
            return
        now = self._clock()
        if phase != self._phase or now - self._said >= PLAIN_EVERY_S:
            self._phase, self._said = phase, now
            self._console.print(self._line(phase), highlight=False, soft_wrap=True)

    def _line(self, phase: str) -> str:
        collected = self._collected
        sums = collected.sums()
        rates = collected.series[-1] if collected.series else None
        parts = [f"{phase}: {sums['live']:,} of {self._plan.sessions:,} sessions"]
        if rates is not None and phase != "connecting":
            parts += [
                f"{rates.answered:,.0f} acknowledged/s",
                f"{rates.deliveries:,.0f} delivered/s",
                f"p99 {rates.delivery_p99 / 1000:.1f} ms",
            ]
        errors = sum(collected.tallied("errors").values())
        return ", ".join([*parts, f"{errors:,} errors", f"{sums['findings']:,} faults"])

    def _table(self, phase: str) -> Table:
        plan, collected = self._plan, self._collected
        sums = collected.sums()
        rates = collected.series[-1] if collected.series else None
        table = Table(
            title=f"subrosa load {plan.scenario}: {phase}", title_justify="left", min_width=72
        )
        for column in ("", "now", "in all"):
            table.add_column(column, justify="left" if not column else "right")

        def row(name: str, now: str, whole: str) -> None:
            table.add_row(name, now, whole)

        row("sessions", f"{sums['live']:,}", f"{plan.sessions:,}")
        row("offered", f"{rates.offered:,.0f}/s" if rates else "", f"{sums['due']:,}")
        row("acknowledged", f"{rates.answered:,.0f}/s" if rates else "", f"{sums['answered']:,}")
        row("delivered", f"{rates.deliveries:,.0f}/s" if rates else "", f"{sums['deliveries']:,}")
        row("signals", f"{rates.signals:,.0f}/s" if rates else "", f"{sums['signals']:,}")
        row("connects", f"{rates.connects:,.0f}/s" if rates else "", f"{sums['connects']:,}")
        for name, histogram, p50, p99 in (
            ("to receipt", collected.deliveries,
             rates.delivery_p50 if rates else 0, rates.delivery_p99 if rates else 0),
            ("to answer", collected.answers,
             rates.answer_p50 if rates else 0, rates.answer_p99 if rates else 0),
        ):  # fmt: skip
            row(
                f"{name}, 50 / 99 %",
                f"{p50 / 1000:.1f} / {p99 / 1000:.1f} ms",
                f"{histogram.percentile(50) / 1000:.1f} / {histogram.percentile(99) / 1000:.1f} ms",
            )
        errors = sum(collected.tallied("errors").values())
        row("errors", "", f"{errors:,}")
        findings = sums["findings"]
        row("faults", "", f"[bold red]{findings:,}[/]" if findings else "0")
        if rates is not None:
            row("processor", f"{rates.generator_cpu:.0%} generator, {rates.server_cpu:.0%} server",
                "")  # fmt: skip
            row("server's memory", f"{rates.server_memory / 1e6:,.0f} MB", "")
        return table
