"""The tables whose rows are chains: their keys, and what a link covers of a row.

A row of the audit trail never changes, so its link covers all of it. An incident changes until it is closed, so it gets
its link then; a link therefore names the attributes that it covers. What is added later (notifications, reminders, a
release) is not covered, but for one thing: once an incident is resolved, a second link covers that.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from .links import CHAIN_OF, HEAD, LINK, Item

RESOLUTION_LINK = "resolution_link"
"""The attribute of a resolved incident."""
PENDING = timedelta(days=1)
"""How long after an incident was closed or resolved its link may be missing: a later step adds it, or an execution that
the next audit starts."""
_COVERED, _ACTIONS = "covered", "covered_actions"
_CHANGES_AFTER_CLOSING = frozenset(
    {
        "alive_until",
        "ended_by",
        "execution",
        "new_value_versions",
        "reminded_at",
        "reminded_step",
        "resolved_at",
        "resolved_by",
        "resolved_outcome",
        "resumed_by",
        LINK,
        RESOLUTION_LINK,
    }
)
"""What later steps write to a closed incident, besides `actions` and `outcome`."""
_RESOLUTION = frozenset(
    {
        "secret_arn",
        "opened_at",
        "outcome",
        "resolved_outcome",
        "resolved_at",
        "resolved_by",
        "new_value_versions",
        "expires_at",
    }
)
"""What the second link covers."""


class LinkedContent(NamedTuple):
    """What a row brings into its chain: once, or for a resolved incident twice."""

    key: str
    """The sort key, for people."""
    content: Item
    link: Any
    """The value of its link, None if it has none."""
    recorded_at: str


class NewLink(NamedTuple):
    """A link that a row is due for."""

    attribute: str
    content: Item
    extent: Item


@dataclass(frozen=True)
class ChainedTable:
    """A table whose rows are chains."""

    name: str
    """Its name in options and reports."""
    title: str
    """Its name in sentences."""
    output: str
    """The output of the stack that has the table's own name."""
    sort_key: str

    def is_head(self, item: Item) -> bool:
        """Whether a row is the head of a chain."""
        return item[self.sort_key].get("S") == HEAD and CHAIN_OF in item

    def read(self, item: Item, now: datetime) -> Iterator[LinkedContent]:
        """What this row brings into its chain; nothing if it does not belong to one, or not yet."""
        if self is AUDIT_TRAIL:
            content = {name: value for name, value in item.items() if name != LINK}
            yield LinkedContent(read_text(item, self.sort_key), content, item.get(LINK), read_text(item, "recorded_at"))
        elif read_text(item, "secret_arn").startswith("arn:"):
            yield from _read_incident(item, now)


AUDIT_TRAIL = ChainedTable("trail", "audit trail", "audit_trail_table_name", "recorded")
INCIDENTS = ChainedTable("incidents", "table of incidents", "incidents_table_name", "opened_at")
CHAINED_TABLES = (AUDIT_TRAIL, INCIDENTS)


def list_due_links(item: Item) -> Iterator[NewLink]:
    """The links that a closed incident is due for and does not have."""
    if read_text(item, "state") != "closed":
        return
    if LINK not in item:
        names = sorted(item.keys() - _CHANGES_AFTER_CLOSING - {"actions"})
        actions = item.get("actions", {}).get("L", [])
        extent = {_COVERED: {"L": [{"S": name} for name in names]}, _ACTIONS: {"N": str(len(actions))}}
        yield NewLink(LINK, _select(item, extent, LINK), extent)
    if "resolved_at" in item and RESOLUTION_LINK not in item:
        extent = {_COVERED: {"L": [{"S": name} for name in sorted(_RESOLUTION & item.keys())]}}
        yield NewLink(RESOLUTION_LINK, _select(item, extent, RESOLUTION_LINK), extent)


def read_text(item: Item, name: str) -> str:
    """The text of an attribute; empty if it has none."""
    return item.get(name, {}).get("S", "")


def _read_incident(item: Item, now: datetime) -> Iterator[LinkedContent]:
    key = read_text(item, "opened_at")
    for attribute, at in ((LINK, "closed_at"), (RESOLUTION_LINK, "resolved_at")):
        link, ended_at = item.get(attribute), read_text(item, at)
        if link is not None:
            fields = link.get("M") if isinstance(link, Mapping) else None
            name = key if attribute == LINK else f"{key}, resolved"
            yield LinkedContent(name, _select(item, fields or {}, attribute), link, ended_at)
        elif ended_at and _is_older(ended_at, now - PENDING):
            # Once an incident has its first link, its resolution is never without one.
            missing = {} if attribute == RESOLUTION_LINK and LINK in item else None
            yield LinkedContent(key if attribute == LINK else f"{key}, resolved", {}, missing, ended_at)


def _select(item: Item, extent: Item, attribute: str) -> Item:
    """The part of an incident that this link covers; what is malformed covers nothing."""
    try:
        names = [entry["S"] for entry in extent[_COVERED]["L"]]
        count = int(extent.get(_ACTIONS, {"N": "0"})["N"])
        content = {name: item[name] for name in names if name in item}
        if count:
            content["actions"] = {"L": item["actions"]["L"][:count]}
    except (KeyError, TypeError, ValueError, IndexError):
        return {}
    if attribute == LINK and "resolved_outcome" in item and "outcome" in content:
        content["outcome"] = item["resolved_outcome"]
    return content


def _is_older(at: str, limit: datetime) -> bool:
    try:
        return datetime.fromisoformat(at) < limit
    except (ValueError, TypeError):
        return True
