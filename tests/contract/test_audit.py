"""The audit log: each act, in its own transaction, and nothing that somebody wrote."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from server.domain.policy import Policy
from server.store.tables import audit
from tests.support.careful_peer import CarefulPeer, HttpPeer, careful, refused
from tests.support.running import Running, running_node
from tests.support.traces import entries, erased

Said = tuple[str, str, tuple[str, ...], str]


def said(found: list[dict[str, Any]]) -> list[Said]:
    """Who, what, about whom, with what outcome."""
    return [(e.get("member", e["by"]), e["cmd"], tuple(e["about"]), e["outcome"]) for e in found]


async def test_each_act_of_an_operator_is_noted() -> None:
    async with running_node() as server:
        await server.operate("member.put", id="ada", name="canary name", headline="canary line")
        await server.operate("member.put", id="grace", name="Grace")
        await server.operate("member.put", id="ada", name="canary two", settings={"inmail": False})
        await server.operate("connection.put", a="ada", b="grace")
        await server.operate("connection.delete", a="ada", b="grace")
        await server.operate("token.issue", member="ada", ttl=60)
        await server.operate("session.revoke", member="ada", device="canary phone")
        await server.operate("session.revoke", member="ada")
        await server.operate("member.export", id="ada", section="settings")
        hold = (await server.operate("hold.put", member="ada", reason="canary reason"))["hold"]
        await server.operate("hold.delete", hold=hold)
        await server.operate("batch", commands=[
            {"cmd": "member.put", "params": {"id": "linus", "name": "Linus"}},
            {"cmd": "member.delete", "params": {"id": "linus"}},
        ])  # fmt: skip
        await server.operate("member.erase", id="ada")
        await erased(server)
        found = await entries(server)
        assert said(found) == [
            ("operator", "member.put", ("ada",), "done"),
            ("operator", "member.put", ("grace",), "done"),
            ("operator", "member.put", ("ada",), "done"),
            ("operator", "connection.put", ("ada", "grace"), "done"),
            ("operator", "connection.delete", ("ada", "grace"), "done"),
            ("operator", "token.issue", ("ada",), "done"),
            ("operator", "session.revoke", ("ada",), "done"),
            ("operator", "session.revoke", ("ada",), "done"),
            ("operator", "member.export", ("ada",), "done"),
            ("operator", "hold.put", ("ada",), "done"),
            ("operator", "hold.delete", ("ada",), "done"),
            ("operator", "member.put", ("linus",), "done"),
            ("operator", "member.delete", ("linus",), "done"),
            ("operator", "member.erase", ("ada",), "begun"),
            ("server", "member.erase", ("ada",), "complete"),
        ]
        details = [entry["detail"] for entry in found[:11]]
        assert details == [
            {"made": True}, {"made": True}, {"fields": ["headline", "inmail", "name"]}, {}, {},
            {"ttl": 60}, {"scope": "device"}, {"scope": "member"}, {"section": "settings"},
            {"hold": hold}, {"hold": hold},
        ]  # fmt: skip
        assert "canary" not in json.dumps(found)
        times = [entry["at_ms"] for entry in found]
        assert times == sorted(times)


async def test_acts_of_members_are_noted_where_they_matter() -> None:
    async with running_node() as server:
        await server.people("ada", "grace")
        begun = len(await entries(server))
        async with careful(server, "ada") as (ada,):
            sent = await ada.call("message.send", to="grace", body="canary", client_id="canary")
            await ada.call("message.react", message=sent["message"], emoji="🐤")
            await ada.call("receipt.read", conversation=sent["conversation"], seq=1)
            await ada.call("settings.set", receipts=False, inmail=True)
            await ada.call("block.add", member="grace")
            await ada.call("block.remove", member="grace")
            await ada.call("export")
        found = (await entries(server))[begun:]
        # Of messages nothing; of a block not whom.
        assert said(found) == [
            ("ada", "settings.set", (), "done"),
            ("ada", "block.add", (), "done"),
            ("ada", "block.remove", (), "done"),
            ("ada", "export", (), "done"),
        ]
        assert found[0]["detail"] == {"fields": ["receipts"]}
        assert "canary" not in json.dumps(found)
        assert "grace" not in json.dumps(found)


async def test_who_comes_into_a_group_and_goes_is_noted() -> None:
    async with running_node() as server:
        await server.people("ada", "bob", "eve", "kim", connected=False)
        guild = {"id": "guild", "name": "Guild", "owner": "ada"}
        lists = {"managers": ["bob"], "members": ["eve", "kim"]}
        kim = {"group": "guild", "member": "kim"}
        put = "group.put"
        cases: list[tuple[str, dict[str, Any], list[Any]]] = [
            (put, {**guild, **lists}, [
                (put, "ada", {"made": True}), (put, "bob", {"role": "manager"}),
                (put, "eve", {"role": "member"}), (put, "kim", {"role": "member"}),
            ]),
            (put, {**guild, **lists}, []),  # as it is
            (put, guild, []),
            (put, {**guild, "managers": ["eve"], "members": []}, [
                (put, "bob", {"removed": True}), (put, "eve", {"role": "manager"}),
                (put, "kim", {"removed": True}),
            ]),
            (put, {**guild, "name": "New", "owner": "eve"}, [
                (put, "ada", {"role": "member"}), (put, "eve", {"fields": ["name", "owner"]}),
            ]),
            ("group.add", {**kim, "role": "manager"}, [("group.add", "kim", {"role": "manager"})]),
            ("group.add", {**kim, "role": "manager"}, []),
            ("group.remove", kim, [("group.remove", "kim", {"removed": True})]),
            ("group.remove", kim, []),
        ]  # fmt: skip
        for cmd, params, acts in cases:
            begun = len(await entries(server))
            await server.operate(cmd, **params)
            found = (await entries(server))[begun:]
            assert said(found) == [("operator", e["cmd"], tuple(e["about"]), "done") for e in found]
            noted = sorted((e["cmd"], *e["about"], e["detail"]) for e in found)
            assert noted == [(*act[:2], {"group": "guild", **act[2]}) for act in acts], params


async def test_reports_and_credits_are_noted() -> None:
    async with running_node() as server, HttpPeer(server.base, key=server.admin_key) as operator:
        await server.people("ada", "grace")
        async with careful(server, "ada", "grace") as (ada, grace):
            sent = await ada.call("message.send", to="grace", body="canary", client_id="1")
            told = await grace.call(
                "report.send", conversation=sent["conversation"], reason="spam", text="canary"
            )
        begun = len(await entries(server))
        await operator.call("report.list")
        for _ in range(2):
            await operator.call("report.close", report=told["report"])
        await operator.call(
            "credits.grant", member="ada", amount=1, reason="canary", client_id="canary"
        )
        await operator.call("credits.ledger", member="ada")
        found = (await entries(server))[begun:]
        assert [(e["cmd"], e["about"], e["detail"]) for e in found] == [
            ("report.list", [], {}), ("report.close", [], {"report": told["report"]}),
            ("credits.grant", ["ada"], {}), ("credits.ledger", ["ada"], {}),
        ]  # fmt: skip
        assert "canary" not in json.dumps(found)
        # What is answered of nobody who is deleted is not noted; what is, is.
        await operator.call("member.delete", id="ada")
        begun = len(await entries(server))
        await refused(operator, "credits.ledger", member="ada")
        await refused(operator, "token.issue", member="ada")
        await operator.call("member.export", id="ada")
        assert [e["cmd"] for e in (await entries(server))[begun:]] == ["member.export"]


async def test_what_did_not_happen_is_not_noted() -> None:
    async with running_node() as server, HttpPeer(server.base, key=server.admin_key) as operator:
        await server.people("ada", "grace")
        await server.operate("hold.put", member="ada", reason="x")
        begun = await entries(server)
        await server.people("ada", "grace")  # as they are
        await server.operate("connection.put", a="grace", b="ada")
        for cmd, params in (
            ("member.put", {"id": "ada"}), ("member.delete", {"id": "nobody"}),
            ("member.erase", {"id": "nobody"}), ("connection.put", {"a": "ada", "b": "nobody"}),
            ("token.issue", {"member": "nobody"}), ("member.export", {"id": "nobody"}),
            ("hold.delete", {"hold": "none"}), ("hold.put", {"member": "ada"}),
            ("session.revoke", {"member": "nobody"}), ("audit.list", {"before": "x"}),
        ):  # fmt: skip
            await refused(operator, cmd, **params)
        async with careful(server, "ada") as (ada,):
            await ada.call("settings.set", receipts=True)
            await refused(ada, "block.add", member="nobody")
        async with HttpPeer(server.base, server.token("ada")) as member:
            for cmd in ("audit.list", "audit.read", "audit.trim", "member.scrub", "message.expire"):
                assert (await refused(member, cmd))["field"] == "cmd"
        for cmd in ("audit.read", "audit.trim", "member.scrub", "message.expire", "export"):
            assert (await refused(operator, cmd))["field"] == "cmd"
        assert await entries(server) == begun


async def test_the_log_is_read_in_pages_and_by_member() -> None:
    async with running_node() as server, HttpPeer(server.base, key=server.admin_key) as operator:
        await server.people("ada", "grace", "linus")
        whole = await entries(server)
        assert len(whole) == 6
        pages: list[dict[str, Any]] = []
        asked: dict[str, Any] = {"limit": 2}
        while True:
            page = await operator.call("audit.list", **asked)
            pages += page["entries"]
            if not page["more"]:
                break
            asked["before"] = page["next"]
        assert pages[::-1] == whole
        of_linus = await entries(server, member="linus")
        assert said(of_linus) == [
            ("operator", "member.put", ("linus",), "done"),
            ("operator", "connection.put", ("ada", "linus"), "done"),
            ("operator", "connection.put", ("grace", "linus"), "done"),
        ]
        async with careful(server, "linus") as (linus,):
            await linus.call("settings.set", receipts=False)
        assert said(await entries(server, member="linus"))[-1][:2] == ("linus", "settings.set")
        late = await entries(server, since_ms=whole[-1]["at_ms"] + 1)
        assert {entry["cmd"] for entry in late} <= {"settings.set"}
        for params, field in (
            ({"before": "x"}, "before"), ({"before": "1.²"}, "before"),
            ({"member": "a b"}, "member"), ({"since_ms": -1}, "since_ms"), ({"limit": 0}, "limit"),
        ):  # fmt: skip
            error = await refused(operator, "audit.list", **params)
            assert (error["code"], error["field"]) == ("invalid", field), params


async def test_an_act_that_cannot_be_noted_does_not_happen() -> None:
    """They are one transaction: where the one cannot be written, neither is the other."""
    async with running_node(policy=Policy()) as server:
        await server.people("ada", "grace", connected=False)
        await _forbid(server)
        async with HttpPeer(server.base, key=server.admin_key) as operator:
            for cmd, params in (
                ("connection.put", {"a": "ada", "b": "grace"}), ("token.issue", {"member": "ada"}),
                ("member.export", {"id": "ada"}), ("member.delete", {"id": "ada"}),
            ):  # fmt: skip
                assert (await refused(operator, cmd, **params))["code"] == "internal"
        async with CarefulPeer(server.ws, server.token("ada")) as ada:
            await ada.connect()
            assert (await ada.call("connection.list"))["members"] == []
            assert (await refused(ada, "settings.set", receipts=False))["code"] == "internal"
            assert (await ada.call("settings.get"))["receipts"] is True


async def _forbid(server: Running) -> None:
    """No more room in the audit log."""
    name = audit.name
    database = getattr(server.node.store, "_database", None)
    if database is not None:
        async with database.writing.begin() as connection:
            await connection.exec_driver_sql(f"ALTER TABLE {name} ADD CHECK (key < 0) NOT VALID")
        return
    file = server.node.store._file  # type: ignore[union-attr]

    def fill() -> None:
        with file.writing.begin() as connection:
            connection.exec_driver_sql(
                f"CREATE TRIGGER full BEFORE INSERT ON {name}"
                " BEGIN SELECT RAISE(ABORT, 'full'); END"
            )

    await asyncio.to_thread(fill)
