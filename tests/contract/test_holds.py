"""Legal holds: what is under one stays, out of sight, until the last of them is lifted."""

from __future__ import annotations

from server.domain.policy import Policy
from tests.contract.test_erasing import OWN, live
from tests.support.careful_peer import HttpPeer, careful, refused
from tests.support.running import running_node
from tests.support.traces import erased, held, stored

TOMBSTONE = Policy(erase_messages="tombstone")
WORDS = ("canary edited", "canary among", "canary gone")


async def test_what_a_held_member_wrote_stays_out_of_sight_until_the_last_hold_is_lifted() -> None:
    async with running_node(policy=TOMBSTONE) as server:
        places = await live(server)
        holds = [
            (await server.operate("hold.put", member="ada", reason=f"case {n}"))["hold"]
            for n in range(2)
        ]
        await server.operate("member.erase", id="ada")
        await held(server)
        for hold in holds:
            before = await stored(server)
            assert [word for word in (*OWN, *WORDS) if word not in before] == []
            async with careful(server, "grace") as (grace,):
                for place in places.values():
                    page = await grace.call("conversation.history", conversation=place)
                    assert {m["sender"] for m in page["messages"]} == {"erased.member", "grace"}
                    theirs = [m for m in page["messages"] if m["sender"] == "erased.member"]
                    assert {m.get("body") for m in theirs} == {None}
                    got = await grace.call("conversation.get", conversation=place)
                    assert "ada" not in {p["member"] for p in got["participants"]}
                assert b"Canary Name" not in grace.bytes
            await server.operate("hold.delete", hold=hold)
        await erased(server)
        after = await stored(server)
        assert [word for word in (*OWN, *WORDS) if word in after] == []


async def test_a_held_conversation_keeps_its_messages_and_who_wrote_them() -> None:
    async with running_node(policy=TOMBSTONE) as server:
        places = await live(server)
        put = await server.operate("hold.put", conversation=places["several"], reason="a case")
        await server.operate("member.erase", id="ada")
        await held(server)
        there = await stored(server)
        assert "canary words" not in there
        assert "canary among" in there
        assert "Canary Name" in there
        assert "canary note" not in there
        await server.operate("hold.delete", hold=put["hold"])
        await erased(server)
        after = await stored(server)
        assert [word for word in (*OWN, *WORDS) if word in after] == []


async def test_a_hold_on_somebody_covers_what_others_wrote_to_them() -> None:
    async with running_node(policy=TOMBSTONE) as server:
        await live(server)
        hold = (await server.operate("hold.put", member="grace", reason="a case"))["hold"]
        await server.operate("member.erase", id="ada")
        await held(server)
        there = await stored(server)
        assert "canary note" not in there
        assert [word for word in WORDS if word not in there] == []
        assert "Canary Name" in there
        await server.operate("hold.delete", hold=hold)
        await erased(server)
        assert "Canary Name" not in await stored(server)


async def test_holds_are_listed_until_they_are_lifted() -> None:
    async with running_node() as server, HttpPeer(server.base, key=server.admin_key) as operator:
        places = await live(server)
        first = await operator.call("hold.put", member="ada", reason="one")
        second = await operator.call("hold.put", conversation=places["several"], reason="two")
        page = await operator.call("hold.list", limit=1)
        (newest,) = page["holds"]
        assert page["more"] is True
        assert {k: v for k, v in newest.items() if k != "at_ms"} == {
            "hold": second["hold"], "conversation": places["several"], "reason": "two",
        }  # fmt: skip
        rest = await operator.call("hold.list", before=page["next"])
        assert rest["more"] is False
        assert [(h["hold"], h["member"]) for h in rest["holds"]] == [(first["hold"], "ada")]
        await operator.call("hold.delete", hold=first["hold"])
        holds = (await operator.call("hold.list"))["holds"]
        assert [h["hold"] for h in holds] == [second["hold"]]


async def test_what_is_wrong_with_a_hold_is_said() -> None:
    async with running_node() as server, HttpPeer(server.base, key=server.admin_key) as operator:
        places = await live(server)
        for cmd, params, field in (
            ("hold.put", {"reason": "x"}, "member"),
            ("hold.put", {"member": "ada", "conversation": places["several"], "reason": "x"},
             "member"),
            ("hold.put", {"member": "nobody", "reason": "x"}, "member"),
            ("hold.put", {"conversation": "nowhere", "reason": "x"}, "conversation"),
            ("hold.put", {"member": "ada"}, "reason"),
            ("hold.put", {"member": "ada", "reason": ""}, "reason"),
            ("hold.put", {"member": "ada", "reason": " "}, "reason"),
            ("hold.put", {"member": "ada", "reason": "x" * 501}, "reason"),
            ("hold.delete", {"hold": "none"}, "hold"),
            ("hold.delete", {}, "hold"),
            ("hold.list", {"before": "none"}, "before"),
        ):  # fmt: skip
            error = await refused(operator, cmd, **params)
            assert (error["code"], error["field"]) == ("invalid", field), (cmd, params)
