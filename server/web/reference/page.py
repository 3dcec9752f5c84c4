"""The reference as a page for people: one document of plain HTML, its style in a file of its own.

It runs no script and asks nobody else for anything, so that it works under the strictest policy
and without a network.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from server import errors
from server.commands import results, table
from server.commands.command import Command
from server.commands.events import EVENTS, SIGNALS, Told
from server.domain.ids import MEMBER_ID
from server.domain.policy import Policy, Rate
from server.protocol.closes import CLOSES
from server.protocol.codec import CODECS
from server.web.reference.schemas import Schema, Schemas, codes

_SECTIONS = {
    "connecting": "Connecting",
    "commands": "Commands",
    "events": "Events",
    "signals": "Signals",
    "shapes": "Shapes",
    "errors": "Errors",
    "closes": "Close codes",
    "operator": "The operator",
    "http": "Beside commands",
}
_WORDS = {
    "string": "text",
    "integer": "integer",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
    "object": "map",
}
_WHERE = {
    ("member",): "On the member's own topic.",
    ("conversation",): "On the conversation's topic.",
    ("member", "conversation"): "On the member's own topic for a one_to_one, else on the "
    "conversation's.",
}
_CONNECT = """\
→ {"id": 1, "cmd": "connect", "params": {"token": "…", "device": "laptop"}}
← {"id": 1, "result": {"session": "…", "member": "ada", "topics": {"member:ada": 44}, …}}
→ {"id": 2, "cmd": "message.send", "params": {"to": "grace", "body": "Hello", "client_id": "0f…"}}
← {"event": "message.created", "topic": "member:ada", "pos": 45, "data": {…}}
← {"id": 2, "result": {"conversation": "…", "message": "…", "seq": 7, …}}"""
_BESIDE = {
    "GET /": "The messenger.",
    "GET /healthz": "Alive.",
    "GET /readyz": "Able to deliver and not draining; otherwise 503, and the checks say why.",
    "GET /metrics": "Prometheus' exposition: with the admin key, or from this machine directly.",
    "GET /docs": "This page; beside it openapi.json and asyncapi.json.",
    "POST /demo/token": "A sample member's token. Only with --demo.",
    "GET /demo/members": "The sample members. Only with --demo.",
}


def html(schemas: Schemas, policy: Policy, version: str) -> str:
    """The page."""
    body = {
        "connecting": _connecting(),
        "commands": _commands(table.MEMBER.values(), schemas, policy),
        "events": _events(EVENTS, schemas),
        "signals": _signals(schemas),
        "shapes": _shapes(schemas),
        "errors": _errors(),
        "closes": _closes(),
        "operator": _commands(table.OPERATOR.values(), schemas, policy),
        "http": _table(("request", "answer"), [(_code(k), escape(v)) for k, v in _BESIDE.items()]),
    }
    sections = "\n".join(
        f'<section id="{name}"><h2>{escape(_SECTIONS[name])}</h2>\n{content}\n</section>'
        for name, content in body.items()
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Subrosa: reference</title>
<link rel="icon" href="/assets/rose.svg">
<link rel="stylesheet" href="/docs/reference.css">
</head>
<body>
<header>
<h1>Subrosa <span>reference</span></h1>
<p>Version {escape(version)}. Made from the tables this server runs by. For machines:
<a href="/docs/asyncapi.json">AsyncAPI</a> for the WebSocket,
<a href="/docs/openapi.json">OpenAPI</a> for HTTP.</p>
</header>
<div class="columns">
<nav aria-label="Contents">
{_contents()}
</nav>
<main>
{sections}
</main>
</div>
</body>
</html>
"""


def _contents() -> str:
    below = {
        "commands": list(table.MEMBER),
        "events": list(EVENTS),
        "signals": list(SIGNALS),
        "operator": list(table.OPERATOR),
    }
    out = []
    for name, title in _SECTIONS.items():
        inner = "".join(
            f'<li><a href="#{_anchor(name, one)}">{escape(one)}</a></li>'
            for one in below.get(name, ())
        )
        more = f"<ul>{inner}</ul>" if inner else ""
        out.append(f'<li><a href="#{name}">{escape(title)}</a>{more}</li>')
    return "<ul>" + "\n".join(out) + "</ul>"


def _anchor(section: str, name: str) -> str:
    """A signal may bear the name of the command that causes it."""
    return f"event-{name}" if section in ("events", "signals") else name


def _connecting() -> str:
    spoken = " or ".join(_code(name) for name in CODECS)
    return f"""<p>{_code("GET /ws")} with the subprotocol {spoken}: binary frames in msgpack or
text frames in JSON, the same maps in both. The first frame is {_link("connect")} with the member's
token, within 10 s; it never goes into the URL. One frame is one map, of at most 128 KiB.</p>
<pre>{escape(_CONNECT)}</pre>
<p>Over HTTP: {_code("POST /v1/{command}")} with {_code("Authorization: Bearer …")}; the body is the
command's parameters, the answer {_code('{"result"}')} or {_code('{"error"}')}. The operator's:
{_code("POST /admin/v1/{command}")} with {_code("X-API-Key")}.</p>"""


def _commands(of: Iterable[Command], schemas: Schemas, policy: Policy) -> str:
    return "\n".join(_command(command, schemas, policy) for command in of)


