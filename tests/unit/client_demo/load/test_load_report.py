"""What the processes' books come to together, and what the reports say of it."""

from __future__ import annotations

import io
import json
import re
from array import array
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.main import get_command

from client_demo.load.canary import identity
from client_demo.load.charts import Line, chart
from client_demo.load.collected import SUMS, Collected
from client_demo.load.counts import Counts, Outcome, Progress
from client_demo.load.display import Display
from client_demo.load.findings import EXAMPLES, KINDS, Findings
from client_demo.load.page import page
from client_demo.load.plan import Place, Plan
from client_demo.load.report import Result, as_json, lines
from client_demo.load.scenarios import SCENARIOS
from client_demo.load.verdict import together
from server import cli

ROOM, PAIR = Place(0, "room", "R", (0, 1)), Place(1, "pair", "P", (0, 1))
MEMBERS = ("load-x-0", "load-x-1")
TOPIC, ME, YOU = "conversation:R", "member:load-x-0", "member:load-x-1"
PLAN = Plan(scenario="room", members=2, sessions=2, rate=1, seconds=1, ramp=0, processes=1,
            encodings=(0,), seed=1)  # fmt: skip


def raw(*numbers: int) -> bytes:
    return array("q", numbers).tobytes()


def outcome(acknowledged: dict[int, bytes] | None = None, **logs: tuple[int, bytes]) -> Outcome:
    named = {"room": TOPIC, "me": ME, "you": YOU}
    return Outcome(
        Findings(), acknowledged or {}, {named[k]: log for k, log in logs.items()}, [], 0, 0
    )


def judged(*outcomes: Outcome) -> dict[str, int]:
    found = together(outcomes, (ROOM, PAIR), MEMBERS)
    return {kind: count for kind, count in found.counts.items() if count}


A, B, C = identity(0, 0), identity(0, 1), identity(1, 0)


# --- what none of the processes can see alone -----------------------------------------------------


def test_processes_that_agree_are_clean() -> None:
    first = outcome({0: raw(A, B)}, room=(1, raw(A, B, -5, C)))
    second = outcome({0: raw(C)}, room=(2, raw(B, 0, C)))
    assert judged(first, second) == {}


def test_a_position_that_is_another_event_elsewhere_is_reordered() -> None:
    assert judged(outcome(room=(1, raw(A, B))), outcome(room=(1, raw(B, A)))) == {"reordered": 2}


def test_a_message_that_lies_twice_in_a_log_is_duplicated() -> None:
    assert judged(outcome(room=(1, raw(A, B, A)))) == {"duplicated": 1}


def test_an_acknowledged_message_that_is_in_no_log_is_lost() -> None:
    assert judged(outcome({0: raw(A, B)}, room=(1, raw(A)))) == {"lost": 1}


def test_a_pairs_message_has_to_be_with_both() -> None:
    both = outcome({1: raw(A)}, me=(1, raw(A)), you=(1, raw(A)))
    one = outcome({1: raw(A)}, me=(1, raw(A)), you=(1, raw(-3)))
    assert judged(both) == {}
    assert judged(one) == {"lost": 1}


def test_examples_are_the_first_ones_of_all_processes() -> None:
    first, second = Findings(), Findings()
    for number in range(EXAMPLES + 3):
        first.add("lost", f"a{number}")
        second.add("leaked", f"b{number}")
    first.merge(second)
    assert first.total == 2 * EXAMPLES + 6
    assert len(first.examples["lost"]) == len(first.examples["leaked"]) == EXAMPLES
    assert next(iter(first.lines())) == f"lost: {EXAMPLES + 3}"
    assert list(first.lines())[-1] == "    …"


# --- the reports ----------------------------------------------------------------------------------


def progress(at: int, cpu: float = 0.1, **values: Any) -> Progress:
    plain = dict.fromkeys(SUMS, 0)
    sparse: dict[str, Any] = {"deliveries_us": {}, "answers_us": {}, "opens_us": {}}
    told = {**plain, **sparse, "errors": {}, "closes": {}, "at": at, "cpu": cpu, **values}
    return Progress(**told)


def result(cpu: tuple[float, ...] = (0.2,) * 10, **changed: Any) -> Result:
    collected = Collected(1)
    collected.take(0, progress(1_000_000))
    collected.go(1_000_000)
    counts = Counts()
    for number, share in enumerate(cpu, 1):
        counts.answers.record(1000 * number)
        at = 1_000_000 + 500_000 * number
        told = progress(at, share, due=10 * number, sent=10 * number, answered=10 * number,
                        connects=2, live=2, deliveries=20 * number, errors={"busy": number},
                        deliveries_us=counts.answers.sparse(),
                        answers_us=counts.answers.take())  # fmt: skip
        collected.take(0, told)
    values: dict[str, Any] = {
        "run": "abcd1234", "plan": PLAN, "targets": ["http://127.0.0.1:1"], "embedded": False,
        "started_at": "2025-01-01T00:00:00+00:00", "opening_s": 0.5, "run_s": 5.0,
        "interrupted": False, "collected": collected, "findings": Findings(), "unjudged": [],
        "unsent": 0, "withheld": 0,
        "servers": [{"target": "http://127.0.0.1:1", "cpu_seconds": 1.0, "cpu_mean": 0.2,
                     "memory_before": 1e8, "memory_max": 2e8, "memory_after": 1e8}],
    }  # fmt: skip
    return Result(**{**values, **changed})


