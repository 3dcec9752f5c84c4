"""The OpenAPI 3.1 document: every command over HTTP, and what is served beside commands."""

from __future__ import annotations

from typing import Any

from server import errors
from server.commands import table
from server.commands.command import Command
from server.web.reference.schemas import Schema, Schemas, codes, refer

Document = dict[str, Any]
_MEDIA = ("application/json", "application/msgpack")
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
            "schemas": schemas.components,
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
            "content": {media: {"schema": params} for media in _MEDIA},
        },
        "responses": {
            "200": _answer("Done.", {"result": schemas.ref(command.result)}),
            **_refusals(codes(command)),
        },
    }


def _refusals(of: list[str]) -> Document:
    """An error's answers by HTTP status, each with the codes that have it."""
    tree = errors.tree()
    by_status: dict[int, list[str]] = {}
    for code in of:
        by_status.setdefault(tree[code].status, []).append(code)
    return {
        str(status): _answer(", ".join(same), {"error": refer("Error")})
        for status, same in sorted(by_status.items())
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
    checks = {"type": "object", "additionalProperties": {"type": "boolean"}}
    readiness = {"ready": {"type": "boolean"}, "checks": checks}
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
                **_refusals(["invalid", "too_large", "refused", "busy", "internal"]),
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
