"""Reads event patterns: whether EventBridge takes one, and whether it can match an event of a known shape.

(https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html)
"""

import ipaddress
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

Pattern = Mapping[str, Any]

ENVELOPE = frozenset(
    {"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail", "replay-name"}
)
"""All that an event has at its top."""
OR = "$or"
MOST_BRANCHES = 256
"""Combinations of alternatives that are looked at; EventBridge itself refuses more than 1 000."""


# --- whether it is a pattern -----------------------------------------------------------------------------------------


def fault(pattern: Any) -> str | None:
    """What EventBridge would refuse in a pattern; None where it would take it."""
    if not isinstance(pattern, Mapping):
        return "it is no JSON object"
    if not pattern:
        return "it is empty"
    return next(_faults(pattern, ""), None)


def _faults(pattern: Pattern, path: str) -> Iterator[str]:
    for key, value in pattern.items():
        here = f"{path}.{key}" if path else str(key)
        if key == OR and isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
            if len(value) < 2:
                yield f"{here} needs two alternatives or more"
            for one in value:
                yield from _faults(one, path) if one else [f"an alternative of {here} is empty"]
        elif isinstance(value, Mapping):
            yield from _faults(value, here) if value else [f"{here} is an empty object"]
        elif not isinstance(value, list):
            yield f"{here} is {json.dumps(value)}, and has to be a list of values: [{json.dumps(value)}]"
        elif not value:
            yield f"{here} is an empty list"
        else:
            yield from (f"{here}: {found}" for one in value for found in _wrong_alternative(one))


def _wrong_alternative(one: Any) -> Iterator[str]:
    if isinstance(one, list):
        yield "a list lies in a list"
    if not isinstance(one, Mapping):
        return
    if len(one) != 1:
        yield f"{json.dumps(one)} has to be one comparison"
        return
    ((operator, given),) = one.items()
    if operator not in _OPERATORS:
        yield f"there is no comparison {operator}"
    elif not _OPERATORS[operator](given):
        yield f"{operator} does not take {json.dumps(given)}"


def _is_text(given: Any) -> bool:
    return isinstance(given, str)


def _is_number(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)


def _is_affix(given: Any) -> bool:
    if isinstance(given, Mapping):
        return list(given) == ["equals-ignore-case"] and _is_text(given["equals-ignore-case"])
    return _is_text(given)


def _is_excluded(given: Any) -> bool:
    if isinstance(given, Mapping):
        ((operator, inner),) = given.items() if len(given) == 1 else (("", None),)
        known = operator in ("prefix", "suffix", "equals-ignore-case", "wildcard")
        return known and all(_is_affix(one) for one in (inner if isinstance(inner, list) else [inner]))
    listed = given if isinstance(given, list) else [given]
    return bool(listed) and (all(map(_is_text, listed)) or all(map(_is_number, listed)))


def _is_network(given: Any) -> bool:
    try:
        return _is_text(given) and "/" in given and ipaddress.ip_network(given, strict=False) is not None
    except ValueError:
        return False


def _is_range(given: Any) -> bool:
    if not isinstance(given, list) or len(given) not in (2, 4):
        return False
    if not all(_is_number(one) for one in given[1::2]):
        return False
    if len(given) == 2:
        return given[0] in ("=", "<", "<=", ">", ">=")
    return given[0] in (">", ">=") and given[2] in ("<", "<=") and given[1] < given[3]


_OPERATORS = {
    "prefix": _is_affix,
    "suffix": _is_affix,
    "equals-ignore-case": _is_text,
    "wildcard": lambda given: _is_text(given) and "**" not in given,
    "anything-but": _is_excluded,
    "numeric": _is_range,
    "exists": lambda given: isinstance(given, bool),
    "cidr": _is_network,
}


# --- what it can match -----------------------------------------------------------------------------------------------


class Field(Enum):
    """What a field of a known event may hold, where it is not one text."""

    ANYTHING = "anything, or nothing at all"
    TEXT = "some text"
    ABSENT = "it is not there"


