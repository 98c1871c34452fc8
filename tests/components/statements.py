"""Reads the statements of a policy, in which a string means a list of one string."""

from collections.abc import Iterable, Mapping
from typing import Any


def as_list(value: str | list[str]) -> list[str]:
    """The value as a list."""
    return [value] if isinstance(value, str) else value


def actions(statements: Iterable[Mapping[str, Any]]) -> set[str]:
    """All actions of the statements."""
    return {action for statement in statements for action in as_list(statement["Action"])}
