"""The reference documents: complete, well-formed, and made of nothing from elsewhere."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from starlette.routing import Route

from server.cli import ASSETS
from server.commands import log, table
from server.commands.events import EVENTS, SIGNALS
from server.domain.policy import DEFAULT, Policy, Rate
from server.errors import tree
from server.protocol.closes import CLOSES
from server.protocol.codec import CODECS
from server.web.reference import make
from tests.support.json_schema import faults, resolve
from tests.support.running import running_node

FILES = make(DEFAULT)
OPENAPI: dict[str, Any] = json.loads(FILES["openapi.json"][1])
ASYNCAPI: dict[str, Any] = json.loads(FILES["asyncapi.json"][1])
PAGE = FILES[""][1].decode()


def values(node: Any, key: str) -> Iterator[Any]:
    """Every value under a key, anywhere in a document."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == key:
                yield value
            yield from values(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from values(value, key)


# --- the tables they are made from -----------------------------------------------------------


def test_the_event_table_has_every_event_of_the_log() -> None:
    assert set(EVENTS) == set(log.EVENTS)
    assert not set(EVENTS) & set(SIGNALS)


def test_no_error_is_named_that_does_not_exist() -> None:
    for command in (*table.MEMBER.values(), *table.OPERATOR.values()):
        assert set(command.errors) <= set(tree()), command.name


def test_close_codes_lie_in_the_range_that_says_what_to_do() -> None:
    for code, close in CLOSES.items():
        ranges = {"reconnect": 4000 <= code < 4500, "stop": 4500 <= code < 5000}
        assert ranges.get(close.then, code < 2000), code


# --- both documents --------------------------------------------------------------------------


@pytest.mark.parametrize("document", [OPENAPI, ASYNCAPI], ids=["openapi", "asyncapi"])
def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = [ref for ref in values(document, "$ref") if isinstance(ref, str)]
    assert len(references) > 100
    for reference in references:
        assert resolve(reference, document)


@pytest.mark.parametrize("document", [OPENAPI, ASYNCAPI], ids=["openapi", "asyncapi"])
def test_names_of_components_are_names_of_the_wire(document: dict[str, Any]) -> None:
    """Two types of one name would get their modules' names, which mean nothing to a reader."""
    schemas = document["components"]["schemas"]
    assert [name for name in schemas if not re.fullmatch(r"[A-Za-z]+|[a-z_.]+\.params", name)] == []
    assert {"Message", "Conversation", "Error"} <= schemas.keys()


@pytest.mark.parametrize("document", [OPENAPI, ASYNCAPI], ids=["openapi", "asyncapi"])
def test_what_is_required_is_described(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        assert set(schema.get("required", ())) <= set(schema["properties"])
        assert schema["type"] == "object"


# --- OpenAPI ---------------------------------------------------------------------------------


def operations() -> dict[str, dict[str, Any]]:
    """Every operation by "METHOD /path"."""
    return {
        f"{method.upper()} {path}": operation
        for path, item in OPENAPI["paths"].items()
        for method, operation in item.items()
    }


def test_openapi_is_complete_in_itself() -> None:
    assert OPENAPI["openapi"] == "3.1.0"
    assert OPENAPI["info"].keys() >= {"title", "version"}
    names = Counter(operation["operationId"] for operation in operations().values())
    assert max(names.values()) == 1
    schemes = OPENAPI["components"]["securitySchemes"]
    for name, operation in operations().items():
        assert operation["summary"].endswith("."), name
        assert "200" in operation["responses"], name
        assert {scheme for one in operation["security"] for scheme in one} <= set(schemes), name


def test_openapi_has_every_command_and_no_other() -> None:
    expected = {f"POST /v1/{c.name}" for c in table.MEMBER.values() if c.http}
    expected |= {f"POST /admin/v1/{name}" for name in table.OPERATOR}
    assert {name for name in operations() if "/v1/" in name} == expected


def test_a_command_has_its_parameters_its_result_and_its_refusals() -> None:
    send = OPENAPI["paths"]["/v1/message.send"]["post"]
    for media in ("application/json", "application/msgpack"):
        params = resolve(send["requestBody"]["content"][media]["schema"]["$ref"], OPENAPI)
        assert set(params["required"]) == {"body", "client_id"}
        assert params["properties"]["client_id"]["maxLength"] == 64
    answered = send["responses"]["200"]["content"]["application/json"]["schema"]
    sent = resolve(answered["properties"]["result"]["$ref"], OPENAPI)
    assert {"conversation", "message", "seq", "kind", "sent_at", "duplicate"} <= set(
        sent["required"]
    )
    statuses = {str(kind.status) for kind in tree().values()}
    assert send["responses"].keys() == statuses | {"200"}
    conflict = resolve(send["responses"]["409"]["$ref"], OPENAPI)
    assert {"refused", "client_id_reused"} == set(conflict["description"].split(", "))


async def test_what_is_served_is_documented() -> None:
    async with running_node(demo=True) as server:
        app = server.node.asgi(server.node.settings.data)
        served = {
            f"{method} {route.path}"
            for route in app.routes
            if isinstance(route, Route)
            for method in (route.methods or set()) - {"HEAD"}
        }
    commands = {"POST /v1/{cmd}", "POST /admin/v1/{cmd}"}
    pages = {"GET /", "GET /docs", "GET /docs/{name}"}
    assert served - commands - pages == {name for name in operations() if "/v1/" not in name}
    assert commands <= served
    told = re.sub(r"<[^>]+>", "", PAGE)
    for name in served - commands - {"GET /docs/{name}"}:
        assert name in told


# --- AsyncAPI --------------------------------------------------------------------------------


def test_asyncapi_is_complete_in_itself() -> None:
    assert ASYNCAPI["asyncapi"] == "3.0.0"
    assert ASYNCAPI["info"].keys() >= {"title", "version"}
    channel = ASYNCAPI["channels"]["socket"]
    assert channel["address"] == "/ws"
    spoken = channel["bindings"]["ws"]["headers"]["properties"]["Sec-WebSocket-Protocol"]["enum"]
    assert spoken == list(CODECS)
    used = set()
    for name, operation in ASYNCAPI["operations"].items():
        assert operation["action"] in ("send", "receive"), name
        assert resolve(operation["channel"]["$ref"], ASYNCAPI) is channel
        for reference in (*operation["messages"], *operation.get("reply", {}).get("messages", ())):
            assert reference["$ref"].startswith("#/channels/socket/messages/")
            used.add(reference["$ref"].removeprefix("#/channels/socket/messages/"))
    assert used == set(channel["messages"])
    assert all("payload" in message for message in channel["messages"].values())


def test_asyncapi_has_every_command_with_its_reply_and_every_event() -> None:
    received = {n for n, one in ASYNCAPI["operations"].items() if one["action"] == "receive"}
    sent = {n for n, one in ASYNCAPI["operations"].items() if one["action"] == "send"}
    assert received == set(table.MEMBER)
    assert sent == {f"{name}.event" for name in (*EVENTS, *SIGNALS)}
    for name in received:
        (result, error) = ASYNCAPI["operations"][name]["reply"]["messages"]
        assert result["$ref"].endswith(f"/{name}.result")
        assert error["$ref"].endswith("/error")


def test_only_events_have_a_position() -> None:
    messages = ASYNCAPI["channels"]["socket"]["messages"]
    for name in (*EVENTS, *SIGNALS):
        assert ("pos" in messages[f"{name}.event"]["payload"]["required"]) is (name in EVENTS)


def test_asyncapi_names_every_close_code() -> None:
    about = ASYNCAPI["channels"]["socket"]["description"]
    assert {int(code) for code in re.findall(r"(?m)^- (\d{4}),", about)} == set(CLOSES)


# --- the page --------------------------------------------------------------------------------


VOID = {"meta", "link", "br"}


class Page(HTMLParser):
    """What a page is made of: ids, links, other resources, tags left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.resources: list[str] = []
        self.attributes: set[str] = set()
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(value or "")
            elif name == "src" or (name == "href" and tag == "link"):
                self.resources.append(value or "")
            elif name == "href":
                self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_asks_nobody_else_for_anything() -> None:
    page = Page(PAGE)
    assert page.open == []
    assert page.resources == ["/assets/rose.svg", "/docs/reference.css"]
    assert (ASSETS / "rose.svg").exists()
    assert not page.tags & {"script", "style", "img", "iframe"}
    assert not {name for name in page.attributes if name == "style" or name.startswith("on")}
    assert Counter(page.ids).most_common(1)[0][1] == 1
    outside = {link for link in page.links if not link.startswith("#")}
    assert outside == {"/docs/asyncapi.json", "/docs/openapi.json"}
    dead = {link for link in page.links if link.startswith("#") and link[1:] not in page.ids}
    assert dead == set()


def test_the_page_has_everything_under_an_anchor() -> None:
    ids = set(Page(PAGE).ids)
    assert ids >= set(table.MEMBER) | set(table.OPERATOR)
    assert ids >= {f"event-{name}" for name in (*EVENTS, *SIGNALS)}
    assert ids >= {f"error-{code}" for code in tree()}
    closes = PAGE[PAGE.index('id="closes"') : PAGE.index('id="operator"')]
    assert {int(code) for code in re.findall(r"<td>(\d{4})</td>", closes)} == set(CLOSES)


async def test_the_page_tells_the_numbers_in_force() -> None:
    policy = Policy(rate_send=Rate(7.5, 91))
    async with running_node(policy=policy) as server, httpx.AsyncClient() as http:
        page = await http.get(f"{server.base}/docs")
    assert "rate send: 91 at once, 7.5 a second" in page.text


async def test_the_documents_are_served_under_the_strict_policy() -> None:
    async with running_node() as server, httpx.AsyncClient(base_url=server.base) as http:
        page = await http.get("/docs")
        assert page.status_code == 200
        assert page.text == PAGE
        assert "default-src 'self'" in page.headers["content-security-policy"]
        for name, kind in (
            ("openapi.json", "application/json"),
            ("asyncapi.json", "application/json"),
            ("reference.css", "text/css; charset=utf-8"),
        ):
            answer = await http.get(f"/docs/{name}")
            assert answer.status_code == 200, name
            assert answer.headers["content-type"] == kind
        assert (await http.get("/docs/..%2f__init__.py")).status_code == 404
        assert (await http.get("/docs/none.json")).status_code == 404


# --- the check itself ------------------------------------------------------------------------

BROKEN: list[tuple[Any, dict[str, Any]]] = [
    ("1", {"type": "integer"}),
    (True, {"type": "integer"}),
    (-1, {"type": "integer", "minimum": 0}),
    ("", {"type": "string", "minLength": 1}),
    ("a b", {"type": "string", "pattern": "^[a-z]+$"}),
    ([1, "2"], {"type": "array", "items": {"type": "integer"}}),
    ({}, {"type": "object", "properties": {"a": {}}, "required": ["a"]}),
    ({"b": 1}, {"type": "object", "properties": {"a": {}}}),
    ({"b": "x"}, {"type": "object", "additionalProperties": {"type": "integer"}}),
    ("c", {"enum": ["a", "b"]}),
    ("c", {"const": "a"}),
    (1, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
    ({"a": {"b": None}}, {"$ref": "#/parts/outer"}),
]


@pytest.mark.parametrize(("value", "schema"), BROKEN)
def test_the_check_finds_what_is_wrong(value: Any, schema: dict[str, Any]) -> None:
    inner = {"type": "object", "properties": {"b": {"type": "string"}}}
    document = {"parts": {"outer": {"type": "object", "properties": {"a": inner}}}}
    assert faults(value, schema, document)
