"""The files to deploy with do what they say, as far as it shows without a container engine."""

from __future__ import annotations

import asyncio
import configparser
import contextlib
import hashlib
import json
import re
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import redis
import yaml
from redis.backoff import NoBackoff
from redis.retry import Retry
from typer.main import get_command

from server import cli
from server.errors import SetupError
from server.settings import VARIABLES, Settings
from server.web import keys
from tests.support.services import haproxy, redis_server

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PROXY = DEPLOY / "haproxy.cfg"
DRAIN_S = 10  # at most, from the signal to a node's end

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
EMBEDDED: dict[str, Any] = yaml.safe_load((ROOT / "compose.embedded.yaml").read_text())
OBJECTS: dict[str, dict[str, Any]] = {
    made["kind"]: made
    for file in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for made in yaml.safe_load_all(file.read_text())
}
SERVICES = [
    pytest.param(service, id=f"{file['name']}-{name}")
    for file in (COMPOSE, EMBEDDED)
    for name, service in file["services"].items()
]


def check_command(words: list[str]) -> None:
    """It is a command of `subrosa` with flags that it has."""
    command = get_command(cli.cli).commands[words[0]]  # type: ignore[attr-defined]
    flags = {flag for parameter in command.params for flag in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= flags


# --- the image and compose -------------------------------------------------------------------


def test_the_image_is_made_from_what_there_is_and_runs_a_command_that_there_is() -> None:
    text = (ROOT / "Dockerfile").read_text()
    check_command(json.loads(re.findall(r"(?m)^CMD (\[.+\])$", text)[0]))
    copied = re.findall(r"(?m)^COPY (?!--from)(.+) \S+$", text)
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    let_through = {line[1:] for line in ignored if line.startswith("!")}
    assert set(" ".join(copied).split()) == let_through
    assert all((ROOT / name).exists() for name in let_through)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_told_what_it_knows_and_open_to_this_machine_alone(
    service: dict[str, Any],
) -> None:
    if service["image"] == "subrosa":
        assert set(service.get("environment", ())) <= set(VARIABLES.values())
        check_command(service.get("command", ["serve"]))
        if "migrate" not in service.get("command", ()):
            assert int(service["stop_grace_period"].removesuffix("s")) > DRAIN_S
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert "no-new-privileges:true" in service["security_opt"]


@pytest.mark.parametrize("file", [COMPOSE, EMBEDDED], ids=lambda file: file["name"])
def test_what_services_refer_to_is_there(file: dict[str, Any]) -> None:
    for service in file["services"].values():
        assert set(service.get("depends_on", ())) <= set(file["services"])
        assert set(service.get("networks", ())) <= set(file.get("networks", ()))
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            known = (ROOT / source).exists() if source[0] == "." else source in file["volumes"]
            assert known, volume


def test_no_password_is_in_compose_and_none_is_a_default() -> None:
    passwords = re.findall(r"\$\{\w*PASSWORD[^}]*\}", (ROOT / "compose.yaml").read_text())
    assert [":?" in password for password in passwords] == [True] * 5
    for service in COMPOSE["services"].values():
        for name, value in service.get("environment", {}).items():
            assert "PASSWORD" not in name or value.startswith("${"), name


def test_nodes_have_the_proxy_alone_in_front_and_start_after_the_migration() -> None:
    services = COMPOSE["services"]
    nodes = {name: it for name, it in services.items() if name.startswith("subrosa-")}
    assert len(nodes) >= 2
    told = services["proxy"]["environment"]
    addresses = {value for name, value in told.items() if name.startswith("NODE_")}
    assert addresses == {f"{name}:8000" for name in nodes}
    assert set(told) == set(re.findall(r'"\$\{(\w+)', PROXY.read_text()))
    for node in nodes.values():
        assert node["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
        assert node["depends_on"]["redis"]["condition"] == "service_started"  # down is degraded
        assert {"SUBROSA_DATABASE", "SUBROSA_REDIS"} <= set(node["environment"])
    assert not any("ports" in services[name] for name in ("postgres", "redis", *nodes))
    assert COMPOSE["networks"]["inside"]["internal"] is True


# --- systemd and Kubernetes ------------------------------------------------------------------


def test_the_unit_runs_a_command_that_there_is_and_waits_for_its_end() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "systemd" / "subrosa.service")
    service = unit["Service"]
    program, *words = service["ExecStart"].split()
    assert program.endswith("/bin/subrosa")
    check_command(words)
    assert int(service["TimeoutStopSec"]) > DRAIN_S
    assert f"/var/lib/{service['StateDirectory']}" == words[words.index("--data") + 1]


def pod(kind: str) -> dict[str, Any]:
    made: dict[str, Any] = OBJECTS[kind]["spec"]["template"]["spec"]
    return made


@pytest.mark.parametrize("kind", ["Deployment", "Job"])
def test_a_pod_is_told_what_it_knows(kind: str) -> None:
    # Links to services would set SUBROSA_PORT to something that is no port.
    assert pod(kind)["enableServiceLinks"] is False
    (container,) = pod(kind)["containers"]
    check_command(container["args"])
    assert {variable["name"] for variable in container["env"]} <= set(VARIABLES.values())
    assert container["image"] == pod("Deployment")["containers"][0]["image"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_a_rollout_leaves_no_session_without_a_node() -> None:
    spec = OBJECTS["Deployment"]["spec"]
    assert spec["replicas"] >= 2
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    (container,) = pod("Deployment")["containers"]
    probe = container["readinessProbe"]
    assert probe["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pause > probe["periodSeconds"] * probe["failureThreshold"]
    assert pod("Deployment")["terminationGracePeriodSeconds"] > pause + DRAIN_S


def test_what_selects_nodes_selects_nodes_alone() -> None:
    nodes, others = (
        OBJECTS[kind]["spec"]["template"]["metadata"]["labels"].items()
        for kind in ("Deployment", "Job")
    )
    for kind in ("Deployment", "PodDisruptionBudget", "Service"):
        selector = OBJECTS[kind]["spec"]["selector"]
        chosen = selector.get("matchLabels", selector).items()
        assert chosen <= nodes
        assert not chosen <= others


def test_the_example_of_a_secret_is_none(tmp_path: Path) -> None:
    values = OBJECTS["Secret"]["stringData"]
    assert set(values) <= set(VARIABLES.values())
    for name in ("SUBROSA_SIGNING_KEY", "SUBROSA_ADMIN_KEY"):
        with pytest.raises(SetupError, match="shorter than 32"):
            keys.load_or_make(tmp_path, "any.key", values[name])
    assert all(":PASSWORD@" in values[name] for name in ("SUBROSA_DATABASE", "SUBROSA_REDIS"))
    (source,) = pod("Deployment")["containers"][0]["envFrom"]
    assert source["secretRef"]["name"] == OBJECTS["Secret"]["metadata"]["name"]


# --- redis -----------------------------------------------------------------------------------

PASSWORD = "a password of this test"
PREFIX = getattr(Settings(), "redis_prefix", "subrosa:")


@pytest.fixture(scope="module")
def socket_file() -> Iterator[str]:
    """A Redis with the shipped files, on a socket file instead of a port."""
    with TemporaryDirectory() as directory:
        acl, sock = Path(directory, "users.acl"), Path(directory, "redis.sock")
        # As it is shipped, its one password is nobody's.
        users = (DEPLOY / "redis" / "users.acl").read_text().split(f" on #{'0' * 64} ")
        acl.write_text(f" on #{hashlib.sha256(PASSWORD.encode()).hexdigest()} ".join(users))
        assert len(users) == 2
        process = subprocess.Popen(
            [
                redis_server(), DEPLOY / "redis" / "redis.conf", "--aclfile", acl, "--port", "0",
                "--unixsocket", sock, "--dir", directory,
            ],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        with process:
            assert process.stdout is not None
            said = [""]
            while "eady to accept connections" not in said[-1]:
                said.append(process.stdout.readline())
                assert said[-1], said
            yield str(sock)
            process.kill()


@pytest.fixture
def node(socket_file: str) -> Iterator[redis.Redis]:
    """What a node may."""
    with redis.Redis(unix_socket_path=socket_file, username="subrosa", password=PASSWORD) as link:
        yield link


def test_a_node_publishes_and_subscribes_under_the_prefix(node: redis.Redis) -> None:
    channel = f"{PREFIX}member:ada"
    with node.pubsub() as listening:  # type: ignore[no-untyped-call]
        listening.subscribe(channel)
        assert listening.get_message(timeout=5)["type"] == "subscribe"
        assert node.publish(channel, b"\x00news") == 1
        assert listening.get_message(timeout=5)["data"] == b"\x00news"
        listening.ping()
        assert listening.get_message(timeout=5)["type"] == "pong"
        listening.unsubscribe(channel)
        assert listening.get_message(timeout=5)["type"] == "unsubscribe"
    assert node.ping()


@pytest.mark.parametrize(
    "command",
    [
        "PUBLISH other:member:ada x", "SUBSCRIBE other:member:ada", "SUBSCRIBE *",
        "PSUBSCRIBE subrosa:*", "SPUBLISH subrosa:x x", "SSUBSCRIBE subrosa:x", "PUBSUB CHANNELS",
        "GET subrosa:x", "SET subrosa:x 1", "DEL subrosa:x", "KEYS *", "SCAN 0", "EVAL return 0",
        "INFO", "CONFIG GET *", "CONFIG SET dir /", "ACL LIST", "ACL SETUSER me on nopass +@all",
        "CLIENT LIST", "CLIENT KILL TYPE pubsub", "MONITOR", "FLUSHALL",
        "SHUTDOWN", "REPLICAOF 127.0.0.1 1", "MODULE LIST", "SAVE", "COMMAND",
    ],
)  # fmt: skip
def test_a_node_may_do_nothing_else(node: redis.Redis, command: str) -> None:
    with pytest.raises(redis.exceptions.NoPermissionError):
        node.execute_command(*command.split())  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    "who", [{}, {"username": "default", "password": ""}, {"username": "subrosa", "password": "0"}]
)
def test_nobody_else_is_let_in(socket_file: str, who: dict[str, str]) -> None:
    once = Retry(NoBackoff(), 0)
    with redis.Redis(unix_socket_path=socket_file, retry=once, **who) as link:  # type: ignore[arg-type]
        with pytest.raises((redis.exceptions.AuthenticationError, redis.exceptions.ResponseError)):
            link.ping()


# --- the proxy -------------------------------------------------------------------------------


UPGRADE = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-"
SESSION = f"GET /ws HTTP/1.1\r\n{UPGRADE}Key: dGhlIHNhbXBsZSBub25jZQ=="
OPENED = f"HTTP/1.1 101 Yes\r\n{UPGRADE}Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"


class Node:
    """Stands in for a node: it is ready or drains, echoes sessions, remembers what was asked."""

    def __init__(self) -> None:
        self.ready = True
        self.asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            if "/readyz" not in head:
                self.asked.append(head)
            if self.ready and "websocket" in head:
                writer.write(OPENED.encode())
                while piece := await reader.read(100):
                    writer.write(piece)
            else:
                status = b"200 OK" if self.ready else b"503 No"
                writer.write(b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status)
        writer.close()


@dataclass
class Proxied:
    """The proxy with the shipped file, in front of two nodes."""

    nodes: list[Node]
    said: asyncio.StreamReader
    public: int
    operator: int
    opened: list[asyncio.StreamWriter] = field(default_factory=list)

    async def ask(self, head: str, port: int = 0) -> tuple[str, Any, asyncio.StreamWriter]:
        """The status that a request is answered with, and its connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port or self.public)
        self.opened.append(writer)
        writer.write(f"{head}\r\nHost: chat\r\n\r\n".encode())
        return (await reader.readuntil(b"\r\n\r\n")).decode().split()[1], reader, writer

    async def until(self, text: str) -> None:
        """Wait for a line of its log."""
        while text not in (line := (await self.said.readline()).decode()):
            assert line, text


@pytest.fixture
async def proxied() -> AsyncIterator[Proxied]:
    nodes = [Node(), Node()]
    servers = [await asyncio.start_server(node.serve, "127.0.0.1", 0) for node in nodes]
    with socket.create_server(("127.0.0.1", 0)) as a, socket.create_server(("127.0.0.1", 0)) as b:
        sockets = [server.sockets[0] for server in servers] + [a, b]
        ports = [each.getsockname()[1] for each in sockets]
    told = zip(("NODE_1", "NODE_2", "PUBLIC", "OPERATOR"), ports, strict=True)
    process = await asyncio.create_subprocess_exec(
        haproxy(), "-db", "-f", PROXY, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL, env={name: f"127.0.0.1:{port}" for name, port in told},
    )  # fmt: skip
    assert process.stdout is not None
    front = Proxied(nodes, process.stdout, *ports[2:])
    try:
        status = ""
        while status != "404":  # it does not listen yet
            with contextlib.suppress(ConnectionRefusedError):
                status, _, _ = await front.ask("GET /lab HTTP/1.1")
            await asyncio.sleep(0.01)
        yield front
    finally:
        process.kill()
        await process.communicate()
        for writer in front.opened:
            writer.close()
        for server in servers:
            server.close()
            await server.wait_closed()


def test_the_proxys_file_is_valid() -> None:
    told = {"NODE_1": "127.0.0.1:8101", "NODE_2": "node-2.invalid:8000"}
    command = [str(haproxy()), "-c", "-f", str(PROXY)]
    run = subprocess.run(command, env=told, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    # A name that is not known yet is looked up again, and nothing else is amiss.
    amiss = re.findall(r"\[(?:WARNING|ALERT)].*", run.stderr)
    assert all("could not resolve address 'node-2.invalid'" in line for line in amiss), amiss


async def test_a_session_goes_both_ways_and_its_claims_do_not(proxied: Proxied) -> None:
    claims = "X-Forwarded-For: 192.0.2.9\r\nForwarded: for=192.0.2.9\r\nX-Real-IP: 192.0.2.9"
    status, reader, writer = await proxied.ask(f"{SESSION}\r\n{claims}")
    assert status == "101"
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    (head,) = [head for node in proxied.nodes for head in node.asked]
    assert "x-forwarded-for: 127.0.0.1\r\n" in head.lower()
    assert "192.0.2.9" not in head


async def test_a_draining_node_keeps_its_sessions_and_gets_none(proxied: Proxied) -> None:
    _, reader, writer = await proxied.ask(SESSION)
    drains, goes_on = sorted(proxied.nodes, key=lambda node: not node.asked)
    drains.ready = False
    # Before the proxy knows: who is refused there is let in at the other one.
    assert [(await proxied.ask(SESSION))[0] for _ in range(4)] == ["101"] * 4
    await proxied.until("is DOWN")
    before = len(drains.asked)
    assert [(await proxied.ask(SESSION))[0] for _ in range(4)] == ["101"] * 4
    assert (len(drains.asked), len(goes_on.asked)) == (before, 8)
    writer.write(b"still here")
    assert await reader.readexactly(10) == b"still here"
    drains.ready = True
    await proxied.until("is UP")
    await proxied.ask(SESSION)
    assert len(drains.asked) == before + 1  # it has the fewest


async def test_a_command_is_not_repeated(proxied: Proxied) -> None:
    for node in proxied.nodes:
        node.ready = False
    status, _, _ = await proxied.ask("POST /v1/message.send HTTP/1.1\r\nContent-Length: 0")
    assert status == "503"
    assert sum("message.send" in head for node in proxied.nodes for head in node.asked) == 1


@pytest.mark.parametrize("path", ["/metrics", "/%6detrics", "/lab", "/admin/v1/batch", "/LAB/"])
async def test_what_is_the_operators_is_not_for_members(proxied: Proxied, path: str) -> None:
    expected = "200" if path.startswith("/admin/v1/") else "404"
    assert (await proxied.ask(f"GET {path} HTTP/1.1"))[0] == "404"
    assert (await proxied.ask(f"GET {path} HTTP/1.1", proxied.operator))[0] == expected
