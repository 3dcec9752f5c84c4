"""The OpenAPI 3.1 document: every command over HTTP, and what is served beside commands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from server import errors
from server.commands import table
from server.commands.command import Command
from server.web.reference.schemas import Schema, Schemas, codes, commands, refer

Document = dict[str, Any]
_MEDIA = ("application/json", "application/msgpack")
_DEMO = ("invalid", "too_large", "refused", "busy", "internal")
_ABOUT = """\
Commands of Subrosa over HTTP. The body is the command's parameters, one map in JSON or msgpack by
its Content-Type; the answer is `{"result": …}` or `{"error": …}` in the same. Events come over the
WebSocket alone: see the AsyncAPI document."""


def document(schemas: Schemas, version: str) -> Document:
    """The whole document."""
    paths: dict[str, Any] = {}
    for command in table.MEMBER.values():
        if command.http:
            paths[f"/v1/{command.name}"] = {"post": _operation(command, "token", schemas)}
    for command in table.OPERATOR.values():
        paths[f"/admin/v1/{command.name}"] = {"post": _operation(command, "admin", schemas)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Subrosa over HTTP",
            "version": version,
            "description": _ABOUT,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {**paths, **_beside(schemas)},
        "components": {
            "schemas": {
                **schemas.components,
                **{_named(one): schemas.params(one.params) for one in commands()},
            },
            "responses": _responses(),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A member's token.",
                },
                "admin": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-API-Key",
                    "description": "The text of admin.key.",
                },
            },
        },
    }


def _operation(command: Command, scheme: str, schemas: Schemas) -> Document:
    params = schemas.params(command.params)
    return {
        "operationId": command.name,
        "summary": command.doc,
        "tags": [command.name.partition(".")[0]],
        "security": [{scheme: []}],
        "requestBody": {
            "required": bool(params.get("required")),
            "content": {media: {"schema": refer(_named(command))} for media in _MEDIA},
        },
        "responses": {
            "200": _answer("Done.", {"result": schemas.ref(command.result)}),
            **_refusals(codes(command)),
        },
    }


def _named(command: Command) -> str:
    """The component that holds a command's parameters."""
    return f"{command.name}.params"


def _by_status(of: Iterable[str]) -> dict[str, list[str]]:
    """Error codes by the HTTP status that they are answered with."""
    tree = errors.tree()
    found: dict[str, list[str]] = {}
    for code in of:
        found.setdefault(str(tree[code].status), []).append(code)
    return dict(sorted(found.items()))


def _refusals(of: Iterable[str]) -> Document:
    """References to an error's answers, by HTTP status."""
    return {
        status: {"$ref": f"#/components/responses/{'.'.join(same)}"}
        for status, same in _by_status(of).items()
    }


def _responses() -> Document:
    """Every answer that `_refusals` may refer to."""
    every = [*(codes(command) for command in commands()), _DEMO]
    groups = {tuple(same) for of in every for same in _by_status(of).values()}
    return {
        ".".join(same): _answer(", ".join(same), {"error": refer("Error")})
        for same in sorted(groups)
    }


def _answer(
    description: str, properties: dict[str, Schema], media: tuple[str, ...] = _MEDIA
) -> Document:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"description": description, "content": {one: {"schema": schema} for one in media}}


def _text(description: str) -> Document:
    return {"description": description, "content": {"text/plain": {"schema": {"type": "string"}}}}


def _beside(schemas: Schemas) -> Document:
    """What is no command."""
    json = ("application/json",)
    checks: Schema = {"type": "object", "additionalProperties": {"type": "boolean"}}
    readiness: dict[str, Schema] = {"ready": {"type": "boolean"}, "checks": checks}
    member = {
        "type": "object",
        "properties": {"member": {"type": "string"}},
        "required": ["member"],
    }
    return {
        "/healthz": {"get": {
            "operationId": "healthz", "tags": ["health"], "security": [],
            "summary": "Alive.", "responses": {"200": _text("ok")},
        }},
        "/readyz": {"get": {
            "operationId": "readyz", "tags": ["health"], "security": [],
            "summary": "Able to deliver, and not draining.",
            "responses": {
                "200": _answer("Ready.", readiness, json),
                "503": _answer("Not ready: checks say why.", readiness, json),
            },
        }},
        "/metrics": {"get": {
            "operationId": "metrics", "tags": ["health"], "security": [{"admin": []}, {}],
            "summary": "Prometheus' exposition: with the key, or from this machine directly.",
            "responses": {"200": _text("The metrics."), "401": _text("A key is needed.")},
        }},
        "/demo/token": {"post": {
            "operationId": "demo.token", "tags": ["demo"], "security": [],
            "summary": "A sample member's token, for whoever asks. Only with --demo.",
            "requestBody": {"required": True, "content": {m: {"schema": member} for m in _MEDIA}},
            "responses": {
                "200": {
                    "description": "The token, without an envelope.",
                    "content": {m: {"schema": refer("Token")} for m in _MEDIA},
                },
                **_refusals(_DEMO),
            },
        }},
        "/demo/members": {"get": {
            "operationId": "demo.members", "tags": ["demo"], "security": [],
            "summary": "The sample members. Only with --demo.",
            "responses": {"200": _answer(
                "All of them.", {"members": {"type": "array", "items": refer("Profile")}}, json,
            )},
        }},
    }  # fmt: skip
