"""Plays rows of the table against a running house, over the wire, and tells where it disagrees.

Rows share a house and nothing else: each has members, a group and a conversation of its own.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from msgspec.structs import replace

from server.domain.policy import PerPlan, Policy
from tests.rulebook.cases import Deed, O, R, Row, S, Step, Story, work_out
from tests.rulebook.reading import BASIC, Answer, Numbers
from tests.support.careful_peer import CarefulPeer
from tests.support.peer_client import Refusal
from tests.support.running import Running

TOGETHER, A_FEW = 48, 16
"""So many rows are played at once; so many where one disagreement is looked for."""

SMALL = Numbers(
    monthly={"career": 0, "business": 1, "sales_navigator": 2, "recruiter_lite": 30}, openers=1
)
"""Numbers with which a plan is out of credits, and a month out of openers, after few deeds."""

TOLD = ("kind", "code", "cost", "balance", "rule", "field")
_houses = itertools.count(1)


def policy_of(numbers: Numbers, policy: Policy, keep: tuple[str, ...] = ()) -> Policy:
    """A server's policy with these numbers, but for those that it is to keep."""
    due = {
        "credits_monthly": PerPlan(**numbers.monthly), "group_openers_per_month": numbers.openers,
        "inmail_cost": numbers.cost, "inmail_characters": numbers.inmail_characters,
    }  # fmt: skip
    return replace(policy, **{name: value for name, value in due.items() if name not in keep})


class Scene:
    """One row on its stage."""

    def __init__(self, server: Running, story: Story, number: str) -> None:
        self.server = server
        self.story = story
        self.row: Row = story.row
        self.number = number
        self.peers: dict[str, CarefulPeer] = {}
        self.conversation = ""
        self.latest = 0
        self.wrong: list[str] = []
        self._sent = 0

    def name(self, who: str) -> str:
        """The member's name in this house."""
        return f"{who}{self.number}"

    @property
    def roles(self) -> list[str]:
        """Who of the sender and the recipient there is at first."""
        never = any(step.deed.verb == "was-never" for step in self.story.steps)
        return [S] if never else [S, R]

    def setting_up(self) -> list[dict[str, Any]]:
        """The operator's commands that make the members and their group."""
        row, made = self.row, []

        def command(cmd: str, **params: Any) -> None:
            made.append({"cmd": cmd, "params": params})

        command("member.put", id=self.name(O), name="O", settings={"inmail": False})
        for who, plan in ((S, row.s_plan), (R, row.r_plan)):
            if who not in self.roles:
                continue
            command("member.put", id=self.name(who), name=who.upper(), plan=plan)
            if row.granted and plan != BASIC:
                command("credits.grant", member=self.name(who), amount=row.granted,
                        reason="courtesy", client_id=self.name(who))  # fmt: skip
        fellows = [S, R] if row.fellows and R in self.roles else [S]
        command("group.put", id=f"g{self.number}", name="G", owner=self.name(O),
                members=[self.name(who) for who in fellows])  # fmt: skip
        return made

    def note(self, what: object, due: object, came: object) -> None:
        """Hold what came against what is due."""
        if due != came:
            self.wrong.append(f"{self.row}: {what}: {came} instead of {due}")

    async def play(self) -> None:
        """All deeds, each held against its answer."""
        for step in self.story.steps:
            self.note(step.deed, step.answer, await self._do(step))

    async def _do(self, step: Step) -> Answer | list[dict[str, Any]]:
        deed = step.deed
        who = self.name(deed.by)
        match deed.verb:
            case "connect":
                await self.server.operate("connection.put", a=who, b=self.name(deed.to))
            case "quits":
                await self.server.operate("group.remove", group=f"g{self.number}", member=who)
            case "vanishes":
                await self.server.operate("member.delete", id=who)
            case "plan":
                await self.server.operate("member.put", id=who, name="-", plan=deed.value)
            case "was-never":
                pass
            case _:
                return await self._say(deed)
        return {}

    async def _say(self, deed: Deed) -> Answer | list[dict[str, Any]]:
        try:
            cmd, params = self._command(deed)
            result = await self.peers[deed.by].call(cmd, **params)
        except Refusal as refusal:
            return {name: refusal.error[name] for name in TOLD if name in refusal.error}
        if deed.verb == "explain":
            ways: list[dict[str, Any]] = result["ways"]
            return ways
        if deed.verb not in ("send", "probe"):
            return {}
        if deed.to in (S, R):
            self.conversation, self.latest = result["conversation"], result["seq"]
        return {"kind": result["kind"]}

    def _command(self, deed: Deed) -> tuple[str, dict[str, Any]]:
        other = {"member": self.name(deed.to)} if deed.to else {}
        own = {"conversation": self.conversation}
        match deed.verb:
            case "send" | "probe":
                return "message.send", self._message(deed)
            case "explain":
                return "explain", {"to": other["member"]}
            case "accept" | "decline":
                return f"request.{deed.verb}", own
            case "close":
                return "conversation.close", own
            case "part":
                return "connection.remove", other
            case "block" | "unblock":
                return {"block": "block.add", "unblock": "block.remove"}[deed.verb], other
            case _:
                return "settings.set", {deed.verb: deed.value}

    def _message(self, deed: Deed) -> dict[str, Any]:
        self._sent += 1
        long = deed.verb == "probe" and self.row.long
        params: dict[str, Any] = {
            "body": "x" * (2_001 if long else 5), "client_id": f"{deed.by}{self._sent}",
        }  # fmt: skip
        if deed.value:
            params["max_cost"] = deed.value
        if self.conversation and self.row.own_conversation and deed.to in (S, R):
            return {"conversation": self.conversation, **params}
        return {"to": self.name(deed.to), **params}

    # What is seen at the end

    async def signal(self) -> None:
        """Have both type, and the recipient read, whether or not anybody is told."""
        for who, peer in self.peers.items():
            if self.conversation and who in self.story.states:
                await self._try(peer, "typing.start")
        if self.conversation and R in self.story.states:
            await self._try(self.peers[R], "receipt.read", seq=self.latest)

    async def _state(self, who: str) -> str:
        try:
            got = await self.peers[who].call("conversation.get", conversation=self.conversation)
        except Refusal as refusal:
            return str(refusal.code)
        return str(got["state"])

    async def _try(self, peer: CarefulPeer, cmd: str, **params: Any) -> None:
        try:
            await peer.call(cmd, conversation=self.conversation, **params)
        except Refusal as refusal:
            if refusal.code not in ("unreachable", "refused"):
                self.note(cmd, "a refusal", refusal.error)

    async def look(self) -> None:
        """States, balances and signals, held against what is due."""
        for who, due in self.story.states.items():
            if due is not None:
                self.note(f"state for {who}", due, await self._state(who))
            told = await self.server.operate("credits.ledger", member=self.name(who))
            self.note(f"balance of {who}", self.story.balances[who], told["balance"])
            self.note("the ledger's sum", told["balance"],
                      sum(entry["change"] for entry in told["entries"]))  # fmt: skip
        # What comes to a session comes in order: behind this, nothing is on its way.
        for who, peer in self.peers.items():
            if who not in self.story.states:
                continue
            await peer.call("ping")
            names = [event["event"] for event in peer.all_events]
            told_typing = self.story.typing.get(who, False)
            self.note(f"typing told to {who}", told_typing, "typing.started" in names)
            if who == S and self.story.last_by == S:
                self.note("a receipt", self.story.receipts, "receipt.read" in names)


