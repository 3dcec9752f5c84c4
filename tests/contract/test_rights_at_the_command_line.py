"""`subrosa export` and `subrosa audit`, and an erasure that a crash cuts short."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import stat
from pathlib import Path
from typing import Any

from tests.contract.test_running import fails, key_of, lines, put
from tests.support.careful_peer import HttpPeer
from tests.support.nursery import Nursery
from tests.support.traces import bytes_of

CONNECT = {"cmd": "connection.put", "params": {"a": "ada", "b": "grace"}}


async def made(nursery: Nursery, folder: Path, *more: dict[str, Any]) -> Path:
    """A data directory with two members who know each other."""
    file = lines(folder / "members", put("ada", headline="Engineer"), put("grace"), CONNECT, *more)
    code, _, err = await nursery.run("import", file, "--data", str(folder / "data"))
    assert (code, err) == (0, "")
    return folder / "data"


async def test_export_writes_one_document_for_its_owner_alone(
    nursery: Nursery, tmp_path: Path
) -> None:
    data = await made(nursery, tmp_path)
    out = tmp_path / "ada.json"
    out.write_text("what was there before")
    out.chmod(0o644)
    code, said, err = await nursery.run("export", "ada", "--data", str(data), "--out", str(out))
    assert (code, err) == (0, "")
    assert str(out) in said
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    document = json.loads(out.read_text())
    assert document["member"] == "ada"
    assert document["from_ms"] <= document["to_ms"]
    assert document["sections"]["profile"][0]["headline"] == "Engineer"
    assert [one["member"] for one in document["sections"]["connections"]] == ["grace"]
    assert {p.name for p in tmp_path.iterdir()} == {"ada.json", "members", "data"}
    code, said, err = await nursery.run("export", "ada", "--data", str(data))
    assert (code, err) == (0, "")
    assert json.loads(said)["sections"] == document["sections"]
    for arguments, words in (
        (["export"], "member"),
        (["export", "nobody", "--data", str(data)], "no such member"),
        (["export", "a b", "--data", str(data)], "id"),
        (["export", "ada", "--data", str(data), "--out", str(tmp_path / "no" / "x")], "no/x"),
        (["audit", "--data", str(data), "--since", "lately"], "lately"),
        (["audit", "--data", str(data), "--member", "a b"], "member"),
    ):
        assert words in (await fails(nursery, *arguments)).lower(), arguments
    assert not list(tmp_path.glob("*.part"))


async def test_both_ask_the_server_that_holds_the_directory(
    nursery: Nursery, tmp_path: Path
) -> None:
    data = await made(nursery, tmp_path)
    async with nursery.serving(data) as (_, base):
        async with HttpPeer(base, key=key_of(data)) as operator:
            token = (await operator.call("token.issue", member="ada"))["token"]
        async with HttpPeer(base, token) as ada:
            for number in range(5):
                body = f"m{number} €"
                await ada.call("message.send", to="grace", body=body, client_id=f"{number}")
        code, said, err = await nursery.run("export", "ada", "--data", str(data))
        assert (code, err) == (0, "")
        messages = json.loads(said)["sections"]["messages"]
        assert [message["body"] for message in messages] == [f"m{n} €" for n in range(5)]
        code, said, err = await nursery.run(
            "audit", "--data", str(data), "--member", "ada", "--since", "1h", "--json"
        )
        assert (code, err) == (0, "")
        found = [json.loads(line) for line in said.splitlines()][::-1]
        assert [e["cmd"] for e in found][:3] == ["member.put", "connection.put", "token.issue"]
        assert {e["cmd"] for e in found[3:]} == {"member.export"}
        assert token not in said
        code, said, err = await nursery.run("audit", "--data", str(data), COLUMNS="160")
        assert (code, err) == (0, "")
        for word in ("token.issue", "ada, grace", "made: True", "operator", "section: messages"):
            assert word in said
        assert "no such member" in await fails(nursery, "export", "nobody", "--data", str(data))
        wrong = await fails(nursery, "audit", "--data", str(data), SUBROSA_ADMIN_KEY="k" * 40)
        assert "k" * 40 not in wrong


async def test_an_erasure_that_is_killed_in_the_midst_is_finished_by_the_next_start(
    nursery: Nursery, tmp_path: Path
) -> None:
    (tmp_path / "policy.toml").write_text('erase_messages = "tombstone"\n')
    environment = {"SUBROSA_POLICY": str(tmp_path / "policy.toml"), "SUBROSA_RATE_LIMITS": "off"}
    data = await made(nursery, tmp_path)
    count, place = 1_500, ""
    async with nursery.serving(data, **environment) as (child, base):
        async with HttpPeer(base, key=key_of(data)) as operator:
            tokens = {
                member: (await operator.call("token.issue", member=member))["token"]
                for member in ("ada", "grace")
            }
            async with HttpPeer(base, tokens["ada"]) as ada:
                sends = [
                    ada.call("message.send", to="grace", body=f"canary {n}", client_id=f"c{n}")
                    for n in range(count)
                ]
                for start in range(0, count, 50):
                    for sent in await asyncio.gather(*sends[start : start + 50]):
                        place = sent["conversation"]
            await operator.call("member.erase", id="ada")
            while not 0 < left(data) < count:
                await asyncio.sleep(0)
            await child.kill()
    assert 0 < left(data) < count, "it was killed in the midst"
    async with nursery.serving(data, **environment) as (child, base):
        while "complete" not in await outcomes(base, data):
            await asyncio.sleep(0.02)
        async with HttpPeer(base, tokens["grace"]) as grace:
            page = await grace.call("conversation.history", conversation=place, limit=200)
            assert {(m["sender"], m.get("body")) for m in page["messages"]} == {
                ("erased.member", None)
            }
            got = await grace.call("conversation.get", conversation=place)
            assert (got["seq"], got["unread"]) == (count, 0)
        while "canary" in bytes_of(data / "subrosa.db"):
            await asyncio.sleep(0.02)
    assert left(data) == 0
    begun = [entry for entry in await outcomes_of_file(nursery, data) if entry == "begun"]
    assert begun == ["begun"]


def left(data: Path) -> int:
    """How many messages still say something."""
    database = sqlite3.connect(f"file:{data / 'subrosa.db'}?mode=ro", uri=True)
    try:
        return int(database.execute("SELECT count(*) FROM message WHERE body != ''").fetchone()[0])
    finally:
        database.close()


async def outcomes(base: str, data: Path) -> list[str]:
    """What the audit log of a running server says of erasures."""
    async with HttpPeer(base, key=key_of(data)) as operator:
        page = await operator.call("audit.list", limit=200)
    return [e["outcome"] for e in page["entries"] if e["cmd"] == "member.erase"]


async def outcomes_of_file(nursery: Nursery, data: Path) -> list[str]:
    """The same of a directory that no server holds."""
    _, said, _ = await nursery.run("audit", "--data", str(data), "--json")
    found = [json.loads(line) for line in said.splitlines()]
    return [entry["outcome"] for entry in found if entry["cmd"] == "member.erase"]
