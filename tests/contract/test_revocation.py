"""`session.revoke` and `member.delete`: what ends, what is refused for good, what goes on."""

from __future__ import annotations

from pathlib import Path

from tests.support.careful_peer import CarefulPeer, HttpPeer, careful, refused
from tests.support.clocks import Clock
from tests.support.peer_client import Peer
from tests.support.running import Running, running_node


async def fares(server: Running, token: str, device: str = "test") -> int:
    """0 if a token is let in, else the close code; HTTP must say the same."""
    code = 0
    async with Peer(server.ws, token) as one:
        answer = await (await one.start("connect", token=token, device=device))
        if "error" in answer:
            code = (await one.end())[0]
    async with HttpPeer(server.base, token) as http:
        if code:
            assert (await refused(http, "settings.get"))["code"] == "unauthenticated"
            assert http.status == 401
        else:
            await http.call("settings.get")
    return code


async def test_revoking_a_member_ends_all_sessions_and_refuses_every_earlier_token() -> None:
    async with running_node() as server:
        clock = Clock.of(server)
        await server.people("ada", "grace")
        unused = server.token("ada")
        async with (
            CarefulPeer(server.ws, server.token("ada"), "json") as laptop,
            CarefulPeer(server.ws, server.token("ada")) as phone,
            careful(server, "grace") as (grace,),
        ):
            await laptop.connect(device="laptop")
            await phone.connect(device="phone")
            clock.move(1)
            await server.operate("session.revoke", member="ada")
            assert (await laptop.end())[0] == 4508
            assert (await phone.end())[0] == 4508
            await grace.call("ping")
        assert await fares(server, unused) == 4508
        clock.move(0.001)
        assert await fares(server, server.token("ada")) == 0
        clock.move(3600 * 24)
        assert await fares(server, unused) == 4005


async def test_a_token_of_the_very_moment_is_refused_too() -> None:
    async with running_node() as server:
        clock = Clock.of(server)
        await server.people("ada")
        clock.move(1)
        await server.operate("session.revoke", member="ada")
        assert await fares(server, server.token("ada")) == 4508


async def test_revoking_a_device_ends_its_sessions_and_its_tokens_alone() -> None:
    async with running_node() as server:
        clock = Clock.of(server)
        await server.people("ada", "grace")
        lost, kept, renewed = (server.token("ada") for _ in range(3))
        async with (
            Peer(server.ws, lost) as phone,
            Peer(server.ws, server.token("ada", 60)) as phone_again,
            CarefulPeer(server.ws, kept) as laptop,
            careful(server, "grace") as (grace,),
        ):
            await phone.connect(device="phone")
            await phone_again.connect(device="phone")
            await phone_again.call("refresh", token=renewed)
            await laptop.connect(device="laptop")
            await server.operate("session.revoke", member="ada", device="phone")
            assert (await phone.end())[0] == 4508
            assert (await phone_again.end())[0] == 4508
            await laptop.call("settings.get")
            await grace.call("message.send", to="ada", body="still there?", client_id="1")
            await laptop.event("message.created")
        # By jti: under another device's name, and over HTTP, which has none.
        for token in (lost, renewed):
            assert await fares(server, token, "laptop") == 4508
        assert await fares(server, kept, "laptop") == 0
        # The device itself may come back with a token that it has not used.
        clock.move(1)
        assert await fares(server, server.token("ada"), "phone") == 0


async def test_revoking_a_device_that_never_was_ends_nothing() -> None:
    async with running_node() as server:
        await server.people("ada")
        async with careful(server, "ada") as (ada,):
            await server.operate("session.revoke", member="ada", device="fridge")
            await ada.call("settings.get")


