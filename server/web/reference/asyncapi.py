"""The AsyncAPI 3.0 document: the WebSocket, each command with its answer, each event.

Told from the server's side, as the specification wants it: it receives commands, it sends events.
"""

from __future__ import annotations

from typing import Any

from server.commands import table
from server.commands.command import Command
from server.commands.events import EVENTS, SIGNALS, Told
from server.protocol.closes import CLOSES
from server.protocol.codec import CODECS
from server.web.reference.schemas import Schema, Schemas, codes, refer

Document = dict[str, Any]
_CHANNEL = "#/channels/socket"
_ID: Schema = {
    "description": "The command's own, given back with its answer.",
    "anyOf": [{"type": "integer"}, {"type": "string", "maxLength": 64}],
}
_ABOUT = """\
One WebSocket a session. The subprotocol names the encoding: `subrosa.v1.msgpack` in binary frames
or `subrosa.v1.json` in text frames; the maps in both are the same. One frame is one map. The first
is the command connect, within 10 s; then any command, answered in any order under its id, and
events as they happen."""


def document(schemas: Schemas, version: str) -> Document:
    """The whole document."""
    messages: dict[str, Any] = {"error": _error()}
    operations: dict[str, Any] = {}
    for command in table.MEMBER.values():
        messages[command.name] = _command(command, schemas)
        messages[f"{command.name}.result"] = _result(command, schemas)
        operations[command.name] = {
            "action": "receive",
            "channel": {"$ref": _CHANNEL},
            "title": command.name,
            "summary": command.doc,
            "description": "Errors: " + ", ".join(codes(command)) + ".",
            "messages": [_ref(command.name)],
            "reply": {
                "channel": {"$ref": _CHANNEL},
                "messages": [_ref(f"{command.name}.result"), _ref("error")],
            },
        }
    for name, row in (*EVENTS.items(), *SIGNALS.items()):
        # A signal may bear the name of the command that causes it.
        messages[f"{name}.event"] = _event(name, row, schemas)
        operations[f"{name}.event"] = {
            "action": "send",
            "channel": {"$ref": _CHANNEL},
            "title": name,
            "summary": row.doc,
            "messages": [_ref(f"{name}.event")],
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Subrosa over WebSocket",
            "version": version,
            "description": _ABOUT,
            "license": {"name": "Apache 2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "here": {
                "host": "{host}",
                "protocol": "wss",
                "description": "Behind a proxy that ends TLS; ws without one.",
                "variables": {"host": {"default": "127.0.0.1:8000"}},
            }
        },
        "channels": {"socket": _channel(messages)},
        "operations": operations,
        "components": {"schemas": schemas.components},
    }


def _ref(message: str) -> Schema:
    return {"$ref": f"{_CHANNEL}/messages/{message}"}


def _channel(messages: dict[str, Any]) -> Document:
    closes = "".join(f"\n- {code}, {close.then}: {close.cause}" for code, close in CLOSES.items())
    return {
        "address": "/ws",
        "title": "A member's session",
        "description": f"Close codes, and what a client does then:\n{closes}",
        "messages": messages,
        "bindings": {
            "ws": {
                "method": "GET",
                "headers": {
                    "type": "object",
                    "properties": {
                        "Sec-WebSocket-Protocol": {"type": "string", "enum": list(CODECS)},
                        "Origin": {
                            "type": "string",
                            "description": "Absent from scripts; an unlisted one is refused, 403.",
                        },
                    },
                    "required": ["Sec-WebSocket-Protocol"],
                },
                "bindingVersion": "0.1.0",
            }
        },
    }


def _map(properties: dict[str, Schema], *optional: str) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def _command(command: Command, schemas: Schemas) -> Document:
    params = schemas.params(command.params)
    optional = () if params.get("required") else ("params",)
    payload = _map({"id": _ID, "cmd": {"const": command.name}, "params": params}, *optional)
    return _message(command.name, command.doc, payload, answered=True)


def _result(command: Command, schemas: Schemas) -> Document:
    payload = _map({"id": _ID, "result": schemas.ref(command.result)})
    name = f"{command.name}.result"
    return _message(name, f"What {command.name} comes to.", payload, answered=True)


def _error() -> Document:
    unknown = {"anyOf": [*_ID["anyOf"], {"type": "null"}]}
    payload = _map({"id": {**unknown, "description": "null for a frame without a usable one."},
                    "error": refer("Error")})  # fmt: skip
    return _message("error", "A command that was not carried out.", payload, answered=True)


def _event(name: str, row: Told, schemas: Schemas) -> Document:
    topic = {"type": "string", "pattern": f"^({'|'.join(row.topics)}):"}
    payload = _map({"event": {"const": name}, "topic": topic, "data": schemas.ref(row.data)})
    if name in EVENTS:
        payload["properties"]["pos"] = {"type": "integer", "minimum": 1}
        payload["required"].append("pos")
    return _message(name, row.doc, payload)


def _message(name: str, summary: str, payload: Schema, *, answered: bool = False) -> Document:
    message: Document = {"name": name, "title": name, "summary": summary, "payload": payload}
    if answered:
        message["correlationId"] = {"location": "$message.payload#/id"}
    return message
