"""Reads the statements of a policy, in which AWS takes one text for a list of one."""

from collections.abc import Iterable, Mapping
from typing import Any


def listed(value: str | list[str]) -> list[str]:
    """The texts, be it one or several."""
    return [value] if isinstance(value, str) else value


def actions(statements: Iterable[Mapping[str, Any]]) -> set[str]:
    """Everything that is allowed."""
    return {action for statement in statements for action in listed(statement["Action"])}
