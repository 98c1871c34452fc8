"""DynamoDB tables: they can be restored, are protected from deletion, and their history expires."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ..model import resource_types, values
from ..model.finding import Complaints, Finding
from ..model.rule import check_each, rule
from ..model.stack import Resource
from ..model.values import Undecided

_ENTRY_WORDS = frozenset({"entries", "entry", "records", "record", "rows", "row", "items", "events", "lines"})
"""Last words of a history table's name after a history word: audit-events, but not events alone."""
_IGNORED_WORDS = frozenset({"table", "tables", "tbl", "db", "dev", "test", "staging", "stage", "prod", "production"})

_GUIDE = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide"


@rule(
    resource_types.TABLE,
    resource_types.TABLE_REPLICA,
    severity="medium",
    enforcement="advisory",
    link=f"{_GUIDE}/PointInTimeRecovery_Howitworks.html",
)
def table_is_restorable(table: Resource) -> Complaints:
    """A table, and each of its replicas, has point-in-time recovery.

    Set pointInTimeRecovery.enabled to true.
    """

    def check(part: Part) -> Complaints:
        path = "pointInTimeRecovery.enabled" if part.of_table else "pointInTimeRecovery"
        if part.flag(path):
            return None
        return Finding(
            f"Items of {part.name} that are overwritten or deleted by mistake cannot be restored: {path} "
            f"{part.state(path)}.",
            f"Set {path} to true.",
        )

    yield from check_each(_parts(table), check)


@rule(
    resource_types.TABLE,
    resource_types.TABLE_REPLICA,
    severity="medium",
    enforcement="advisory",
    link=f"{_GUIDE}/WorkingWithTables.Basics.html",
    parameters={
        "developmentStacks": {
            "type": "array",
            "items": {"type": "string"},
            "default": ["dev", "dev-*", "*-dev", "development"],
            "description": "Stacks, or patterns of their names, whose tables need no deletion protection.",
        }
    },
)
def table_is_protected_from_deletion(table: Resource, *, development_stacks: list[str]) -> Complaints:
    """A table, and each of its replicas, has deletion protection, except in development stacks.

    Set deletionProtectionEnabled to true.
    """
    stack = _stack_name(table)
    if any(fnmatchcase(stack, pattern) for pattern in development_stacks):
        return

    def check(part: Part) -> Complaints:
        path = "deletionProtectionEnabled"
        if part.flag(path):
            return None
        return Finding(
            f"In the stack {stack}, {part.name} is deleted with all its items when the resource is replaced or "
            f"removed: {path} {part.state(path)}.",
            f"Set {path} to true.",
        )

    yield from check_each(_parts(table), check)


@rule(
    resource_types.TABLE,
    severity="low",
    enforcement="advisory",
    link=f"{_GUIDE}/TTL.html",
    parameters={
        "historyWords": {
            "type": "array",
            "items": {"type": "string"},
            "default": ["history", "histories", "audit", "trail", "log", "logs", "journal", "runs", "incidents"],
            "description": "Words at the end of a history table's name, alone or before words such as events or table.",
        }
    },
)
def table_of_history_expires(table: Resource, *, history_words: list[str]) -> Complaints:
    """A table that keeps history has a time to live, so that it does not grow forever.

    Set ttl.attributeName to the attribute that holds the expiry time in epoch seconds, and ttl.enabled to true.
    """
    wanted = {word.lower() for word in history_words}
    physical = table.value("name")
    if not any(_is_history(name, wanted) for name in (table.name, physical) if isinstance(name, str)):
        return None
    if table.flag("ttl.enabled", absent=False):
        return None
    state = "ttl.enabled is not true" if table.has("ttl") else "ttl is absent"
    return Finding(
        f"The table {table.name} is named as a history and grows forever: {state}.",
        "Set ttl.attributeName to the attribute that holds the expiry time in epoch seconds, and ttl.enabled to true.",
    )


@dataclass(frozen=True)
class Part:
    """A table or a replica."""

    name: str
    """The name in messages."""
    values: Any
    of_table: bool

    def flag(self, path: str) -> bool:
        """Whether a setting is on. Raises Undecided where that is unknown."""
        return bool(values.flag(values.get_path(self.values, path)))

    def state(self, path: str) -> str:
        """Describe a setting that is not on."""
        return "is absent" if values.get_path(self.values, path) is None else "is false"


def _parts(table: Resource) -> Iterator[Part]:
    if table.type == resource_types.TABLE_REPLICA:
        yield Part(f"the replica {table.name}", table.props, of_table=False)
        return
    yield Part(f"the table {table.name}", table.props, of_table=True)
    try:
        replicas = table.items("replicas")
    except Undecided:
        return
    for replica in replicas:
        if isinstance(replica, Mapping):
            region = replica.get("regionName")
            where = region if isinstance(region, str) else "another Region"
            yield Part(f"the replica of {table.name} in {where}", replica, of_table=False)


def _stack_name(resource: Resource) -> str:
    """The name of the stack in the URN."""
    return resource.urn.removeprefix("urn:pulumi:").partition("::")[0]


def _is_history(name: str, wanted: set[str]) -> bool:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()
    words = re.findall(r"[a-z0-9]+", spaced)
    # The stack's name and the provider's random suffix come last.
    while words and (words[-1] in _IGNORED_WORDS or re.search(r"\d", words[-1])):
        words.pop()
    if not words:
        return False
    return words[-1] in wanted or (words[-1] in _ENTRY_WORDS and any(word in wanted for word in words[-2:-1]))
