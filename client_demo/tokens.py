"""Where a client's token comes from: a fixed text, or a function that is asked when one is due.

A function is asked at the first connection, ahead of the expiry, and after the server said that
the token has expired; in between, reconnecting reuses what it gave.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable

Source = str | Callable[[], str | Awaitable[str]]


class Tokens:
    """A token, and how to get the next."""

    def __init__(self, source: Source) -> None:
        """A function may be plain or async. It raises TokenUnavailable or OSError where asking
        again later may help; any other ClientError ends the session, anything else the client."""
        self._source = source
        self._token = ""

    @property
    def renewable(self) -> bool:
        """Whether there can be another one."""
        return not isinstance(self._source, str)

    async def current(self) -> str:
        """The present token; a function is asked for the first one."""
        return self._token or await self.fresh()

    async def fresh(self) -> str:
        """The next token, in place of the present one."""
        if isinstance(self._source, str):
            token = self._source
        else:
            given = self._source()
            token = await given if inspect.isawaitable(given) else given
        self._token = token.strip()
        return self._token

    def forget(self) -> None:
        """The present token is of no more use."""
        self._token = ""
