"""The reference at /docs, made from the command table: a page, OpenAPI and AsyncAPI documents."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response


class Reference:
    """The documents of one server, made once."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[str, bytes]] = {}

    async def page(self, _request: Request) -> Response:
        """The page."""
        return PlainTextResponse("The reference.\n")

    async def file(self, request: Request) -> Response:
        """One of the documents."""
        found = self._files.get(request.path_params["name"])
        if found is None:
            return PlainTextResponse("there is no such document\n", 404)
        return Response(found[1], media_type=found[0])