def test_a_clean_report_says_so_first() -> None:
    report = as_json(result())
    assert next(lines(result())) == "Clean: nothing lost, duplicated, reordered or leaked."
    assert report["verdict"] == {"clean": True, "speed": True, "interrupted": False}
    assert report["rates"]["answered"] == 20.0
    assert report["rates"]["deliveries"] == 40.0
    assert report["totals"]["answered"] == 100
    assert report["latency_ms"]["answer"]["count"] == 10
    assert report["errors"] == {"busy": 10}
    assert len(report["series"]) == 10
    assert report["series"][0]["t"] == 0.5
    json.dumps(report, allow_nan=False)


@pytest.mark.parametrize("cpu", [(0.95,) * 10, (0.1,) * 8 + (0.95,) * 3])
def test_a_busy_generator_gives_no_verdict_on_speed_and_says_so_first(
    cpu: tuple[float, ...],
) -> None:
    busy = result(cpu)
    assert next(lines(busy)).startswith("NO VERDICT ON SPEED: generator process 0 used ")
    assert as_json(busy)["verdict"] == {"clean": True, "speed": False, "interrupted": False}
    assert page(busy).index("NO VERDICT ON SPEED") < page(busy).index("In numbers")


def test_a_moment_of_work_is_not_yet_too_busy() -> None:
    assert as_json(result((0.3,) * 9 + (0.95,)))["verdict"]["speed"] is True


def test_faults_come_with_their_examples() -> None:
    findings = Findings()
    findings.add("leaked", "session 3 (load-x-1) got <b>it</b>")
    wrong = result(findings=findings)
    said = list(lines(wrong))
    assert said[0] == "FAULTS FOUND: 1 leaked."
    assert "session 3 (load-x-1) got <b>it</b>" in said[2]
    assert not wrong.clean
    assert "session 3 (load-x-1) got &lt;b&gt;it&lt;/b&gt;" in page(wrong)


def unanswered() -> Result:
    nothing = result(cpu=())
    nothing.collected.take(0, progress(2_000_000, sent=5))
    return nothing


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: result(unjudged=["session 1 (load-x-1)"]), "1 sessions were not there at the end"),
        (unanswered, "The server took no message at all."),
    ],
)
def test_what_could_not_be_judged_is_not_clean(make: Callable[[], Result], words: str) -> None:
    made = make()
    assert words in next(lines(made))
    assert not made.clean


def test_a_run_that_was_stopped_says_so() -> None:
    assert next(lines(result(interrupted=True))).startswith("Stopped early: Clean")


class Page(HTMLParser):
    """Which tags and addresses a page has, and that they are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.outside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.outside += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_alone() -> None:
    text = page(result())
    parsed = Page(text)
    assert parsed.open == []
    assert "script" not in parsed.tags
    assert parsed.outside == []
    assert not re.search(r"url\(|@import", text)
    assert text.count("<svg") >= 4
    assert "prefers-color-scheme: dark" in text


def test_a_page_without_any_figures_is_a_page() -> None:
    assert Page(page(result(cpu=(), servers=[]))).open == []


@pytest.mark.parametrize("log", [False, True])
def test_a_chart_stays_within_its_frame(log: bool) -> None:
    drawn = chart(
        "T", [Line("a", "a", [(0, 0), (1, 5), (2, 1234.5), (3, 0), (4, 2), (5, 7)])],
        x_words="x", y_words=str, log=log,
    )  # fmt: skip
    lines_drawn = re.findall(r'points="([^"]+)"', drawn)
    points = [tuple(map(float, pair.split(","))) for line in lines_drawn for pair in line.split()]
    assert len(points) == (4 if log else 6)
    assert all(0 <= x <= 560 and 0 <= y <= 240 for x, y in points)


# --- the display ----------------------------------------------------------------------------------


def test_lines_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    times = iter([0.0, 0.5, 3.0, 3.1])
    display = Display(PLAN, result().collected, Console(file=out, width=100), lambda: next(times))
    with display.running():
        for phase in ("connecting", "connecting", "running", "running"):
            display.show(phase)
    said = out.getvalue().splitlines()
    assert [line.split(":")[0] for line in said] == ["connecting", "running"]
    assert "2 of 2 sessions" in said[1]
    assert "10 errors, 0 faults" in said[1]


def test_a_table_where_there_is_one() -> None:
    out = io.StringIO()
    console = Console(file=out, width=100, force_terminal=True)
    display = Display(PLAN, result().collected, console)
    with display.running():
        display.show("running")
    for word in ("sessions", "acknowledged", "delivered", "faults", "processor"):
        assert word in out.getvalue()


# --- the page about it ----------------------------------------------------------------------------

ROOT = Path(__file__).parents[4]
TOLD = (ROOT / "docs" / "load-testing.md").read_text()


def names(value: Any) -> set[str]:
    """Every key in a map, and in the maps in it; what is counted by code has keys of its own."""
    if isinstance(value, list):
        return set().union(*map(names, value))
    if not isinstance(value, dict):
        return set()
    return set(value).union(*(names(v) for k, v in value.items() if k not in ("errors", "closes")))


def test_every_field_scenario_finding_and_flag_is_told() -> None:
    prose = re.sub(r"(?ms)^```$.*?^```$", "", TOLD)
    told = set(re.findall(r"`([^`]+)`", prose))
    assert names(as_json(result())) <= told
    assert set(SCENARIOS) <= told
    assert set(KINDS) <= told
    load = get_command(cli.cli).commands["load"]  # type: ignore[attr-defined]
    flags = {flag for param in load.params for flag in param.opts if flag.startswith("--")}
    assert flags - {"--help"} == set(re.findall(r"--[a-z-]+", "\n".join(told)))
