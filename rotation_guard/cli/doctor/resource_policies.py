"""Whether a policy document lets somebody do something, as far as it says so by itself. Pure.

Only conditions that are known here are evaluated; with any other the answer is that it cannot be told
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html).
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

ALLOWED, DENIED, UNKNOWN = "allowed", "denied", "unknown"
_EQUALS, _LIKE = "equals", "like"
_OPERATORS = {
    "stringequals": _EQUALS,
    "stringequalsignorecase": _EQUALS,
    "stringlike": _LIKE,
    # Both take wildcards (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html).
    "arnequals": _LIKE,
    "arnlike": _LIKE,
    "bool": _EQUALS,
}


@dataclass(frozen=True)
class Request:
    """A call that a policy has to admit."""

    action: str
    resource: str = ""
    """An ARN; empty if the resource is not compared."""
    service: str = ""
    """The AWS service that calls; empty for a policy of the caller itself."""
    context: Mapping[str, str] = field(default_factory=dict)
    """Condition keys in lower case, and their values."""


def parse(document: object) -> list[Mapping[str, Any]]:
    """The statements of a policy document, which is a text or already parsed; none of an empty text.

    Raises ValueError.
    """
    if isinstance(document, str):
        document = json.loads(document) if document.strip() else {}
    if not isinstance(document, Mapping):
        raise ValueError("a policy document must be an object")
    return [statement for statement in to_list(document.get("Statement")) if isinstance(statement, Mapping)]


def decide(statements: Iterable[Mapping[str, Any]], request: Request) -> str:
    """Whether these statements allow the request: ALLOWED, DENIED or UNKNOWN."""
    results = [(statement.get("Effect"), _applies(statement, request)) for statement in statements]
    if ("Deny", ALLOWED) in results:
        return DENIED
    if ("Deny", UNKNOWN) in results:
        return UNKNOWN
    allows = [result for effect, result in results if effect == "Allow"]
    return next((result for result in (ALLOWED, UNKNOWN) if result in allows), DENIED)


def list_actions(statements: Iterable[Mapping[str, Any]]) -> list[str]:
    """The actions that these statements allow, as they are written."""
    allowed = (statement for statement in statements if statement.get("Effect") == "Allow")
    return list(dict.fromkeys(action for statement in allowed for action in to_list(statement.get("Action"))))


def matches(pattern: str, text: str) -> bool:
    """Whether a text matches a pattern with `*` and `?`."""
    return _compile(pattern).fullmatch(text) is not None


def to_list(value: object) -> list[Any]:
    """The elements of a list, or of what a policy may have in place of a list with one element."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _applies(statement: Mapping[str, Any], request: Request) -> str:
    """Whether a statement is about the request: ALLOWED if it is, DENIED if not, UNKNOWN if that cannot be told."""
    if not (_names_action(statement, request) and _names_resource(statement, request)):
        return DENIED
    if request.service and not _names_service(statement, request.service):
        return DENIED
    results = [
        _holds(operator, key, to_list(expected), request)
        for operator, keys in (statement.get("Condition") or {}).items()
        for key, expected in keys.items()
    ]
    return next((result for result in (DENIED, UNKNOWN) if result in results), ALLOWED)


def _names_action(statement: Mapping[str, Any], request: Request) -> bool:
    action = request.action.lower()
    if "NotAction" in statement:
        return not any(matches(pattern.lower(), action) for pattern in to_list(statement["NotAction"]))
    return any(matches(pattern.lower(), action) for pattern in to_list(statement.get("Action")))


def _names_resource(statement: Mapping[str, Any], request: Request) -> bool:
    if not request.resource:
        return True
    if "NotResource" in statement:
        return not any(matches(pattern, request.resource) for pattern in to_list(statement["NotResource"]))
    return any(matches(pattern, request.resource) for pattern in to_list(statement.get("Resource", "*")))


def _names_service(statement: Mapping[str, Any], service: str) -> bool:
    principal = statement.get("Principal")
    if principal == "*":
        return True
    if not isinstance(principal, Mapping):
        return False
    return service in to_list(principal.get("Service")) or "*" in to_list(principal.get("AWS"))


def _holds(operator: str, key: str, expected: list[Any], request: Request) -> str:
    name = operator.lower()
    comparison = _OPERATORS.get(name.removesuffix("ifexists"))
    actual = request.context.get(key.lower())
    if actual is None and name.endswith("ifexists"):
        return ALLOWED
    if comparison is None or actual is None:
        return UNKNOWN
    values = (str(value) for value in expected)
    if comparison == _LIKE:
        return ALLOWED if any(matches(value, actual) for value in values) else DENIED
    return ALLOWED if any(value.lower() == actual.lower() for value in values) else DENIED


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)