def _command(command: Command, schemas: Schemas, policy: Policy) -> str:
    params = schemas.params(command.params)
    result = schemas.ref(command.result)
    name = schemas.name(command.result)
    if command.result is results.Done:
        told = "<p>Result: an empty map.</p>"
    elif command.result.__module__ == results.__name__:
        told = "<h4>Result</h4>" + _fields(schemas.components[name])
    else:
        told = f"<p>Result: {_kind(result)}.</p>"
    given = "<h4>Parameters</h4>" + _fields(params) if params["properties"] else ""
    listed = ", ".join(_link(f"error-{code}", code) for code in codes(command))
    return f"""<article id="{command.name}">
<h3>{escape(command.name)}</h3>
<p>{escape(command.doc)}</p>
<p class="facts">{_facts(command, policy)}</p>
{given}
{told}
<p>Errors: {listed}.</p>
</article>"""


def _facts(command: Command, policy: Policy) -> str:
    path = f"/admin/v1/{command.name}" if command.operator else f"/v1/{command.name}"
    facts = [_code(f"POST {path}") if command.http else "WebSocket only"]
    facts.append(
        {"write": "writes", "read": "reads", "session": "of the connection itself"}[command.kind]
    )
    if command.rate != "none":
        rate: Rate = getattr(policy, f"rate_{command.rate}")
        facts.append(f"rate {command.rate}: {rate.burst} at once, {rate.per_second:g} a second")
    if command.locks:
        facts.append("locks " + ", ".join(escape(lock) for lock in command.locks))
    return "".join(f"<span>{fact}</span>" for fact in facts)


def _events(of: dict[str, Told], schemas: Schemas) -> str:
    return "\n".join(
        f"""<article id="event-{name}">
<h3>{escape(name)}</h3>
<p>{escape(row.doc)} {escape(_WHERE[row.topics])} Data: {_kind(schemas.ref(row.data))}.</p>
</article>"""
        for name, row in of.items()
    )


def _signals(schemas: Schemas) -> str:
    return (
        "<p>Like events, without a position: for those whose receipts are on, while they are "
        "connected. They are not repeated.</p>" + _events(SIGNALS, schemas)
    )


def _shapes(schemas: Schemas) -> str:
    in_place = {
        schemas.name(command.result)
        for command in (*table.MEMBER.values(), *table.OPERATOR.values())
        if command.result.__module__ == results.__name__
    }
    return "\n".join(
        f"""<article id="shape-{name}">
<h3>{name}</h3>
<p>{_prose(shape.get("description", ""))}</p>
{_fields(shape)}
</article>"""
        for name, shape in schemas.components.items()
        if name not in in_place
    )


def _errors() -> str:
    rows = [
        (
            f'<span id="error-{code}">{_code(code)}</span>',
            str(kind.status),
            "yes" if kind.retryable else "no",
            escape(kind.words),
        )
        for code, kind in errors.tree().items()
    ]
    shape = _link("shape-Error", "Error")
    return f"<p>Each is an {shape}.</p>" + _table(("code", "HTTP", "retry", "words"), rows)


def _closes() -> str:
    rows = [(str(code), close.then, escape(close.cause)) for code, close in CLOSES.items()]
    about = (
        "<p>4000–4499: reconnect and resume. 4500–4999: stop. The rest are RFC 6455's, for frames "
        "that were none: repair the client.</p>"
    )
    return about + _table(("code", "then", "cause"), rows)


def _fields(schema: Schema) -> str:
    required = schema.get("required", ())
    rows = []
    for name, field in schema.get("properties", {}).items():
        shown = _code(name) + ("" if name in required else "<small> optional</small>")
        rows.append((shown, _kind(field), _prose(_description(field)) + _default(field)))
    return _table(("field", "type", ""), rows)


def _default(field: Schema) -> str:
    value = field.get("default")
    return f" Without it: {_code(str(value))}." if value else ""


def _description(field: Schema) -> str:
    told = [field, *field.get("anyOf", ())]
    return next((one["description"] for one in told if "description" in one), "")


def _kind(schema: Schema) -> str:
    """What a schema allows, in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _link(f"shape-{name}", name)
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(_code(str(one)) for one in schema["enum"])
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}{_bounds(schema, 'Items', ' entries')}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        # Positions mostly: a bound of theirs would read as the map's.
        return f"map of {_kind({**schema['additionalProperties'], 'minimum': None})}"
    if schema.get("pattern") == MEMBER_ID:
        return "member's id"
    return _WORDS.get(kind, "anything") + _bounds(schema, "Length", " characters") + _range(schema)


def _bounds(schema: Schema, of: str, unit: str) -> str:
    low, high = schema.get(f"min{of}"), schema.get(f"max{of}")
    if low is None and high is None:
        return ""
    if high is None:
        return f", at least {low}{unit}"
    return f", {low}–{high}{unit}" if low else f", at most {high}{unit}"


def _range(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if high is not None and high < 2**53 - 1:
        return f", {low}–{high}"
    return f", from {low}" if low is not None else ""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    top = "".join(f'<th scope="col">{escape(cell) or "about"}</th>' for cell in head)
    lines = "\n".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in rows)
    inner = f"<table><thead><tr>{top}</tr></thead><tbody>\n{lines}\n</tbody></table>"
    return f'<div class="table">{inner}</div>'


def _prose(text: str) -> str:
    """A docstring's text: what stands between backticks is code."""
    parts = text.split("`")
    return "".join(_code(part) if odd % 2 else escape(part) for odd, part in enumerate(parts))


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def _link(anchor: str, text: str | None = None) -> str:
    return f'<a href="#{escape(anchor)}">{escape(text or anchor)}</a>'
