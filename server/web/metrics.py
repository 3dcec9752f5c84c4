"""What /metrics says in Prometheus' terms: numbers of one process, nobody's name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from server.realtime.hub import Hub

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """One process's registry; `count` is called for each finished command."""

    def __init__(
        self, hub: Hub, waiting: Callable[[], int], connections: Callable[[], int]
    ) -> None:
        self._registry = CollectorRegistry()
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        self._commands = Counter(
            "subrosa_commands", "Commands by outcome.", ["cmd", "outcome"], registry=self._registry
        )
        self._counters: dict[tuple[str, str], Counter] = {}
        self._registry.register(_HubCollector(hub, waiting, connections))
        self._registry.register(_NodesCollector(hub))

    def count(self, cmd: str, outcome: str) -> None:
        """A command ended with "ok" or an error code."""
        counter = self._counters.get((cmd, outcome))
        if counter is None:  # both are of the house's own words: there are few pairs
            counter = self._counters[cmd, outcome] = self._commands.labels(cmd, outcome)
        counter.inc()

    async def text(self) -> bytes:
        """The exposition. What the kernel knows of the process lies in files: off the loop."""
        process = await asyncio.to_thread(generate_latest, self._process)
        return generate_latest(self._registry) + process


class _HubCollector(Collector):
    """Reads the hub's own numbers when asked, so that the hot path counts nothing twice."""

    def __init__(
        self, hub: Hub, waiting: Callable[[], int], connections: Callable[[], int]
    ) -> None:
        self._hub = hub
        self._waiting = waiting
        self._connections = connections

    def collect(self) -> Iterator[Metric]:
        """The hub's and the store's numbers now."""
        hub, seen = self._hub, self._hub.outflow.seen
        held_sessions, held_bytes = hub.outflow.held()
        gauges: dict[str, tuple[str, float]] = {
            "connections": ("Open WebSockets, connected or not yet.", self._connections()),
            "sessions": ("Open sessions.", sum(1 for _ in hub.sessions)),
            "topics": ("Topics with sessions on this node.", len(hub.topics)),
            "held_sessions": ("Sessions whose sockets are full.", held_sessions),
            "held_bytes": ("Bytes waiting for sockets that are full.", held_bytes),
            "held_bytes_most": ("The most that ever waited for one session.", seen.most_bytes),
            "held_seconds_most": ("The longest that one session was full.", seen.longest_s),
            "pages_waiting": ("Pages of logs wanted by who resumes.", len(hub.replays.reader)),
            "commands_waiting": ("Commands waiting for the store.", self._waiting()),
        }
        for name, (words, value) in gauges.items():
            yield GaugeMetricFamily(f"subrosa_{name}", words, value=value)
        counters = {
            "deliveries": ("Events handed to sessions.", hub.counters.delivered),
            "signals": ("Signals handed to sessions.", hub.counters.signals),
            "healed_gaps": ("Gaps read from the store.", hub.counters.healed),
            "accepted": ("WebSockets opened.", hub.counters.connections),
            "aborted": ("Sessions ended without a goodbye, being full.", hub.counters.aborted),
            "too_slow": ("Sessions ended because they did not read.", hub.counters.too_slow),
            "revoked": ("Sessions ended by a revocation.", hub.counters.revoked),
        }
        for name, (words, value) in counters.items():
            yield CounterMetricFamily(f"subrosa_{name}", words, value=value)
        shed = CounterMetricFamily(
            "subrosa_signals_shed", "Signals taken back before they were handed over.",
            labels=["why"],
        )  # fmt: skip
        shed.add_metric(["full"], seen.shed)
        shed.add_metric(["ended"], hub.outflow.doubtful)
        yield shed


class _NodesCollector(Collector):
    """What this node knows of the others, and of the bus to them."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Iterator[Metric]:
        """The lease, answers that wait for other nodes, and the bus now."""
        fences, bus = self._hub.fences, self._hub.bus
        gauges = {
            "lease": ("1 while this node may deliver.", int(fences.valid)),
            "answers_waiting": ("Answers that wait for other nodes.", fences.waiting),
            "sessions_elsewhere": ("Open sessions on other nodes.", fences.sessions_elsewhere),
            "bus_healthy": ("1 while messages to other nodes go through.", int(bus.healthy)),
            "bus_waiting": ("Messages waiting to be published.", bus.counters.waiting),
        }
        for name, (words, value) in gauges.items():
            yield GaugeMetricFamily(f"subrosa_{name}", words, value=value)
        counters = {
            "bus_published": ("Messages published.", bus.counters.published),
            "bus_received": ("Messages received.", bus.counters.received),
            "bus_dropped": ("Messages that could not be published.", bus.counters.dropped),
            "bus_rejected": (
                "Messages that no node of this deployment made.",
                bus.counters.rejected,
            ),
            "bus_foreign": ("Messages of another version.", bus.counters.foreign),
            "bus_reconnects": ("Times that the link was made anew.", bus.counters.reconnects),
        }
        for name, (words, value) in counters.items():
            yield CounterMetricFamily(f"subrosa_{name}", words, value=value)
