"""`subrosa load`, from its flags to its exit code: the one entry for the command line.

0 is a clean run, 1 one with faults, 2 one that could not take place, 130 one that was stopped.
"""

from __future__ import annotations

import json
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import TypeVar
from urllib.parse import urlsplit

from rich.console import Console

from client_demo.load.collected import Collected
from client_demo.load.coordinator import Coordinator
from client_demo.load.display import Display
from client_demo.load.embedded import EmbeddedServer
from client_demo.load.page import page
from client_demo.load.plan import Assignment, LoadError, Plan, Target
from client_demo.load.provision import Operator, Provisioned, new_run
from client_demo.load.report import Result, as_json, lines
from client_demo.load.scenarios import SCENARIOS, WHOLE_ROOM
from client_demo.load.verdict import together
from client_demo.load.watch import Watch

Number = TypeVar("Number", int, float)
FAULTS, STOPPED = 1, 130
MOST_PROCESSES = 64
SPARE_FILES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The flags; None is what was not given."""

    scenario: str
    targets: tuple[str, ...] = ()
    admin_key: str | None = None
    data: Path | None = None
    members: int | None = None
    sessions: int | None = None
    rate: float | None = None
    seconds: float | None = None
    ramp: float | None = None
    processes: int = 1
    encoding: str = "both"
    seed: int = 1
    html: Path | None = None
    json: Path | None = None
    keep: bool = False
    own: bool = False


def scenario_lines() -> Iterator[str]:
    """The scenarios, a line each."""
    for scenario in SCENARIOS.values():
        yield f"{scenario.name:<10} {scenario.line}"


def load(options: Options, console: Console) -> int:
    """Run one scenario; the exit code. Raises: LoadError, for what keeps it from taking place."""
    plan = make_plan(options)
    _allow_files(plan)
    _writable(options.html, options.json)
    targets = [_target(address, options.own) for address in options.targets]
    with ExitStack() as stack:
        if targets:
            key = _key(options)
        else:
            own = EmbeddedServer(-(-plan.sessions // plan.members) + 1, plan.members)
            server = stack.enter_context(own)
            targets, key = [_target(server.base, own=True)], server.key
        operators = [Operator(target, key) for target in targets]
        for operator in operators:
            stack.callback(operator.close)
        return _provisioned_run(options, plan, targets, operators, console)


def _provisioned_run(
    options: Options,
    plan: Plan,
    targets: list[Target],
    operators: list[Operator],
    console: Console,
) -> int:
    provisioned = Provisioned(operators[0], new_run(), plan)
    console.print(f"making {plan.members} members on {targets[0].base} (load-{provisioned.run}-…)",
                  highlight=False, soft_wrap=True)  # fmt: skip
    try:
        provisioned.make()
        for target in targets:
            _fits(plan, provisioned.limits(target), target)
        result = _run(options, plan, targets, operators, provisioned, console)
    finally:
        if not options.keep and options.targets:
            provisioned.remove()
    for line in lines(result):
        console.print(line, highlight=False, soft_wrap=True, markup=False)
    if options.json is not None:
        options.json.write_text(json.dumps(as_json(result), indent=1) + "\n", encoding="utf-8")
    if options.html is not None:
        options.html.write_text(page(result), encoding="utf-8")
    if not result.clean:
        return FAULTS
    return STOPPED if result.interrupted else 0


def _run(
    options: Options,
    plan: Plan,
    targets: list[Target],
    operators: list[Operator],
    provisioned: Provisioned,
    console: Console,
) -> Result:
    collected = Collected(plan.processes)
    display = Display(plan, collected, console)
    coordinator = Coordinator(_assignments(plan, targets, provisioned), collected, display.show)
    nodes = [(target.base, operator) for target, operator in zip(targets, operators, strict=True)]
    watch = Watch(nodes, collected)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    watch.start()
    try:
        with _interrupts(coordinator.interrupt), display.running():
            outcomes = coordinator.run()
    finally:
        servers = watch.stop()
    return Result(
        run=provisioned.run, plan=plan, targets=[target.base for target in targets],
        embedded=not options.targets, started_at=started, opening_s=coordinator.opening_s,
        run_s=coordinator.run_s, interrupted=coordinator.interrupted, collected=collected,
        findings=together(outcomes, provisioned.places, provisioned.members),
        unjudged=[who for outcome in outcomes for who in outcome.unjudged],
        unsent=sum(outcome.unsent for outcome in outcomes),
        withheld=sum(outcome.withheld for outcome in outcomes), servers=servers,
    )  # fmt: skip


def _assignments(plan: Plan, targets: list[Target], provisioned: Provisioned) -> list[Assignment]:
    """Each process's part: whole units; the one large room is shared out by its members."""
    whole = plan.scenario == WHOLE_ROOM
    process = {
        seat: (seat if whole else number) % plan.processes
        for number, unit in enumerate(provisioned.units)
        for seat in unit
    }
    return [
        Assignment(
            provisioned.run, plan, index, tuple(targets), provisioned.members,
            tuple(s for s in provisioned.seats if process[s.number] == index and s.sessions),
            tuple(p for p in provisioned.places if whole or process[p.seats[0]] == index),
        )
        for index in range(plan.processes)
    ]  # fmt: skip


