"""The hub heals what the bus does to it, and a session is given each event once and in order."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from server.domain.policy import DEFAULT
from tests.unit.realtime.rig import Rig, listener, rig

SENDS = 12
FATES = st.lists(
    st.sampled_from(["pass", "lose", "twice", "later"]), min_size=SENDS, max_size=SENDS
)
ALL = list(range(1, SENDS + 1))


async def three_in(made: Rig) -> tuple[str, str]:
    """Three connected members in a conversation: its id and its topic."""
    await made.people("ada", "bob", "cyd")
    place = (await made.run("ada", "conversation.start", members=["bob", "cyd"]))["conversation"]
    return place, f"conversation:{place}"


# --- a bus that cannot be relied on ----------------------------------------------------------


@settings(max_examples=20)
@given(fates=FATES, seed=st.integers(0, 1_000))
def test_whatever_the_bus_does_each_event_comes_once_and_in_order(
    fates: list[str], seed: int
) -> None:
    async def run(directory: Path) -> None:
        async with rig(directory) as made:
            place, topic = await three_in(made)
            near, far = await made.attend(made.here, "ada"), await made.attend(made.there, "bob")
            made.bus.fates = list(fates)
            for _ in range(SENDS):
                await made.send("ada", conversation=place)
            made.bus.release(random.Random(seed).shuffle)
            for _ in range(2):  # the first may come while an older gap is being healed
                await made.there.replays.compare_heads()
                await made.quiet()
            assert listener(near).positions(topic) == ALL
            assert listener(far).positions(topic) == ALL

    with (
        TemporaryDirectory() as directory,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(run(Path(directory)))


async def test_a_gap_is_read_from_the_store_at_once(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        place, topic = await three_in(made)
        far = await made.attend(made.there, "bob")
        await made.quiet()  # its heads are compared once, which may find the gap as well
        made.bus.fates = ["lose", "lose", "pass"]
        for _ in range(3):
            await made.send("ada", conversation=place)
        await made.quiet()
        assert listener(far).positions(topic) == [1, 2, 3]
        assert made.there.counters.healed == 1


async def test_comparing_heads_finds_a_last_event_that_was_lost(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        place, topic = await three_in(made)
        far = await made.attend(made.there, "bob")
        await made.quiet()
        made.bus.fates = ["lose"]
        await made.send("ada", conversation=place)
        await made.quiet()
        assert listener(far).positions(topic) == []
        await made.there.replays.compare_heads()
        await made.quiet()
        assert listener(far).positions(topic) == [1]
        await made.there.replays.compare_heads()
        await made.quiet()
        assert listener(far).positions(topic) == [1]


async def test_heads_are_compared_with_a_margin_only(tmp_path: Path) -> None:
    """What moved long ago was compared long ago."""
    async with rig(tmp_path) as made:
        place, topic = await three_in(made)
        far = await made.attend(made.there, "bob")
        await made.quiet()
        made.bus.fates = ["lose"]
        await made.send("ada", conversation=place)
        made.now_ms += 60_000
        await made.there.replays.compare_heads()
        await made.quiet()
        assert listener(far).positions(topic) == []


async def test_whoever_was_removed_gets_nothing_later_in_whatever_order_it_comes(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path) as made:
        place, topic = await three_in(made)
        far, other = await made.attend(made.there, "bob"), await made.attend(made.there, "cyd")
        made.bus.fates = ["later"] * 5
        await made.send("ada", conversation=place)
        await made.run("ada", "conversation.remove", conversation=place, member="bob")
        await made.send("ada", conversation=place)
        made.bus.release()
        await made.quiet()
        assert listener(far).positions(topic) in ([], [1])
        assert listener(other).positions(topic) == [1, 2, 3]


async def test_a_hub_that_is_behind_lets_nobody_in_who_is_ahead(tmp_path: Path) -> None:
    """A session that opens where the bus has lost events waits for them, and misses none."""
    async with rig(tmp_path) as made:
        place, topic = await three_in(made)
        early = await made.attend(made.there, "bob")
        made.bus.fates = ["lose", "lose"]
        await made.send("ada", conversation=place)
        await made.send("ada", conversation=place)
        late = await made.attend(made.there, "cyd")
        await made.send("ada", conversation=place)
        await made.quiet()
        assert listener(early).positions(topic) == [1, 2, 3]
        assert listener(late).positions(topic) == [3]


# --- sessions that catch up ------------------------------------------------------------------


async def test_several_topics_wait_for_one_wire_and_all_go_on(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        place, topic = await three_in(made)
        for _ in range(3):
            await made.send("ada", conversation=place)
            await made.send("ada", to="bob")
        start = {"member:bob": 0, topic: 0}
        made.gate.clear()
        bob = await made.attend(made.here, "bob", start)
        listener(bob).full = True
        made.gate.set()
        for _ in range(20):
            await asyncio.sleep(0)
        listener(bob).full = False
        made.here.outflow.drained(bob)
        await made.quiet()
        await made.send("ada", conversation=place)
        await made.send("ada", to="bob")
        await made.quiet()
        assert listener(bob).positions(topic) == [1, 2, 3, 4]
        own = listener(bob).positions("member:bob")
        assert own == list(range(1, len(own) + 1))
        assert own


async def test_removed_and_back_while_it_catches_up_it_gets_nothing_twice(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        place, topic = await three_in(made)
        await made.send("ada", conversation=place)
        made.gate.clear()
        bob = await made.attend(made.here, "bob", {"member:bob": 1, topic: 0})
        await made.asked()
        await made.run("ada", "conversation.remove", conversation=place, member="bob")
        back = await made.run("ada", "conversation.add", conversation=place, member="bob")
        assert back["conversation"] == place
        while made.here.replays._tasks:  # one read after the other, and something new each time
            if made.waiting:
                await made.send("ada", conversation=place)
                await made.let_through()
                await made.send("ada", conversation=place)
            await asyncio.sleep(0)
        given = listener(bob).positions(topic)
        assert given[0] == 4  # what it missed before, `conversation.left` tells it to read
        assert given == list(range(4, 4 + len(given)))
        assert len(given) >= 4


async def test_back_in_a_topic_it_is_not_given_what_was_before_behind_that(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        place, topic = await three_in(made)
        await made.send("ada", conversation=place)
        await made.run("ada", "conversation.remove", conversation=place, member="bob")
        made.gate.clear()
        bob = await made.attend(made.here, "bob", {"member:bob": 0, topic: 0})
        await made.asked()
        await made.run("ada", "conversation.add", conversation=place, member="bob")
        await made.run("ada", "conversation.remove", conversation=place, member="bob")
        made.gate.set()
        await made.quiet()
        joined = [one for one in listener(bob).given if one["event"] == "conversation.joined"]
        assert joined[-1]["data"]["pos"] == 3
        after = listener(bob).given[listener(bob).given.index(joined[-1]) :]
        assert [one["pos"] for one in after if one["topic"] == topic] == []


async def test_what_was_missed_of_a_lost_topic_ends_with_ones_last_position(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path) as made:
        place, topic = await three_in(made)
        for _ in range(2):
            await made.send("ada", conversation=place)
        await made.run("ada", "conversation.remove", conversation=place, member="bob")
        await made.send("ada", conversation=place)
        bob = await made.attend(made.here, "bob", {"member:bob": 0, topic: 1})
        await made.quiet()
        assert listener(bob).positions(topic) == [2]
        assert topic not in bob.topics


async def test_a_store_that_cannot_be_read_ends_the_session_to_come_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with rig(tmp_path) as made:
        place, topic = await three_in(made)
        await made.send("ada", conversation=place)

        async def broken(_question: object) -> None:
            raise OSError("the disk is gone")

        made.here.replays.ask = broken
        bob = await made.attend(made.here, "bob", {"member:bob": 0, topic: 0})
        await made.quiet()
        assert listener(bob).code == 4010
        assert "could not be given what it missed" in caplog.text


# --- topics and signals ----------------------------------------------------------------------


async def test_a_topic_is_followed_while_somebody_here_is_attached(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        place, topic = await three_in(made)
        one, two = await made.attend(made.there, "bob"), await made.attend(made.there, "cyd")
        assert made.bus.carries(topic)
        made.there.leave(one)
        assert made.bus.carries(topic)
        assert not made.bus.carries("member:bob")
        await made.run("ada", "conversation.remove", conversation=place, member="cyd")
        await made.quiet()
        assert not made.bus.carries(topic)
        assert made.bus.carries("member:cyd")
        made.there.leave(two)
        assert not made.there.topics


async def test_typing_is_told_again_after_three_seconds_or_a_stop(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        place, _ = await three_in(made)
        bob = await made.attend(made.here, "bob")
        for wait_ms in (0, 2_999, 1, 2_999):
            made.now_ms += wait_ms
            await made.run("ada", "typing.start", conversation=place)
        assert listener(bob).signals() == [("typing.started", "ada")] * 2
        await made.run("ada", "typing.stop", conversation=place)
        await made.run("ada", "typing.start", conversation=place)
        await asyncio.sleep(0)
        assert listener(bob).signals()[2:] == [("typing.stopped", "ada"), ("typing.started", "ada")]


async def test_signals_are_for_those_whose_switch_is_on(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        place, _ = await three_in(made)
        ada = await made.attend(made.here, "ada")
        bob, cyd = await made.attend(made.here, "bob"), await made.attend(made.there, "cyd")
        await made.run("bob", "settings.set", receipts=False)
        await made.run("ada", "typing.start", conversation=place)
        await made.run("bob", "typing.start", conversation=place)
        await asyncio.sleep(0)
        assert listener(bob).signals() == []
        assert listener(ada).signals() == []
        assert listener(cyd).signals() == [("typing.started", "ada")]
        await made.run("bob", "settings.set", receipts=True)
        await made.run("cyd", "typing.start", conversation=place)
        await asyncio.sleep(0)
        assert listener(bob).signals() == [("typing.started", "cyd")]
        assert listener(ada).signals() == [("typing.started", "cyd")]


async def test_a_signal_that_waits_is_dropped_by_any_end_of_access(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        place, topic = await three_in(made)
        bob = await made.attend(made.here, "bob")
        listener(bob).full = True
        await made.send("ada", conversation=place)
        await made.run("ada", "typing.start", conversation=place)
        await made.run("ada", "settings.set", receipts=False)
        listener(bob).full = False
        made.here.outflow.drained(bob)
        assert listener(bob).signals() == []
        assert listener(bob).positions(topic) == [1]


async def test_an_end_that_comes_to_light_late_does_not_end_a_return(tmp_path: Path) -> None:
    """Who has come back before this node hears of their removal keeps what they hold by now."""
    async with rig(tmp_path) as made:
        place, topic = await three_in(made)
        await made.attend(made.there, "cyd")
        made.bus.fates = ["later"] * 4
        await made.run("ada", "conversation.remove", conversation=place, member="bob")
        await made.run("ada", "conversation.add", conversation=place, member="bob")
        made.gate.clear()
        bob = await made.attend(made.there, "bob", {"member:bob": 0, topic: 0})
        made.bus.release()
        made.bus.fates = []
        made.gate.set()
        await made.quiet()
        await made.send("ada", conversation=place)
        await made.quiet()
        assert listener(bob).positions(topic) == [1, 2, 3]


async def test_what_was_missed_is_not_told_behind_a_return(tmp_path: Path) -> None:
    """Who comes back while what they missed is being read goes on from where they came back."""
    async with rig(tmp_path) as made:
        place, topic = await three_in(made)
        for _ in range(3):
            await made.send("ada", conversation=place)
        await made.run("ada", "conversation.remove", conversation=place, member="bob")
        made.gate.clear()
        own = (await made.attend(made.here, "bob")).opened_pos
        bob = await made.attend(made.here, "bob", {"member:bob": own, topic: 1})
        await made.run("ada", "conversation.add", conversation=place, member="bob")
        made.gate.set()
        await made.quiet()
        sent = await made.send("ada", conversation=place)
        await made.quiet()
        assert listener(bob).positions("member:bob") != []
        assert listener(bob).positions(topic) == [sent["seq"] + 2]  # behind two of the roster


# --- room ------------------------------------------------------------------------------------


async def test_a_wire_that_never_drains_is_ended_to_come_back(tmp_path: Path) -> None:
    policy = replace(DEFAULT, buffer_hard_bytes=600, buffer_soft_bytes=300)
    async with rig(tmp_path, policy) as made:
        place, topic = await three_in(made)
        bob, cyd = await made.attend(made.here, "bob"), await made.attend(made.here, "cyd")
        listener(bob).full = True
        for _ in range(4):
            await made.send("ada", conversation=place)
        await asyncio.sleep(0)
        assert listener(bob).code == 4008
        assert listener(bob).given == []
        assert made.here.counters.too_slow == 1
        assert listener(cyd).positions(topic) == [1, 2, 3, 4]
        assert made.here.outflow.held() == (0, 0)
