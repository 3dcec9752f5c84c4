"""The run's members, connections, rooms and tokens: made through the operator's commands, and
taken away again.

Every name begins with the run's own prefix, so that nothing of anybody else is touched. What is
wrong is a `LoadError`. HTTP only; called by the parent, before and after the load.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterable, Sequence
from typing import Any

import httpx
from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from client_demo.load import wire
from client_demo.load.plan import LoadError, Place, Plan, Seat, Target
from client_demo.load.scenarios import SCENARIOS, WHOLE_ROOM, Scenario

BATCH = 1_000
TOKEN_S = 86_400
Map = dict[str, Any]


def new_run() -> str:
    """A name for a run that no other has."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))


def units(plan: Plan, scenario: Scenario) -> list[range]:
    """The seats by whom they share a conversation with; units may be in different processes."""
    size = scenario.room or 2
    if scenario.name == WHOLE_ROOM:
        size = plan.members
    return [range(start, min(start + size, plan.members)) for start in range(0, plan.members, size)]


def sessions_of(plan: Plan, seat: int) -> tuple[int, ...]:
    """The numbers of a seat's sessions: all seats have one before any has two."""
    return tuple(range(seat, plan.sessions, plan.members))


class Operator:
    """The server, as its operator and the run's members see it over HTTP."""

    def __init__(self, target: Target, key: str) -> None:
        self._target = target
        self._http = httpx.Client(
            base_url=target.base, headers={"X-API-Key": key}, timeout=120, trust_env=False
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def batch(self, commands: Iterable[tuple[str, Map]]) -> list[Map]:
        """Carry out operator's commands, in order. Raises: LoadError, for any that fails."""
        every = [{"cmd": cmd, "params": params} for cmd, params in commands]
        results: list[Map] = []
        for start in range(0, len(every), BATCH):
            some = every[start : start + BATCH]
            answer = self._post("/admin/v1/batch", {"commands": some}, {})
            for command, outcome in zip(some, answer["results"], strict=True):
                if "error" in outcome:
                    what = f"{command['cmd']}: {outcome['error']['message']}"
                    raise LoadError(f"{self._target.base} refused {what}")
                results.append(outcome["result"])
        return results

    def act(self, token: str, cmd: str, params: Map) -> Map:
        """Carry out a member's command. Raises: LoadError."""
        return self._post(f"/v1/{cmd}", params, {"Authorization": f"Bearer {token}"})

    def _post(self, path: str, body: Map, headers: dict[str, str]) -> Map:
        base = self._target.base
        try:
            answer = self._http.post(path, json=body, headers=headers)
            content = answer.json()
        except httpx.HTTPError as error:
            why = str(error).partition("\n")[0] or type(error).__name__
            raise LoadError(f"{base} cannot be reached: {why}") from None
        except ValueError:
            raise LoadError(f"{base}{path} did not answer as Subrosa does") from None
        if answer.status_code == httpx.codes.UNAUTHORIZED and path.startswith("/admin"):
            raise LoadError(f"{base} does not take this admin key")
        if "result" not in content:
            words = (content.get("error") or {}).get("message", answer.status_code)
            raise LoadError(f"{base} refused {path.rpartition('/')[2]}: {words}")
        result: Map = content["result"]
        return result

    def metrics(self) -> dict[str, float]:
        """The numbers of /metrics that have no labels; none where one may not look."""
        try:
            answer = self._http.get("/metrics", timeout=5)
        except httpx.HTTPError:
            return {}
        if answer.status_code != httpx.codes.OK:
            return {}
        found = {}
        for line in answer.text.splitlines():
            name, _, value = line.partition(" ")
            if not name.startswith("#") and "{" not in name and value:
                found[name] = float(value)
        return found


class Provisioned:
    """What a run has on a server. Use `make` once, and `remove` whatever happened in between."""

    def __init__(self, operator: Operator, run: str, plan: Plan) -> None:
        self.run = run
        self.members = tuple(f"load-{run}-{seat}" for seat in range(plan.members))
        self.seats: list[Seat] = []
        self.places: list[Place] = []
        self.units = units(plan, SCENARIOS[plan.scenario])
        self._operator = operator
        self._plan = plan
        self._scenario = SCENARIOS[plan.scenario]
        self._begun = False

    def make(self) -> None:
        """Make everything. Raises: LoadError."""
        members = self.members
        self._begun = True
        self._operator.batch(
            ("member.put", {"id": member, "name": f"Load {seat}"})
            for seat, member in enumerate(members)
        )
        self._operator.batch(
            ("connection.put", {"a": members[a], "b": members[b]}) for a, b in self._connections()
        )
        tokens = self._operator.batch(
            ("token.issue", {"member": member, "ttl": TOKEN_S}) for member in members
        )
        for seat, issued in enumerate(tokens):
            sessions = sessions_of(self._plan, seat)
            self.seats.append(Seat(seat, members[seat], issued["token"], sessions))
        for unit in self.units:
            if self._scenario.room:
                self._place("room", unit)
            for pair in self._pairs(unit):
                self._place("pair", pair)

    def _connections(self) -> Iterable[tuple[int, int]]:
        for unit in self.units:
            if self._scenario.room:
                yield from ((unit[0], other) for other in unit[1:])
            yield from self._pairs(unit)

    def _pairs(self, unit: range) -> list[tuple[int, int]]:
        """Beside a room its first member is in none: they manage it."""
        if not self._scenario.pairs:
            return []
        seats = unit[1:] if self._scenario.room else unit
        return [(seats[at], seats[at + 1]) for at in range(0, len(seats) - 1, 2)]

    def _place(self, kind: str, seats: Sequence[int]) -> None:
        number = len(self.places)
        params = {
            "members": [self.members[seat] for seat in seats[1:]],
            "client_id": f"{self.run}-place-{number}",
        }
        made = self._operator.act(self.seats[seats[0]].token, "conversation.start", params)
        conversation = made["conversation"]
        if kind == "room":
            self.places.append(Place(number, "room", conversation, tuple(seats)))
        else:
            self.places.append(Place(number, "pair", conversation, tuple(seats)))

    def remove(self) -> None:
        """Erase every member of the run. Raises: LoadError."""
        if self._begun:
            self._operator.batch(("member.delete", {"id": member}) for member in self.members)

    def limits(self, target: Target) -> Map:
        """What a node says about its limits to somebody who connects. Raises: LoadError."""
        address = target.base.replace("http", "ws", 1) + "/ws"
        try:
            with connect(
                address, subprotocols=[Subprotocol(wire.subprotocol(1))], compression=None,
                proxy=None, open_timeout=10,
            ) as socket:  # fmt: skip
                params = {"token": self.seats[0].token, "device": "load-limits"}
                socket.send(wire.encode(1, "connect", params, 1).decode())
                answer = wire.decode(str(socket.recv(timeout=10)).encode(), 1)
        except (OSError, InvalidHandshake, WebSocketException, TimeoutError) as error:
            why = str(error).partition("\n")[0] or type(error).__name__
            raise LoadError(f"{address} cannot be used: {why}") from None
        if "result" not in answer:
            raise LoadError(f"{address} refused a session: {answer.get('error')}")
        limits: Map = answer["result"]["limits"]
        return limits