@asynccontextmanager
async def _on_stage(scenes: Iterable[Scene]) -> AsyncIterator[None]:
    """Every member of these scenes with a session."""
    async with AsyncExitStack() as stack:

        async def enter(scene: Scene, who: str) -> None:
            peer = CarefulPeer(scene.server.ws, scene.server.token(scene.name(who)))
            scene.peers[who] = await stack.enter_async_context(peer)
            await peer.connect()

        await asyncio.gather(*(enter(scene, who) for scene in scenes for who in scene.roles))
        yield


async def play(
    server: Running, rows: Sequence[Row], numbers: Numbers = SMALL, *, first: bool = False
) -> list[str]:
    """Play these rows; answers the disagreements, or of the `first` few with any only theirs."""
    house = next(_houses)
    scenes = [Scene(server, work_out(row, numbers), f"-{house}-{n}") for n, row in enumerate(rows)]
    wrong: list[str] = []
    size = A_FEW if first else TOGETHER
    for start in range(0, len(scenes), size):
        together = scenes[start : start + size]
        await _play_together(server, together)
        wrong += [one for scene in together for one in scene.wrong]
        if wrong and first:
            break
    return wrong


async def _play_together(server: Running, scenes: Sequence[Scene]) -> None:
    made = [command for scene in scenes for command in scene.setting_up()]
    done = await server.operate("batch", commands=made)
    failed = [one for one in done["results"] if "error" in one]
    assert failed == []
    async with _on_stage(scenes):
        await server.quiet()
        await asyncio.gather(*(scene.play() for scene in scenes))
        await asyncio.gather(*(scene.signal() for scene in scenes))
        await server.quiet()
        await asyncio.gather(*(scene.look() for scene in scenes))
