"""A sample member's token from a demonstration server, which gives one to who asks.

A real server has no such address: there, the network's own backend signs its members' tokens.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx

from client_demo.errors import ClientError, TokenUnavailable

ANSWER_S = 10.0


class NoDemoToken(ClientError):
    """This server gives no sample tokens, or knows no such member."""


def demo_token(url: str, member: str) -> Callable[[], Awaitable[str]]:
    """A token source for `Client`: asks `POST {url}/demo/token` each time a token is due.

    What it returns raises TokenUnavailable while the server cannot be reached, NoDemoToken for
    good.
    """

    async def ask() -> str:
        try:
            async with httpx.AsyncClient(timeout=ANSWER_S, trust_env=False) as http:
                answer = await http.post(f"{url.rstrip('/')}/demo/token", json={"member": member})
        except httpx.HTTPError as error:
            raise TokenUnavailable(f"no token: {type(error).__name__} at {url}") from None
        if answer.status_code >= 500 or answer.status_code == 429:
            raise TokenUnavailable(f"no token: HTTP {answer.status_code}")
        if answer.status_code != 200:
            raise NoDemoToken(
                f"{url} gives no token for {member} (HTTP {answer.status_code}); for a server "
                "that is no demonstration, give --token-file or SUBROSA_TOKEN"
            )
        body = answer.json()
        found = body.get("result", body).get("token")
        if not isinstance(found, str):
            raise NoDemoToken(f"{url} answered without a token")
        return found

    return ask
