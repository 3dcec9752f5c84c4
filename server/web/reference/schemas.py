"""JSON schemas of everything on the wire, made from the command table and the event table.

Shared by the three documents. Parameters are told in place, under their command; all other maps
lie under components and are referred to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from server.commands import shapes, table
from server.commands.command import Command
from server.commands.events import EVENTS, SIGNALS

Schema = dict[str, Any]
_REF = "#/components/schemas/"


def refer(name: str) -> Schema:
    """A reference to a component."""
    return {"$ref": _REF + name}


def referred(schema: object) -> set[str]:
    """The components that a schema refers to."""
    return set(re.findall(_REF + r"(\w+)", msgspec.json.encode(schema).decode()))


def commands() -> Iterable[Command]:
    """Every command of members and of the operator."""
    return (*table.MEMBER.values(), *table.OPERATOR.values())


def codes(command: Command) -> list[str]:
    """All error codes that a command may answer: its own, and those that any of its kind may."""
    found = ["invalid", "unauthenticated", *command.errors, "too_large"]
    if command.rate != "none":
        found.append("rate_limited")
    if command.kind == "write":
        found.append("unknown_outcome")
    return [*found, "busy", "internal"]


class Schemas:
    """`components` by name, and where a type is found in or beside them."""

    def __init__(self) -> None:
        told = [row.data for row in (*EVENTS.values(), *SIGNALS.values())]
        shared: list[type[Any]] = [shapes.Error, *(c.result for c in commands()), *told]
        inline: list[type[Any]] = [command.params for command in commands()]
        kinds = list(dict.fromkeys([*shared, *inline]))
        refs, found = msgspec.json.schema_components(kinds, ref_template=_REF + "{name}")
        self._refs: Mapping[type[Any], Schema] = dict(zip(kinds, refs, strict=True))
        self._found: dict[str, Schema] = found
        kept: set[str] = set()
        wanted = {name for kind in shared for name in referred(self._refs[kind])}
        wanted |= {name for kind in inline for name in referred(self.params(kind))}
        while wanted:
            kept |= wanted
            wanted = referred([found[name] for name in wanted]) - kept
        self.components = {name: found[name] for name in sorted(kept)}

    def ref(self, kind: type[Any]) -> Schema:
        """A reference to a result, an entity or an event's data."""
        return self._refs[kind]

    def name(self, kind: type[Any]) -> str:
        """The name of a type's component."""
        return str(self._refs[kind]["$ref"]).removeprefix(_REF)

    def params(self, kind: type[Any]) -> Schema:
        """A command's parameters, in place."""
        whole = self._found[self.name(kind)]
        return {key: value for key, value in whole.items() if key != "title"}
