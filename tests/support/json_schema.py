"""A small check of values against the JSON schemas that the reference documents carry.

It knows the keywords that those documents use and no others, and is stricter in one thing: a
field that a schema does not name is a fault, because then the documents do not tell of it.
"""

from __future__ import annotations

import re
from typing import Any

KNOWN = {
    "$ref", "additionalProperties", "anyOf", "const", "default", "description", "enum", "items",
    "maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum", "pattern",
    "properties", "required", "title", "type",
}  # fmt: skip
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}


def resolve(reference: str, document: dict[str, Any]) -> Any:
    """What a reference within a document names. Raises KeyError."""
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def faults(
    value: Any, schema: dict[str, Any], document: dict[str, Any], at: str = "$"
) -> list[str]:
    """What is wrong with a value, each as a line; none if it is as the schema says."""
    unknown = schema.keys() - KNOWN
    assert not unknown, f"this check does not know {unknown}"
    if "$ref" in schema:
        return faults(value, resolve(schema["$ref"], document), document, at)
    if "anyOf" in schema:
        tried = [faults(value, one, document, at) for one in schema["anyOf"]]
        return [] if any(not found for found in tried) else [line for one in tried for line in one]
    if "const" in schema and value != schema["const"]:
        return [f"{at} is {value!r}, not {schema['const']!r}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{at} is {value!r}, none of {schema['enum']}"]
    kind = schema.get("type")
    if kind is not None:
        right = isinstance(value, TYPES[kind]) and (kind == "boolean" or type(value) is not bool)
        if not right:
            return [f"{at} is {value!r}, no {kind}"]
    if isinstance(value, str):
        return _text(value, schema, at)
    if isinstance(value, list):
        return _list(value, schema, document, at)
    if isinstance(value, dict):
        return _map(value, schema, document, at)
    if isinstance(value, int | float) and not (
        schema.get("minimum", value) <= value <= schema.get("maximum", value)
    ):
        return [f"{at} is {value}, out of bounds"]
    return []


def _text(value: str, schema: dict[str, Any], at: str) -> list[str]:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        return [f"{at} has {len(value)} characters"]
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return [f"{at} is {value!r}, not like {schema['pattern']}"]
    return []


def _list(value: list[Any], schema: dict[str, Any], document: dict[str, Any], at: str) -> list[str]:
    found = []
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        found.append(f"{at} has {len(value)} entries")
    for index, one in enumerate(value):
        found += faults(one, schema.get("items", {}), document, f"{at}[{index}]")
    return found


def _map(
    value: dict[str, Any], schema: dict[str, Any], document: dict[str, Any], at: str
) -> list[str]:
    properties, rest = schema.get("properties", {}), schema.get("additionalProperties")
    found = [f"{at}.{name} is missing" for name in schema.get("required", ()) if name not in value]
    for name, one in value.items():
        if name in properties:
            found += faults(one, properties[name], document, f"{at}.{name}")
        elif isinstance(rest, dict):
            found += faults(one, rest, document, f"{at}.{name}")
        elif properties and rest is not True:
            found.append(f"{at}.{name} is not documented")
    return found
