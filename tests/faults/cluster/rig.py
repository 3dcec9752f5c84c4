"""A cluster of real processes: nodes over one PostgreSQL and one Redis, each behind its proxies.

`Services` lasts for all cells of a test process: PostgreSQL, Redis, the nursery, the data directory
with the keys, and a database with the cast in it that every cell gets a copy of. `Cluster` is one
cell's: its nodes, each with its own links, and tokens and operator's commands for the clients.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import jwt

from tests.faults.cluster.links import PostgresLink, RedisLink, Tap
from tests.support.nursery import PREPARED, Child, Nursery
from tests.support.postgres_service import Postgres
from tests.support.redis_service import RedisService

TEMPLATE = "cast"
HOUR_S = 3600.0
_numbers = itertools.count(1)


class Services:
    """What all cells of a process share; `places` are the cast's conversations by id."""

    def __init__(
        self, nursery: Nursery, postgres: Postgres, redis: RedisService, data: Path
    ) -> None:
        self.nursery, self.postgres, self.redis, self.data = nursery, postgres, redis, data
        self.places: dict[str, str] = {}

    @property
    def signing_key(self) -> str:
        """The deployment's, which tokens are made with."""
        return (self.data / "signing.key").read_text().strip()

    @property
    def admin_key(self) -> str:
        """The operator's."""
        return (self.data / "admin.key").read_text().strip()


@contextmanager
def services(nursery: Nursery) -> Iterator[Services]:
    """PostgreSQL, Redis and a data directory, gone at the end."""
    data = Path(tempfile.mkdtemp(prefix="subrosa-cluster-"))
    try:
        with Postgres() as postgres, RedisService() as redis:
            yield Services(nursery, postgres, redis, data)
    finally:
        shutil.rmtree(data)


class Node:
    """One node of a cluster: its process and its links. `up` says whether clients should try it."""

    def __init__(self, cluster: Cluster, number: int) -> None:
        self.number = number
        self.up = False
        self.url = ""
        self.child: Child | None = None
        self.postgres: PostgresLink
        self.redis: RedisLink
        self._cluster = cluster
        self._complaints: list[asyncio.Task[bytes]] = []

    async def start(self) -> None:
        """Start a process in this place."""
        cluster = self._cluster
        services = cluster.services
        environment = {"SUBROSA_RATE_LIMITS": "off", "SUBROSA_LOG_LEVEL": "warning",
                       "SUBROSA_REDIS_PREFIX": f"{cluster.database}:"}  # fmt: skip
        if cluster.prepared:
            environment[PREPARED] = ",".join(cluster.prepared)
        environment |= cluster.environment
        url = services.postgres.url(cluster.database)
        self.child = await services.nursery.start(
            "serve", "--port", "0", "--data", str(services.data),
            "--database", url.replace(f":{services.postgres.port}/", f":{self.postgres.port}/"),
            "--redis", services.redis.url(port=self.redis.port), **environment,
        )  # fmt: skip
        self.url = await self.child.address()
        # Its pipe must not fill: a node that complains would stand still.
        self._complaints.append(asyncio.create_task(self.child.err.read()))
        self.up = True

    async def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End its process, if there is one, and wait for its end."""
        self.up = False
        child, self.child = self.child, None
        if child is not None:
            await child.kill(how)
            child.close()

    def send(self, how: signal.Signals) -> None:
        """Send its process a signal."""
        assert self.child is not None
        os.kill(self.child.pid, how)

    async def drain(self) -> None:
        """Have it go in order, and wait until it is gone."""
        await self.kill(signal.SIGTERM)

    async def complaints(self) -> str:
        """What its processes have logged; to be asked for when they are gone."""
        return b"".join(await asyncio.gather(*self._complaints)).decode(errors="replace")


class Cluster:
    """One cell's nodes, over a database of their own; an async context.

    `prepared` names what is done in each forked node before it runs, `environment` is for that;
    `keep` names a database that is there already and stays.
    """

    def __init__(
        self, services: Services, nodes: int, *, keep: str = "",
        prepared: tuple[str, ...] = (), environment: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.services = services
        self.prepared, self.environment = prepared, environment or {}
        self.database = keep or f"cell_{next(_numbers)}"
        self.tap = Tap()
        self.nodes = [Node(self, number) for number in range(nodes)]
        self.log = ""
        self.token_age_s = 0.0  # tokens are made to look so old, where clocks are set back
        self.before_start: Callable[[], None] | None = None
        self._keep = bool(keep)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        postgres, redis = self.services.postgres, self.services.redis
        if not self._keep:
            await asyncio.to_thread(postgres.create_database, self.database, TEMPLATE)
        try:
            for node in self.nodes:
                node.postgres = await self._stack.enter_async_context(
                    PostgresLink(postgres.port, node.number, self.tap)
                )
                node.redis = await self._stack.enter_async_context(
                    RedisLink(redis.port, node.number, self.tap)
                )
            if self.before_start is not None:
                await asyncio.to_thread(self.before_start)
            await self.nodes[0].start()
            await asyncio.gather(*(node.start() for node in self.nodes[1:]))
            self.http = await self._stack.enter_async_context(
                httpx.AsyncClient(
                    headers={"X-API-Key": self.services.admin_key}, trust_env=False, timeout=10
                )
            )
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # In order where the database stays: the lease of a killed node would be waited for.
        how = signal.SIGTERM if self._keep else signal.SIGKILL
        await asyncio.gather(*(node.kill(how) for node in self.nodes))
        self.log = "".join([await node.complaints() for node in self.nodes])
        await self._stack.aclose()
        if not self._keep:
            await asyncio.to_thread(self.services.postgres.drop_database, self.database)

    @property
    def live(self) -> list[Node]:
        """Nodes that clients should try."""
        return [node for node in self.nodes if node.up]

    def token(self, member: str) -> tuple[str, float]:
        """A member's new token, and from when it is."""
        issued = time.time() - self.token_age_s
        claims = {"sub": member, "iat": issued, "exp": issued + 6 * HOUR_S,
                  "jti": secrets.token_urlsafe(9)}  # fmt: skip
        return jwt.encode(claims, self.services.signing_key, algorithm="HS256"), issued

    async def operate(self, cmd: str, node: Node | None = None, **params: Any) -> dict[str, Any]:
        """An operator's command, at this node or any that is up. Raises httpx's errors."""
        at = node or self.live[0]
        answer = await self.http.post(f"{at.url}/admin/v1/{cmd}", json=params)
        body: dict[str, Any] = answer.json()
        return body

    async def until_operated(
        self, cmd: str, choose: Callable[[], Node], **params: Any
    ) -> dict[str, Any]:
        """The same, repeated until there is a result."""
        while True:
            try:
                async with asyncio.timeout(8):
                    body = await self.operate(cmd, choose(), **params)
                if "result" in body:
                    result: dict[str, Any] = body["result"]
                    return result
                if not body["error"]["retryable"]:
                    raise AssertionError(f"{cmd} {params}: {body['error']}")
            except (httpx.HTTPError, TimeoutError):
                pass
            await asyncio.sleep(0.05)
