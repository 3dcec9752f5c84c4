"""The operator's commands given to a running server: for the command line, which finds a directory
held by one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

import httpx

from server.errors import SetupError

Map = dict[str, Any]
Operate = Callable[[str, Map], Awaitable[Map]]
"""Carries out one command. Raises a `SubrosaError` whose words are for a person."""

LONGEST_S = 120.0


class RemoteOperator:
    """Whoever has the admin key of the server at an address. A context."""

    def __init__(self, address: str, key: str) -> None:
        self._address = address
        # It is this machine's own, without TLS: no proxy between, and no certificates to read.
        self._http = httpx.AsyncClient(
            base_url=address,
            headers={"X-API-Key": key},
            timeout=LONGEST_S,
            trust_env=False,
            verify=False,  # noqa: S501
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def call(self, cmd: str, params: Map) -> Map:
        """A command's result. Raises `SetupError`, with the server's words where it refused."""
        try:
            answer = (await self._http.post(f"/admin/v1/{cmd}", json=params)).json()
            result: Map = answer.get("result", {})
            error: Map | None = answer.get("error")
        except (httpx.HTTPError, ValueError, TypeError, AttributeError) as reason:
            why = str(reason).partition("\n")[0]
            raise SetupError(f"the server at {self._address} did not answer: {why}") from None
        if error is not None:
            raise SetupError(f"the server at {self._address} refused: {error.get('message')}")
        return result
