"""The parent of a run: starts the generator processes, gives the go, collects, and ends them.

One thread that waits for pipes; the processes are spawned, so that each has a loop and a memory of
its own. Whatever happens, no process outlives `run`.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from client_demo.load import generator
from client_demo.load.collected import Collected
from client_demo.load.counts import Outcome, Progress
from client_demo.load.plan import Assignment, LoadError
from client_demo.load.session import now_us

TICK_S = 0.1
DRAWN_EVERY_US = 500_000
START_IN_US = 300_000
SETTLE_S = 10.0
ENDS_WITHIN_S = 10.0
SILENT_US = 60_000_000


class Coordinator:
    """One run's processes. `interrupt` may be called from a signal handler."""

    def __init__(
        self,
        assignments: Sequence[Assignment],
        collected: Collected,
        shown: Callable[[str], None],
    ) -> None:
        self._assignments = assignments
        self._collected = collected
        self._shown = shown
        self._processes: list[SpawnProcess] = []
        self._pipes: list[Connection] = []
        self._said: list[dict[str, Any]] = [{} for _ in assignments]
        self._heard = 0
        self._drawn = 0
        self._interrupted = False
        self._told = False
        self.interrupted = False
        self.run_s = 0.0
        """From the go until the last send was answered."""
        self.opening_s = 0.0
        """Until the sessions were connected that have to be there at the go."""

    def interrupt(self) -> None:
        """Stop early, and judge what there is."""
        self._interrupted = self.interrupted = True

    def run(self) -> list[Outcome]:
        """Do it all. Raises: LoadError, for a process that fails or falls silent."""
        try:
            self._spawn()
            self._await("ready", "connecting")
            self.opening_s = max(said["ready"][1] for said in self._said)
            start = now_us() + START_IN_US
            self._collected.go(start)
            self._tell("go", start)
            self._await("sent", "running")
            self.run_s = max(0.001, (now_us() - start) / 1e6)
            self._collected.done()
            self._tell("settle", SETTLE_S)
            self._await("outcome", "checking")
            self._tell("end")
            return [said["outcome"][1] for said in self._said]
        finally:
            self._end()

    def _spawn(self) -> None:
        context = multiprocessing.get_context("spawn")
        for assignment in self._assignments:
            ours, theirs = context.Pipe()
            process = context.Process(target=generator.main, args=(theirs,), daemon=True)
            self._processes.append(process)
            self._pipes.append(ours)
            process.start()
            theirs.close()
            ours.send(assignment)
        self._heard = now_us()

    def _tell(self, *order: object) -> None:
        for pipe in self._pipes:
            with suppress(OSError):  # a process that is gone is found when it is waited for
                pipe.send(order)

    def _await(self, kind: str, phase: str) -> None:
        """Until every process has said this."""
        self._shown(phase)
        while not all(kind in said for said in self._said):
            for ready in wait(self._pipes, TICK_S):
                assert isinstance(ready, Connection)
                self._hear(self._pipes.index(ready))
            if self._interrupted and not self._told:
                self._told = True
                self._tell("stop")
            now = now_us()
            if now - self._drawn >= DRAWN_EVERY_US:
                self._drawn = now
                self._shown(phase)
            if now - self._heard > SILENT_US:
                raise LoadError("a generator process has fallen silent")

    def _hear(self, index: int) -> None:
        try:
            said = self._pipes[index].recv()
        except (EOFError, OSError):
            raise LoadError(f"generator process {index} has ended") from None
        self._heard = now_us()
        if isinstance(said, Progress):
            self._collected.take(index, said)
        elif said[0] == "failed":
            raise LoadError(f"generator process {index} failed: {said[1]}")
        else:
            self._said[index][said[0]] = said

    def _end(self) -> None:
        """Nobody is left behind."""
        for pipe in self._pipes:
            with suppress(OSError):
                pipe.send(("end",))
        finished = all("outcome" in said for said in self._said)
        for process in self._processes:
            if finished:
                self._drain(process)
            if process.is_alive():
                process.kill()
                process.join()
        for pipe in self._pipes:
            pipe.close()

    def _drain(self, process: SpawnProcess) -> None:
        """Read what they still tell, so that none is held up by a full pipe."""
        deadline = now_us() + ENDS_WITHIN_S * 1e6
        telling = list(self._pipes)
        while process.is_alive() and now_us() < deadline:
            for ready in wait([*telling, process.sentinel], TICK_S):
                if isinstance(ready, Connection):
                    try:
                        ready.recv()
                    except (EOFError, OSError):
                        telling.remove(ready)
        process.join(0)