class Open(dict):
    """An object of which only some fields are known: the others may hold anything."""


def branches(pattern: Pattern) -> list[Pattern]:
    """The patterns without `$or` that this one stands for; none where there are too many to look at."""
    parts: list[list[Pattern]] = []
    for key, value in pattern.items():
        if key == OR and isinstance(value, list):
            parts.append([inner for one in value if isinstance(one, Mapping) for inner in branches(one)])
        elif isinstance(value, Mapping):
            parts.append([{key: inner} for inner in branches(value)])
        else:
            parts.append([{key: value}])
        size = 1
        for part in parts:
            size *= len(part)
        if not 0 < size <= MOST_BRANCHES:
            return []
    return [_merged(chosen) for chosen in itertools.product(*parts)]


def _merged(patterns: tuple[Pattern, ...]) -> Pattern:
    merged: dict[str, Any] = {}
    for pattern in patterns:
        for key, value in pattern.items():
            both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
            merged[key] = _merged((merged[key], value)) if both else value
    return merged


def alternatives(pattern: Pattern, *path: str) -> list[Any]:
    """The values that a field may have; none where the pattern does not say."""
    found: Any = pattern
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, list) else []


def replaced(pattern: Pattern, value: list[Any], *path: str) -> Pattern:
    """The same pattern with other values for one field."""
    key, *rest = path
    inner = pattern.get(key)
    return {**pattern, key: replaced(inner if isinstance(inner, Mapping) else {}, value, *rest) if rest else value}


def can_match(pattern: Pattern, event: Any) -> bool:
    """Whether a pattern without `$or` matches some event of this shape."""
    if event is Field.ANYTHING:
        return True
    known = event if isinstance(event, Mapping) else {}
    for key, wanted in pattern.items():
        value = known.get(key, Field.ANYTHING if isinstance(known, Open) else Field.ABSENT)
        if isinstance(wanted, Mapping):
            if not can_match(wanted, value):
                return False
        elif not any(_takes(one, value) for one in wanted):
            return False
    return True


def takes(alternative: Any, text: str) -> bool:
    """Whether one value of a pattern matches this text."""
    return _takes(alternative, text)


def _takes(alternative: Any, value: Any) -> bool:
    if value is Field.ANYTHING:
        return True
    if isinstance(alternative, Mapping):
        return _compares(*next(iter(alternative.items())), value)
    if value is Field.TEXT:
        return isinstance(alternative, str)
    return not isinstance(value, Field | Mapping) and alternative == value and type(alternative) is type(value)


def _compares(operator: str, given: Any, value: Any) -> bool:
    if operator == "exists":
        # A field that holds an object does not exist in this sense: only its leaves do.
        return given is not (value is Field.ABSENT or isinstance(value, Mapping))
    if value is None and operator == "anything-but":
        return True
    if not isinstance(value, str):
        return value is Field.TEXT and operator != "numeric"
    if operator == "anything-but":
        return not any(_is_excluded_by(one, value) for one in (given if isinstance(given, list) else [given]))
    return _compares_text(operator, given, value)


def _is_excluded_by(given: Any, value: str) -> bool:
    if not isinstance(given, Mapping):
        return given == value
    ((operator, listed),) = given.items()
    return any(_compares_text(operator, one, value) for one in (listed if isinstance(listed, list) else [listed]))


def _compares_text(operator: str, given: Any, value: str) -> bool:
    if isinstance(given, Mapping):
        given, value = str(given["equals-ignore-case"]).lower(), value.lower()
    if operator == "prefix":
        return value.startswith(given)
    if operator == "suffix":
        return value.endswith(given)
    if operator == "equals-ignore-case":
        return value.lower() == given.lower()
    if operator == "wildcard" and "\\" not in given:
        return re.fullmatch(".*".join(map(re.escape, given.split("*"))), value, re.DOTALL) is not None
    return operator == "wildcard"
