"""The command line and the settings, each as a process of its own."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from tests.support.careful_peer import HttpPeer, refused
from tests.support.nursery import ROOT, Nursery


def key_of(data: Path, name: str = "admin.key") -> str:
    return (data / name).read_text().strip()


def lines(path: Path, *commands: Any) -> str:
    path.write_text("".join(f"{json.dumps(command)}\n" for command in commands))
    return str(path)


def put(member: str, **more: Any) -> dict[str, Any]:
    return {"cmd": "member.put", "params": {"id": member, "name": member, **more}}


async def fails(nursery: Nursery, *arguments: str, **environment: str) -> str:
    """The one line that a command ends with."""
    code, out, err = await nursery.run(*arguments, **environment)
    assert code not in (0, -9), (code, out, err)
    said = [line for line in (out + err).splitlines() if line.strip()]
    assert len(said) == 1, said
    assert "Traceback" not in said[0]
    return said[0]


async def test_the_first_start_makes_what_a_deployment_needs(
    nursery: Nursery, tmp_path: Path
) -> None:
    data = tmp_path / "deep" / "data"
    async with nursery.serving(data) as (_, base):
        assert {"subrosa.db", "signing.key", "admin.key"} <= {p.name for p in data.iterdir()}
        for path in data.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        keys = [key_of(data, name) for name in ("signing.key", "admin.key")]
        assert keys[0] != keys[1]
        assert all(len(key) >= 32 for key in keys)
        assert httpx.get(f"{base}/healthz", trust_env=False).status_code == 200
    async with nursery.serving(data):
        assert keys == [key_of(data, name) for name in ("signing.key", "admin.key")]


async def test_what_is_wrong_is_said_in_one_line(nursery: Nursery, tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    for arguments, words in (
        (["serve", "--nope"], "--nope"),
        (["serve", "--port", "many"], "--port"),
        (["serve", "--port", "70000"], "port"),
        (["serve", "--port", "-1"], "port"),
        (["serve", "--workers", "0"], "workers"),
        (["serve", "--workers", "2"], "--redis"),
        (["serve", "--demo", "--host", "0.0.0.0"], "--demo"),
        (["serve", "--demo", "--host", "example.org"], "--demo"),
        (["serve", "--host", "192.0.2.1"], "192.0.2.1"),
        (["serve", "--database", "nonsense"], "--database"),
        (["serve", "extra"], "extra"),
        (["token"], "member"),
        (["token", "a b", "--data", data], "a b"),
        (["token", "ada", "--ttl", "86401", "--data", data], "ttl"),
        (["token", "ada", "--ttl", "0", "--data", data], "ttl"),
        (["import"], "file"),
        (["import", str(tmp_path / "missing"), "--data", data], "missing"),
        (["no-such-command"], "no-such-command"),
    ):
        assert words in (await fails(nursery, *arguments)).lower().replace("'", ""), arguments


async def test_a_port_in_use_is_said_in_one_line(nursery: Nursery, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = await fails(nursery, "serve", "--port", port, "--data", str(tmp_path))
        assert port in said
        assert "in use" in said


async def test_a_directory_is_held_by_one_server(nursery: Nursery, tmp_path: Path) -> None:
    async with nursery.serving(tmp_path) as (_, base):
        said = await fails(nursery, "serve", "--port", "0", "--data", str(tmp_path))
        assert str(tmp_path) in said
        assert base in said
    async with nursery.serving(tmp_path):  # a lock ends with its process, even a killed one
        pass


async def test_keys_that_others_may_read_or_that_are_too_short_are_not_used(
    nursery: Nursery, tmp_path: Path
) -> None:
    await nursery.run("token", "ada", "--data", str(tmp_path))
    path = tmp_path / "signing.key"
    path.chmod(0o640)
    assert "signing.key" in await fails(nursery, "token", "ada", "--data", str(tmp_path))
    path.chmod(0o600)
    path.write_text("short")
    assert "signing.key" in await fails(nursery, "token", "ada", "--data", str(tmp_path))
    for name in ("SIGNING", "ADMIN"):
        said = await fails(
            nursery, "serve", "--data", str(tmp_path / name), **{f"SUBROSA_{name}_KEY": "secret1"}
        )
        assert "secret1" not in said


async def test_a_token_from_the_command_line_lets_in(nursery: Nursery, tmp_path: Path) -> None:
    await nursery.run("import", lines(tmp_path / "f", put("ada")), "--data", str(tmp_path / "d"))
    code, token, _ = await nursery.run("token", "ada", "--data", str(tmp_path / "d"), "--ttl", "60")
    assert code == 0
    told = jwt.decode(token.strip(), key_of(tmp_path / "d", "signing.key"), algorithms=["HS256"])
    assert (told["sub"], round(told["exp"] - told["iat"])) == ("ada", 60)
    async with nursery.serving(tmp_path / "d") as (_, base):
        async with HttpPeer(base, token.strip()) as ada:
            assert (await ada.call("settings.get"))["receipts"] is True


async def test_import_carries_out_a_file(nursery: Nursery, tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    path = tmp_path / "file"
    good = lines(path, put("ada"), put("grace"),
                 {"cmd": "connection.put", "params": {"a": "ada", "b": "grace"}})  # fmt: skip
    code, out, err = await nursery.run("import", good, "--data", data)
    assert (code, err) == (0, "")
    assert "3 of 3" in out
    path.write_text(f"\n{json.dumps(put('a b'))}\n\n{json.dumps(put('linus'))}\n")
    code, out, err = await nursery.run("import", str(path), "--data", data)
    assert code != 0
    assert "1 of 2" in out
    assert err.startswith("line 2: ")
    for junk in ("nonsense", "[1]", '{"cmd": 1}', '{"params": {}}', "[" * 100_000):
        path.write_text(f"{json.dumps(put('eve'))}\n{junk}\n")
        assert "line 2" in await fails(nursery, "import", str(path), "--data", data)
    path.write_text(json.dumps(put("mary", headline="a\u2028b"), ensure_ascii=False))
    assert (await nursery.run("import", str(path), "--data", data))[0] == 0
    async with nursery.serving(Path(data)) as (_, base):
        async with HttpPeer(base, key=key_of(Path(data))) as operator:
            for member, there in (("ada", True), ("linus", True), ("mary", True), ("eve", False)):
                issued = operator.call("token.issue", member=member)
                if there:
                    await issued
                else:
                    issued.close()
                    assert (await refused(operator, "token.issue", member=member))["code"]


async def test_import_to_a_held_directory_goes_to_its_server(
    nursery: Nursery, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    async with nursery.serving(data) as (_, base):
        # More than one batch; most of it is refused, since each that is not is synced to disk.
        some = [{"cmd": "no.such"}] * 1_000 + [put("a b"), put("ada"), put("grace")]
        code, out, err = await nursery.run(
            "import", lines(tmp_path / "file", *some), "--data", str(data)
        )
        assert code != 0
        assert "2 of 1003" in out
        assert err.splitlines()[1_000].startswith("line 1001: ")
        assert len(err.splitlines()) == 1_001
        async with HttpPeer(base, key=key_of(data)) as operator:
            await operator.call("token.issue", member="grace")
        # With another key than the server's it is not taken.
        code, _, err = await nursery.run(
            "import", lines(tmp_path / "file", put("x")), "--data", str(data),
            SUBROSA_ADMIN_KEY="k" * 40,
        )  # fmt: skip
        assert code != 0
        assert len(err.splitlines()) == 1
        assert "k" * 40 not in err


async def test_a_flag_is_over_the_environment_is_over_the_default(
    nursery: Nursery, tmp_path: Path
) -> None:
    (tmp_path / "policy.toml").write_text("sessions_per_member = 1\nbody_characters = 5\n")
    environment = {
        "SUBROSA_PORT": "1", "SUBROSA_HOST": "192.0.2.1", "SUBROSA_DATA": str(tmp_path / "no"),
        "SUBROSA_POLICY": str(tmp_path / "policy.toml"), "SUBROSA_ADMIN_KEY": "a" * 40,
        "SUBROSA_SIGNING_KEY": "s" * 40, "SUBROSA_ORIGINS": "https://one.example, https://two.example",
        "SUBROSA_RATE_LIMITS": "off", "SUBROSA_LOG_LEVEL": "error",
    }  # fmt: skip
    data = tmp_path / "data"
    async with nursery.serving(data, "--host", "127.0.0.1", **environment) as (_, base):
        assert not (tmp_path / "no").exists()
        assert not (data / "admin.key").exists()
        async with HttpPeer(base, key="a" * 40) as operator:
            await operator.call("member.put", id="ada", name="Ada")
            await operator.call("member.put", id="grace", name="Grace")
            await operator.call("connection.put", a="ada", b="grace")
            token = (await operator.call("token.issue", member="ada"))["token"]
        jwt.decode(token, "s" * 40, algorithms=["HS256"])
        async with HttpPeer(base, token) as ada:
            for _ in range(150):  # more than the rate allows at once
                await ada.call("settings.get")
            error = await refused(ada, "message.send", to="grace", body="123456", client_id="1")
            assert error["field"] == "body"
        upgrade = {"upgrade": "websocket", "connection": "upgrade", "sec-websocket-version": "13",
                   "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="}  # fmt: skip
        for origin, status in (("https://two.example", 400), ("https://three.example", 403)):
            answer = httpx.get(f"{base}/ws", headers={**upgrade, "origin": origin}, trust_env=False)
            assert answer.status_code == status
    code, token, _ = await nursery.run("token", "ada", "--data", str(data), **environment)
    assert (code, jwt.decode(token.strip(), "s" * 40, algorithms=["HS256"])["sub"]) == (0, "ada")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SUBROSA_PORT", "many"),
        ("SUBROSA_WORKERS", "x"),
        ("SUBROSA_DEMO", "perhaps"),
        ("SUBROSA_RATE_LIMITS", "slow"),
        ("SUBROSA_ORIGINS", "example.org"),
        ("SUBROSA_ORIGINS", "https://example.org/path"),
        ("SUBROSA_LOG_LEVEL", "loud"),
        ("SUBROSA_TOKEN_PUBLIC_KEY", "missing.pem"),
        ("SUBROSA_POLICY", "missing.toml"),
    ],
)
async def test_a_wrong_variable_is_named(
    nursery: Nursery, tmp_path: Path, variable: str, value: str
) -> None:
    said = await fails(nursery, "serve", "--data", str(tmp_path), **{variable: value})
    assert variable in said or value in said


async def test_what_is_wrong_in_a_policy_file_is_named(nursery: Nursery, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    for text, words in (
        ("sessions_per_member = 0", "sessions_per_member"),
        ("sessions_per_member = 'many'", "sessions_per_member"),
        ("sessions_per_membr = 5", "sessions_per_membr"),
        ("participants_per_conversation = -1", "participants_per_conversation"),
        ("rate_send = { per_second = 0, burst = 1 }", "per_second"),
        ("rate_send = 5", "rate_send"),
        ("not toml", "policy.toml"),
        ("\udcff", "policy.toml"),
    ):
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        said = await fails(
            nursery, "serve", "--port", "0", "--data", str(tmp_path), SUBROSA_POLICY=str(path)
        )
        assert words in said, said


async def test_demo_has_members_and_gives_their_tokens_on_loopback_alone(
    nursery: Nursery, tmp_path: Path
) -> None:
    async with nursery.serving(tmp_path / "demo", "--demo") as (_, base):
        async with HttpPeer(base) as http:
            token = (await http.post("/demo/token", b'{"member": "ada"}'))["token"]
            for body in (b"{}", b'{"member": "nobody"}', b'{"member": 5}'):
                answer = await http.post("/demo/token", body)
                assert (answer["error"]["code"], http.status) == ("invalid", 400)
        async with HttpPeer(base, token) as ada:
            talks = (await ada.call("conversation.list", limit=200))["conversations"]
            assert {c["kind"] for c in talks} == {"one_to_one", "several"}
            assert len((await ada.call("connection.list", limit=200))["members"]) >= 5
    async with nursery.serving(tmp_path / "plain") as (_, base):
        refused = httpx.post(f"{base}/demo/token", json={"member": "ada"}, trust_env=False)
        assert refused.status_code == 404
        assert "token" not in refused.text


async def test_nothing_secret_is_in_the_log(nursery: Nursery, tmp_path: Path) -> None:
    flags = {"SUBROSA_LOG_LEVEL": "debug"}
    async with nursery.serving(tmp_path, **flags) as (child, base):
        key = key_of(tmp_path)
        async with HttpPeer(base, key=key) as operator:
            for member in ("ada", "grace"):
                await operator.call("member.put", id=member, name=member)
            await operator.call("connection.put", a="ada", b="grace")
            token = (await operator.call("token.issue", member="ada"))["token"]
        async with HttpPeer(base, token) as ada:
            await ada.call("message.send", to="grace", body="a canary's song", client_id="1")
            await refused(ada, "message.send", to="grace", body="a canary's song", client_id="")
            await ada.post("/v1/message.send", b'{"body": "a canary\'s so')
        async with HttpPeer(base, token + "x") as nobody:
            await nobody.post("/v1/settings.get", b"{}")
        await child.kill()
        log = (await child.err.read()).decode()
        for line in log.splitlines():
            assert type(json.loads(line)) is dict
        for secret in (
            "canary",
            token,
            token.rsplit(".", 1)[1],
            key,
            key_of(tmp_path, "signing.key"),
        ):
            assert secret not in log


def test_the_module_is_the_same_program() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "server", "serve", "--nope"], cwd=ROOT, capture_output=True,
        text=True, check=False, timeout=30,
    )  # fmt: skip
    assert run.returncode == 2
    assert run.stderr == "subrosa: No such option: --nope\n"
