"""Tables: what was written can be restored, is not deleted by mistake, and expires where it is history."""

import re
from fnmatch import fnmatchcase

from .. import kinds
from ..rule import Complaints, rule
from ..stack import Resource

_ROWS = frozenset({"entries", "entry", "records", "record", "rows", "row", "items", "events", "lines"})
"""What history consists of: an audit-events table is one, an events table need not be."""
_AROUND = frozenset({"table", "tables", "tbl", "db", "dev", "test", "staging", "stage", "prod", "production"})

_GUIDE = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide"


@rule(kinds.TABLE, severity="medium", enforcement="mandatory", link=f"{_GUIDE}/PointInTimeRecovery_Howitworks.html")
def table_is_restorable(table: Resource) -> Complaints:
    """A table can be restored to any second of the last days."""
    if table.flag("pointInTimeRecovery.enabled", absent=False):
        return None
    found = "is false" if table.has("pointInTimeRecovery.enabled") else "is absent"
    return (
        f"What is overwritten or deleted by mistake in the table {table.name} is gone: pointInTimeRecovery.enabled "
        f"{found}. Set it to true."
    )


@rule(
    kinds.TABLE,
    severity="medium",
    enforcement="mandatory",
    link=f"{_GUIDE}/WorkingWithTables.Basics.html",
    parameters={
        "developmentStacks": {
            "type": "array",
            "items": {"type": "string"},
            "default": ["dev", "dev-*", "*-dev", "development"],
            "description": "Stacks whose tables may be deleted with them; * stands for anything.",
        }
    },
)
def table_is_protected_from_deletion(table: Resource, *, development_stacks: list[str]) -> Complaints:
    """A table is protected from deletion, except in a stack for development."""
    stack = _stack_name(table)
    if any(fnmatchcase(stack, pattern) for pattern in development_stacks):
        return None
    if table.flag("deletionProtectionEnabled", absent=False):
        return None
    found = "is false" if table.has("deletionProtectionEnabled") else "is absent"
    return (
        f"The table {table.name} of the stack {stack} goes with everything in it when its resource is replaced or "
        f"removed: deletionProtectionEnabled {found}. Set it to true."
    )


@rule(
    kinds.TABLE,
    severity="low",
    enforcement="advisory",
    link=f"{_GUIDE}/TTL.html",
    parameters={
        "historyWords": {
            "type": "array",
            "items": {"type": "string"},
            "default": ["history", "histories", "audit", "trail", "log", "logs", "journal", "runs", "incidents"],
            "description": "Words that a history's name ends with, be it alone or before such as -events or -table.",
        }
    },
)
def table_of_history_expires(table: Resource, *, history_words: list[str]) -> Complaints:
    """A table that keeps history has a time to live, so that it does not grow for ever."""
    wanted = {word.lower() for word in history_words}
    physical = table.value("name")
    if not any(_is_history(name, wanted) for name in (table.name, physical) if isinstance(name, str)):
        return None
    if table.flag("ttl.enabled", absent=False):
        return None
    found = "ttl.enabled is not true" if table.has("ttl") else "ttl is absent"
    return (
        f"The table {table.name} keeps history, by its name, and grows for ever: {found}. Set ttl to the attributeName "
        "that holds the seconds at which a row expires, and enabled to true."
    )


def _stack_name(resource: Resource) -> str:
    """The name of the stack, which is in the URN."""
    return resource.urn.removeprefix("urn:pulumi:").partition("::")[0]


def _is_history(name: str, wanted: set[str]) -> bool:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()
    words = re.findall(r"[a-z0-9]+", spaced)
    # The stack's name and what the provider adds come last.
    while words and (words[-1] in _AROUND or re.search(r"\d", words[-1])):
        words.pop()
    if not words:
        return False
    return words[-1] in wanted or (words[-1] in _ROWS and any(word in wanted for word in words[-2:-1]))
