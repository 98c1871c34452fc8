"""Validates parameters against the subset of JSON Schema that they are declared in."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_TYPES: Mapping[str, tuple[str, tuple[type, ...]]] = {
    "integer": ("an integer", (int,)),
    "number": ("a number", (int, float)),
    "string": ("a string", (str,)),
    "boolean": ("true or false", (bool,)),
    "array": ("a list", (list,)),
    "object": ("a map", (dict,)),
}


def list_errors(value: Any, schema: Mapping[str, Any], where: str) -> Iterator[str]:
    """List the errors of a value, one sentence each."""
    wanted = schema.get("type")
    if wanted is not None and not _is(value, wanted):
        yield f"{where} must be {_TYPES[wanted][0]}, got {format_value(value)}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where} must be one of {', '.join(map(format_value, schema['enum']))}, got {format_value(value)}"
    if "minimum" in schema and value < schema["minimum"]:
        yield f"{where} must be at least {schema['minimum']}, got {format_value(value)}"
    if "maximum" in schema and value > schema["maximum"]:
        yield f"{where} must be at most {schema['maximum']}, got {format_value(value)}"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{where} must match {schema['pattern']}, got {format_value(value)}"
    if isinstance(value, list) and "items" in schema:
        for index, inner in enumerate(value):
            yield from list_errors(inner, schema["items"], f"{where}[{index}]")
    if isinstance(value, dict):
        for key in schema.get("required", ()):
            if key not in value:
                yield f"{where} must have {key}"
        for key, inner in value.items():
            if key in schema.get("properties", {}):
                yield from list_errors(inner, schema["properties"][key], f"{where}.{key}")
            elif schema.get("additionalProperties") is False:
                yield f"{where} has no {key}; it has {', '.join(schema.get('properties', {}))}"


def format_value(value: Any) -> str:
    """Format a value for a message."""
    return repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _is(value: Any, wanted: str) -> bool:
    if isinstance(value, bool):
        return wanted == "boolean"
    if wanted == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[wanted][1])
