"""The outbox: one client_id for all tries, order per lane, nothing lost at the bound or a crash."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from client_demo.errors import CommandError, ConnectionLost, OutboxFull, SessionEnded
from client_demo.outbox import AT_ONCE, FAULTS_BEFORE_GIVING_UP, Outbox
from client_demo.pacing import Backoff
from client_demo.protocol import Event, Map
from client_demo.state import Entry, StateFile
from tests.support.patient_clock import PatientClock


class Rig:
    """An outbox over a scripted `send`: each try is answered by the test."""

    def __init__(self, path: Path | None = None, limit: int = 100) -> None:
        self.tries: list[Entry] = []
        self.reports: list[Event] = []
        self.clock = PatientClock()
        self.state = StateFile(path)
        self._answers: dict[int, asyncio.Future[Map]] = {}
        self._tried = asyncio.Condition()
        self.outbox = Outbox(
            self.state,
            self._send,
            self.reports.append,
            self.clock,
            lambda: Backoff(lambda: 0.5),
            limit=limit,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Outbox]:
        self.outbox.load((await self.state.open()).entries)
        started = asyncio.Event()
        task = asyncio.create_task(self.outbox.run(started))
        await started.wait()
        try:
            yield self.outbox
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self.state.close()

    async def _send(self, entry: Entry) -> Map:
        number = len(self.tries)
        self.tries.append(entry)
        self._answers[number] = asyncio.get_running_loop().create_future()
        async with self._tried:
            self._tried.notify_all()
        return await self._answers[number]

    async def tried(self, count: int) -> Entry:
        """The count-th try of all, once there is one."""
        async with self._tried:
            await self._tried.wait_for(lambda: len(self.tries) >= count)
        return self.tries[count - 1]

    def answer(self, number: int, outcome: Map | Exception) -> None:
        if isinstance(outcome, Exception):
            self._answers[number - 1].set_exception(outcome)
        else:
            self._answers[number - 1].set_result(outcome)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until a condition holds; nothing here waits for real time."""
    for _ in range(100_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came true")


def message(body: str, to: str = "grace") -> Map:
    return {"to": to, "body": body}


async def test_a_message_is_kept_until_its_result() -> None:
    rig = Rig()
    async with rig.running() as outbox:
        sending = asyncio.create_task(outbox.send(message("hi")))
        entry = await rig.tried(1)
        assert list(outbox.unsent) == [entry]
        assert entry.params == message("hi")
        rig.answer(1, {"seq": 7})
        assert await sending == {"seq": 7}
        assert not list(outbox.unsent)
        assert rig.reports == []  # somebody waited for it


@pytest.mark.parametrize(
    ("failure", "wait_s"),
    [
        (ConnectionLost("gone"), 0.25),
        (CommandError("busy", "", retryable=True), 0.25),
        (CommandError("unknown_outcome", "", retryable=True), 0.25),
        (CommandError("rate_limited", "", retryable=True, details={"retry_after_ms": 4000}), 4.0),
    ],
)
async def test_a_further_try_carries_the_same_client_id(failure: Exception, wait_s: float) -> None:
    rig = Rig()
    async with rig.running() as outbox:
        sending = asyncio.create_task(outbox.send(message("hi")))
        first = await rig.tried(1)
        rig.answer(1, failure)
        assert await rig.clock.asleep(0, 99) == wait_s
        assert len(rig.tries) == 1
        rig.clock.move(wait_s)
        assert await rig.tried(2) == first
        rig.answer(2, {"duplicate": True})
        assert await sending == {"duplicate": True}


async def test_a_refusal_ends_it_and_is_told_to_who_waits() -> None:
    rig = Rig()
    async with rig.running() as outbox:
        sending = asyncio.create_task(outbox.send(message("hi")))
        await rig.tried(1)
        rig.answer(1, CommandError("unreachable", "no"))
        with pytest.raises(CommandError, match="unreachable"):
            await sending
        assert outbox.unsent == ()


async def test_what_nobody_waits_for_is_reported() -> None:
    rig = Rig()
    async with rig.running() as outbox:
        refused = await outbox.put(message("one"))
        await rig.tried(1)
        rig.answer(1, CommandError("invalid", "no", details={"field": "body"}))
        await until(lambda: len(rig.reports) == 1)
        assert rig.reports[0] == Event(
            "message.refused",
            {
                "client_id": refused.client_id,
                "params": message("one"),
                "code": "invalid",
                "message": "no",
                "details": {"field": "body"},
            },
        )
        sent = await outbox.put(message("two"))
        await rig.tried(2)
        rig.answer(2, {"seq": 1})
        await until(lambda: len(rig.reports) == 2)
        assert rig.reports[1].data == {"client_id": sent.client_id, "result": {"seq": 1}}


async def test_who_stops_waiting_does_not_stop_the_sending() -> None:
    rig = Rig()
    async with rig.running() as outbox:
        sending = asyncio.create_task(outbox.send(message("hi")))
        entry = await rig.tried(1)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        rig.answer(1, {"seq": 1})
        await until(lambda: bool(rig.reports))
        assert rig.reports[0].data["client_id"] == entry.client_id


async def test_order_is_kept_in_a_lane_and_lanes_do_not_wait_for_each_other() -> None:
    rig = Rig()
    async with rig.running() as outbox:
        for body in ("1", "2", "3"):
            await outbox.put(message(body))
        await outbox.put(message("x", to="alan"))
        bodies = {(await rig.tried(1)).params["body"], (await rig.tried(2)).params["body"]}
        assert bodies == {"1", "x"}
        assert len(rig.tries) == 2  # "2" waits for the outcome of "1"
        one = next(n for n, e in enumerate(rig.tries, 1) if e.params["body"] == "1")
        rig.answer(one, ConnectionLost("gone"))
        rig.clock.move(await rig.clock.asleep(0, 99))
        assert (await rig.tried(3)).params["body"] == "1"
        rig.answer(3, {})
        assert (await rig.tried(4)).params["body"] == "2"
        rig.answer(4, {})
        assert (await rig.tried(5)).params["body"] == "3"


async def test_at_most_so_many_are_tried_at_once() -> None:
    rig = Rig()
    async with rig.running() as outbox:
        for number in range(AT_ONCE + 5):
            await outbox.put(message("hi", to=f"m{number}"))
        await rig.tried(AT_ONCE)
        assert len(rig.tries) == AT_ONCE
        rig.answer(1, {})
        await rig.tried(AT_ONCE + 1)


async def test_the_bound_refuses_and_forgets_nothing() -> None:
    rig = Rig(limit=2)
    async with rig.running() as outbox:
        await outbox.put(message("1"))
        await outbox.put(message("2"))
        with pytest.raises(OutboxFull):
            await outbox.put(message("3"))
        assert [e.params["body"] for e in outbox.unsent] == ["1", "2"]
        await rig.tried(1)
        rig.answer(1, {})
        await until(lambda: len(outbox.unsent) == 1)
        await outbox.put(message("3"))


async def test_the_same_client_id_is_one_message() -> None:
    rig = Rig()
    async with rig.running() as outbox:
        first = await outbox.put({**message("hi"), "client_id": "mine"})
        assert first.client_id == "mine"
        assert await outbox.put({**message("hi"), "client_id": "mine"}) == first
        assert len(outbox.unsent) == 1


async def test_a_message_that_the_server_fails_at_does_not_hold_up_its_lane_for_ever() -> None:
    rig = Rig()
    async with rig.running() as outbox:
        sending = asyncio.create_task(outbox.send(message("poison")))
        for number in range(1, FAULTS_BEFORE_GIVING_UP + 1):
            await rig.tried(number)
            rig.answer(number, CommandError("internal", "", retryable=True))
            if number < FAULTS_BEFORE_GIVING_UP:
                rig.clock.move(await rig.clock.asleep(0, 99))
        with pytest.raises(CommandError, match="internal"):
            await sending


async def test_an_ended_session_keeps_what_is_unsent_for_the_next(tmp_path: Path) -> None:
    path = tmp_path / "ada.db"
    rig = Rig(path)
    async with rig.running() as outbox:
        sending = asyncio.create_task(outbox.send(message("1")))
        first = await rig.tried(1)
        await outbox.put(message("2"))
        rig.answer(1, SessionEnded(4508, "revoked"))
        with pytest.raises(SessionEnded):
            await sending
    again = Rig(path)
    async with again.running() as outbox:
        assert await again.tried(1) == first
        assert [e.params["body"] for e in outbox.unsent] == ["1", "2"]
        again.answer(1, {})
        assert (await again.tried(2)).params["body"] == "2"


async def test_closing_ends_who_still_waits() -> None:
    rig = Rig()
    async with rig.running() as outbox:
        sending = asyncio.create_task(outbox.send(message("1")))
        await rig.tried(1)
    with pytest.raises(SessionEnded, match="closed"):
        await sending


async def test_who_sends_when_the_session_has_just_ended_is_told() -> None:
    rig = Rig()

    async def ended(_: Entry) -> Map:
        raise SessionEnded(4500, "unauthenticated")

    rig.outbox._send = ended
    async with rig.running() as outbox, asyncio.timeout(5):
        for client_id in ("1", "2", "1"):  # the last a repeat of what is kept
            with pytest.raises(SessionEnded, match="4500"):
                await outbox.send({"to": "grace", "body": "x", "client_id": client_id})
        assert [entry.client_id for entry in outbox.unsent] == ["1", "2"]
