"""What is asked for: the plan that comes of it, who is where, and what is refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from client_demo.load.command import Options, load, make_plan, scenario_lines
from client_demo.load.plan import LoadError
from client_demo.load.provision import sessions_of, units
from client_demo.load.scenarios import SCENARIOS

CLOSED = "http://127.0.0.1:1"

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"scenario": "nonsense"}, "there is no scenario 'nonsense': room, rooms, "),
    ({"rate": 0}, "--rate is above 0"),
    ({"rate": float("nan")}, "--rate is above 0"),
    ({"seconds": -1}, "--seconds is above 0"),
    ({"members": 1}, "--members is at least 2"),
    ({"members": 2}, "a room has at least 3 members"),
    ({"processes": 65}, "--processes is at most 50 here"),
    ({"encoding": "xml"}, "--encoding is msgpack, json or both"),
    ({"scenario": "rooms", "members": 51}, "--members 51 leaves a room of 1, in rooms of 50"),
    ({"targets": ("ftp://x",)}, "is no address like http://127.0.0.1:8000"),
    ({"targets": ("http://127.0.0.1:99999",)}, "is no address like"),
    ({"targets": ("http://192.0.2.1:8000",)}, "give --i-own-this-server if it is"),
    ({"targets": ("http://example.org",)}, "give --i-own-this-server if it is"),
    ({"targets": (CLOSED,)}, "the admin key is needed"),
    ({"targets": (CLOSED,), "data": Path("/nowhere")}, "/nowhere/admin.key cannot be read"),
    ({"targets": (CLOSED,), "admin_key": "k"}, "http://127.0.0.1:1 cannot be reached"),
    ({"html": Path("/nowhere/x.html")}, "there is no such directory"),
]


@pytest.mark.parametrize(("given", "words"), WRONG, ids=[words for _, words in WRONG])
def test_what_is_wrong_is_said_in_one_line(given: dict[str, Any], words: str) -> None:
    with pytest.raises(LoadError) as refused:
        load(Options(**{"scenario": "room", **given}), Console(quiet=True))
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_has_numbers_that_fit(name: str) -> None:
    plan = make_plan(Options(scenario=name))
    assert plan.sessions <= 50 * plan.members
    assert plan.ramp <= plan.seconds
    assert f"{name:<10} {SCENARIOS[name].line}" in scenario_lines()


def test_a_storm_lasts_as_long_as_its_connections_take() -> None:
    assert make_plan(Options(scenario="storm", sessions=100, rate=10, seconds=1)).seconds == 11


def test_every_member_is_in_one_unit_and_every_session_with_one_member() -> None:
    plan = make_plan(Options(scenario="rooms", members=103, sessions=250))
    rooms = units(plan, SCENARIOS["rooms"])
    assert [len(room) for room in rooms] == [50, 50, 3]
    assert sorted(seat for room in rooms for seat in room) == list(range(103))
    sessions = [number for seat in range(103) for number in sessions_of(plan, seat)]
    assert sorted(sessions) == list(range(250))
    assert {len(sessions_of(plan, seat)) for seat in range(103)} == {2, 3}


def test_one_large_room_is_one_unit() -> None:
    plan = make_plan(Options(scenario="room", members=40))
    assert units(plan, SCENARIOS["room"]) == [range(40)]