async def test_revocations_outlive_the_server(tmp_path: Path) -> None:
    async with running_node(data=tmp_path) as server:
        await server.people("ada", "grace")
        old, used = server.token("ada"), server.token("grace")
        async with Peer(server.ws, used) as grace:
            await grace.connect(device="phone")
            await server.operate("session.revoke", member="grace", device="phone")
        await server.operate("session.revoke", member="ada")
    async with running_node(data=tmp_path) as server:
        assert await fares(server, old) == 4508
        assert await fares(server, used) == 4508
        assert await fares(server, server.token("ada")) == 0
        assert await fares(server, server.token("grace"), "phone") == 0


async def test_a_command_under_way_is_decided_by_the_revocation_before_it() -> None:
    """The socket of a revoked session takes no command, whoever of the two came first."""
    async with running_node() as server:
        await server.people("ada", "grace")
        token = server.token("ada")
        async with HttpPeer(server.base, token) as http, careful(server, "grace") as (grace,):
            await server.operate("session.revoke", member="ada")
            error = await refused(http, "message.send", to="grace", body="late", client_id="1")
            assert error["code"] == "unauthenticated"
            await grace.call("ping")
            assert not grace.events


async def test_deleting_a_member_ends_everything_of_theirs() -> None:
    async with running_node() as server:
        Clock.of(server)
        await server.people("ada", "grace", "linus")
        token = server.token("ada")
        async with Peer(server.ws, token) as ada, careful(server, "grace") as (grace,):
            await ada.connect()
            room = await grace.call("conversation.start", members=["ada", "linus"])
            sent = await ada.call("message.send", to="grace", body="hello", client_id="1")
            await server.operate("member.delete", id="ada")
            assert (await ada.end())[0] == 4508
            # The rest follows as a job.
            gone = await grace.event("roster.changed")
            assert gone["data"]["conversation"] == room["conversation"]
            assert [c["member"] for c in gone["data"]["changes"]] == ["ada"]
            assert (await grace.event("connection.removed"))["data"] == {"member": "ada"}
            assert (await grace.call("connection.list"))["members"]
            place = sent["conversation"]
            history = await grace.call("conversation.history", conversation=place)
            assert [m["body"] for m in history["messages"]] == ["hello"]
            error = await refused(grace, "message.send", to="ada", body="x", client_id="2")
            assert error["code"] == "unreachable"
        assert await fares(server, token) == 4508 or await fares(server, token) == 4500
        async with HttpPeer(server.base, key=server.admin_key) as operator:
            assert (await refused(operator, "member.delete", id="ada"))["code"] == "invalid"


async def test_a_member_made_anew_goes_on_from_the_old_head_and_sees_nothing_old() -> None:
    async with running_node() as server:
        clock = Clock.of(server)
        await server.people("ada", "grace")
        old = server.token("ada")
        async with CarefulPeer(server.ws, old) as ada, careful(server, "grace") as (grace,):
            await ada.connect()
            for number in range(5):
                await grace.call(
                    "message.send", to="ada", body=f"secret {number}", client_id=str(number)
                )
            head = ada.positions["member:ada"]
            while head < 6:
                head = (await ada.event("message.created"))["pos"]
        clock.move(1)
        await server.operate("member.delete", id="ada")
        await server.operate("member.put", id="ada", name="Another Ada")
        assert await fares(server, old) == 4508
        clock.move(1)
        async with (
            CarefulPeer(server.ws, server.token("ada")) as ada,
            careful(server, "grace") as (grace,),
        ):
            fresh = await ada.connect(resume={"member:ada": 1})
            assert fresh["topics"]["member:ada"] >= head
            assert fresh["reset"] == ["member:ada"]
            assert (await ada.call("conversation.list"))["conversations"] == []
            assert (await ada.call("connection.list"))["members"] == []
            await server.operate("connection.put", a="ada", b="grace")
            added = await ada.event("connection.added")
            assert added["pos"] == fresh["topics"]["member:ada"] + 1
            await grace.call("message.send", to="ada", body="hello, you", client_id="new")
            message = await ada.event("message.created")
            assert message["data"]["seq"] == 1
            assert b"secret" not in ada.bytes