@contextmanager
def _interrupts(stop: Callable[[], None]) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) ends the load in good order, the second at once."""
    asked = 0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise KeyboardInterrupt
        stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# --- what is asked for, and whether it can be ---------------------------------------------------


def make_plan(options: Options) -> Plan:
    """The numbers in force. Raises: LoadError."""
    scenario = SCENARIOS.get(options.scenario)
    if scenario is None:
        raise LoadError(f"there is no scenario {options.scenario!r}: {', '.join(SCENARIOS)}")
    encodings = {"msgpack": (0,), "json": (1,), "both": (0, 1)}.get(options.encoding)
    if encodings is None:
        raise LoadError("--encoding is msgpack, json or both")
    members = _given(options.members, scenario.members)
    sessions = _given(options.sessions, max(scenario.sessions, members))
    rate = _given(options.rate, scenario.rate)
    for name, value, least in (
        ("--members", members, 2),
        ("--sessions", sessions, 1),
        ("--processes", options.processes, 1),
    ):  # fmt: skip
        if value < least:
            raise LoadError(f"{name} is at least {least}")
    if not 0 < rate <= 1e6:
        raise LoadError("--rate is above 0, and at most a million")
    if options.processes > min(MOST_PROCESSES, members):
        raise LoadError(f"--processes is at most {min(MOST_PROCESSES, members)} here")
    seconds = _given(options.seconds, scenario.seconds)
    if scenario.name == "storm":
        seconds = max(seconds, sessions / rate + 1)
    ramp = _given(options.ramp, min(scenario.ramp, seconds / 4))
    if not 0 < seconds <= 86_400 or not 0 <= ramp <= 86_400:
        raise LoadError("--seconds is above 0 and --ramp not below; a day is the most")
    _rooms_fit(members, 0 if scenario.name == WHOLE_ROOM else scenario.room)
    if scenario.room and members < 3:
        raise LoadError("a room has at least 3 members")
    return Plan(
        scenario=scenario.name, members=members, sessions=sessions, rate=rate, seconds=seconds,
        ramp=ramp, processes=options.processes, encodings=encodings, seed=options.seed,
    )  # fmt: skip


def _given(value: Number | None, default: Number) -> Number:
    return default if value is None else value


def _rooms_fit(members: int, room: int) -> None:
    if room and 0 < members % room < 3:
        raise LoadError(
            f"--members {members} leaves a room of {members % room}, in rooms of {room}: "
            f"take {members - members % room} or {members - members % room + 3}"
        )


def _fits(plan: Plan, limits: dict[str, int], target: Target) -> None:
    allowed = int(limits.get("sessions_per_member", 0))
    most = -(-plan.sessions // plan.members)
    if most > allowed:
        raise LoadError(
            f"{target.base} allows {allowed} sessions a member (sessions_per_member); this would "
            f"be {most}"
        )


def _target(address: str, own: bool) -> Target:
    parts = urlsplit(address)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
        raise LoadError(f"{address!r} is no address like http://127.0.0.1:8000")
    if not own and not _is_loopback(parts.hostname):
        raise LoadError(
            f"{parts.hostname} is not this machine; a load test harms a server that is not yours: "
            "give --i-own-this-server if it is"
        )
    tls = parts.scheme == "https"
    return Target(parts.hostname, port or (443 if tls else 80), tls)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _key(options: Options) -> str:
    if options.admin_key:
        return options.admin_key.strip()
    if options.data is None:
        raise LoadError("the admin key is needed: SUBROSA_ADMIN_KEY, --admin-key, or --data DIR")
    file = options.data / "admin.key"
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a text"
        raise LoadError(f"{file} cannot be read: {why}") from None


def _allow_files(plan: Plan) -> None:
    """Every session is an open file."""
    needed = -(-plan.sessions // plan.processes) + SPARE_FILES
    if plan.scenario == WHOLE_ROOM:
        needed += -(-plan.sessions // plan.members)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise LoadError(f"{needed} open files a process are needed, and {hard} allowed (ulimit -n)")
    if soft != resource.RLIM_INFINITY and needed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _writable(*files: Path | None) -> None:
    """A report that cannot be written is better known beforehand."""
    for file in files:
        if file is not None and not file.absolute().parent.is_dir():
            raise LoadError(f"{file} cannot be written: there is no such directory")
