"""A server's memory and processor while a run lasts, from its /metrics, where one may look."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from client_demo.load.collected import Collected
from client_demo.load.provision import Operator
from client_demo.load.wire import Map

EVERY_S = 1.0
MEMORY, CPU = "process_resident_memory_bytes", "process_cpu_seconds_total"


class Watch:
    """Asks each node once a second, in a thread of its own; the first one's go into the series."""

    def __init__(self, nodes: Sequence[tuple[str, Operator]], collected: Collected) -> None:
        self._nodes = nodes
        self._collected = collected
        self._seen: list[list[tuple[float, float, float]]] = [[] for _ in nodes]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin: the first look is the "before"."""
        self._look()
        self._thread.start()

    def stop(self) -> list[Map]:
        """End, and say what was seen of each node that let itself be looked at."""
        self._over.set()
        self._thread.join()
        self._look()
        found = []
        for (target, _), seen in zip(self._nodes, self._seen, strict=True):
            if len(seen) > 1:
                (begun, cpu, memory), (ended, cpu_after, memory_after) = seen[0], seen[-1]
                found.append({
                    "target": target,
                    "cpu_seconds": round(cpu_after - cpu, 3),
                    "cpu_mean": round((cpu_after - cpu) / max(0.001, ended - begun), 3),
                    "memory_before": memory,
                    "memory_max": max(row[2] for row in seen),
                    "memory_after": memory_after,
                })  # fmt: skip
        return found

    def _run(self) -> None:
        while not self._over.wait(EVERY_S):
            self._look()

    def _look(self) -> None:
        for (_, operator), seen in zip(self._nodes, self._seen, strict=True):
            metrics = operator.metrics()
            if MEMORY in metrics and CPU in metrics:
                seen.append((time.monotonic(), metrics[CPU], metrics[MEMORY]))
        first = self._seen[0]
        if first:
            self._collected.memory = first[-1][2]
        if len(first) > 1:
            (then, before, _), (now, after, _) = first[-2], first[-1]
            self._collected.server_cpu = (after - before) / max(0.001, now - then)
