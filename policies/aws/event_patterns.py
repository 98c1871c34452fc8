"""Evaluates whether an event pattern can match an event of which only some fields are known.

(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html)
"""

import ipaddress
import itertools
import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

from .event_pattern_syntax import OR

Pattern = Mapping[str, Any]

ENVELOPE = frozenset(
    {"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail", "replay-name"}
)
"""The top-level fields of an event."""
_MAX_BRANCHES = 256
"""Combinations of alternatives that are evaluated; EventBridge accepts 1 000."""


class Field(Enum):
    """The possible values of a field without a fixed value."""

    ANYTHING = "any value, or absent"
    TEXT = "any string"
    ABSENT = "absent"


class Open(dict):
    """An object of which only some fields are known: the others may have any value."""


def branches(pattern: Pattern) -> list[Pattern]:
    """Expand `$or` into patterns without it; empty where there are too many."""
    parts: list[list[Pattern]] = []
    for key, value in pattern.items():
        if key == OR and isinstance(value, list):
            parts.append(
                [inner for alternative in value if isinstance(alternative, Mapping) for inner in branches(alternative)]
            )
        elif isinstance(value, Mapping):
            parts.append([{key: inner} for inner in branches(value)])
        else:
            parts.append([{key: value}])
        size = 1
        for part in parts:
            size *= len(part)
        if not 0 < size <= _MAX_BRANCHES:
            return []
    return [_merge(chosen) for chosen in itertools.product(*parts)]


def _merge(patterns: tuple[Pattern, ...]) -> Pattern:
    merged: dict[str, Any] = {}
    for pattern in patterns:
        for key, value in pattern.items():
            both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
            merged[key] = _merge((merged[key], value)) if both else value
    return merged


def alternatives(pattern: Pattern, *path: str) -> list[Any]:
    """The values that a pattern accepts for a field; empty where it does not restrict the field."""
    values: Any = pattern
    for key in path:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values if isinstance(values, list) else []


def replaced(pattern: Pattern, value: list[Any], *path: str) -> Pattern:
    """Copy a pattern with other values for one field."""
    key, *rest = path
    inner = pattern.get(key)
    return {**pattern, key: replaced(inner if isinstance(inner, Mapping) else {}, value, *rest) if rest else value}


def can_match(pattern: Pattern, event: Any) -> bool:
    """Whether a pattern without `$or` can match an event."""
    if event is Field.ANYTHING:
        return True
    known = event if isinstance(event, Mapping) else {}
    for key, wanted in pattern.items():
        value = known.get(key, Field.ANYTHING if isinstance(known, Open) else Field.ABSENT)
        if isinstance(wanted, Mapping):
            if not can_match(wanted, value):
                return False
        elif not any(_matches_value(alternative, value) for alternative in wanted):
            return False
    return True


def _matches_value(alternative: Any, value: Any) -> bool:
    if value is Field.ANYTHING:
        return True
    if isinstance(alternative, Mapping):
        return _compares(*next(iter(alternative.items())), value)
    if value is Field.TEXT:
        return isinstance(alternative, str)
    return not isinstance(value, Field | Mapping) and alternative == value and type(alternative) is type(value)


def _compares(operator: str, operand: Any, value: Any) -> bool:
    if operator == "exists":
        # A field that holds an object does not exist in this sense: only its leaves do.
        return operand is not (value is Field.ABSENT or isinstance(value, Mapping))
    if value is None and operator == "anything-but":
        return True
    if not isinstance(value, str):
        return value is Field.TEXT and operator != "numeric"
    if operator == "anything-but":
        return not any(
            _is_excluded_by(excluded, value) for excluded in (operand if isinstance(operand, list) else [operand])
        )
    return _compares_text(operator, operand, value)


def _is_excluded_by(excluded: Any, value: str) -> bool:
    if not isinstance(excluded, Mapping):
        return excluded == value
    ((operator, listed),) = excluded.items()
    return any(
        _compares_text(operator, operand, value) for operand in (listed if isinstance(listed, list) else [listed])
    )


def _compares_text(operator: str, operand: Any, value: str) -> bool:
    if isinstance(operand, Mapping):
        operand, value = str(operand["equals-ignore-case"]).lower(), value.lower()
    if operator == "prefix":
        return value.startswith(operand)
    if operator == "suffix":
        return value.endswith(operand)
    if operator == "equals-ignore-case":
        return value.lower() == operand.lower()
    if operator == "exactly":
        return value == operand
    if operator == "wildcard" and "\\" not in operand:
        return re.fullmatch(".*".join(map(re.escape, operand.split("*"))), value, re.DOTALL) is not None
    # Address ranges and backslash escapes are not evaluated.
    return operator == "wildcard" or (operator == "cidr" and _is_address(value))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
