"""The reference at /docs, made from the command table: a page, OpenAPI and AsyncAPI documents.

Everything in it is true of the running code, because it is read from the tables that the code
runs by. Made once, off the loop, when somebody first asks.
"""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from server.domain.policy import DEFAULT, Policy
from server.web.reference import asyncapi, openapi, page
from server.web.reference.schemas import Schemas

STYLE = Path(__file__).parents[1] / "pages" / "reference.css"


class Reference:
    """The documents of one server; `policy` holds the numbers that its page tells."""

    def __init__(self, policy: Policy = DEFAULT) -> None:
        self._policy = policy
        self._files: dict[str, tuple[str, bytes]] = {}

    async def page(self, _request: Request) -> Response:
        """GET /docs."""
        return await self._answer("")

    async def file(self, request: Request) -> Response:
        """GET /docs/{name}: openapi.json, asyncapi.json or the page's style."""
        return await self._answer(request.path_params["name"])

    async def _answer(self, name: str) -> Response:
        if not self._files:
            self._files = await asyncio.to_thread(make, self._policy)
        found = self._files.get(name)
        if found is None:
            return PlainTextResponse("there is no such document\n", 404)
        return Response(found[1], media_type=found[0])


def make(policy: Policy) -> dict[str, tuple[str, bytes]]:
    """All files: media type and bytes by name, the page's being empty. Reads a file."""
    schemas = Schemas()
    number = version("subrosa")
    documents = {
        "openapi.json": openapi.document(schemas, number),
        "asyncapi.json": asyncapi.document(schemas, number),
    }
    files = {
        name: ("application/json", msgspec.json.format(msgspec.json.encode(document), indent=2))
        for name, document in documents.items()
    }
    files[STYLE.name] = ("text/css", STYLE.read_bytes())
    return {"": ("text/html", page.html(schemas, policy, number).encode()), **files}
