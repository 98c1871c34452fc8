"""Unfinished incidents: each is listed from its opening until the notification of its end is published.

An execution may be aborted between any two states. The next event of the secret, or the next audit, then finds its
incident in this list, and another execution resumes it. Each entry is a row in the Incidents table. A resolved incident
has a second entry, because the notification of its end may be published after it was resolved.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from .clients import client
from .items import Item, from_item, to_item

READING_ACTIONS = frozenset({"dynamodb:Query", "dynamodb:GetItem"})
REMOVING_ACTIONS = frozenset({"dynamodb:DeleteItem"})
_PARTITION, _RESOLVED = "unfinished", "resolved"


class StalledIncident(NamedTuple):
    """An incident whose workflow is overdue."""

    secret_arn: str
    opened_at: str


class UnfinishedIncidents:
    """The list in the Incidents table of this name."""

    def __init__(self, table_name: str) -> None:
        self.table_name = table_name
        self._dynamodb = client("dynamodb")

    def find_stalled(self, now: int, secret_arn: str | None = None) -> Iterator[StalledIncident]:
        """Find incidents, of one secret or of all, whose workflow is overdue at `now`, in epoch seconds.

        An incident without a row of its own counts as stalled.
        """
        for incident in self._list(secret_arn):
            alive_until = self._read_alive_until(incident)
            if alive_until is None or alive_until < now:
                yield incident

    def count(self) -> int:
        """Count the unfinished incidents."""
        return sum(1 for _ in self._list(None))

    def _list(self, secret_arn: str | None) -> Iterator[StalledIncident]:
        of_secret = " AND begins_with(opened_at, :prefix)" if secret_arn else ""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self.table_name,
            KeyConditionExpression=f"secret_arn = :unfinished{of_secret}",
            ExpressionAttributeValues=to_item(
                {":unfinished": _PARTITION, **({":prefix": f"{secret_arn}#"} if secret_arn else {})}
            ),
            ConsistentRead=True,
        )
        previous = None
        for page in pages:
            for item in page["Items"]:
                row = from_item(item)
                incident = StalledIncident(row["incident_arn"], row["incident_opened_at"])
                if incident != previous:
                    yield incident
                previous = incident

    def _read_alive_until(self, incident: StalledIncident) -> int | None:
        response = self._dynamodb.get_item(
            TableName=self.table_name,
            Key=to_item({"secret_arn": incident.secret_arn, "opened_at": incident.opened_at}),
            ProjectionExpression="alive_until",
            ConsistentRead=True,
        )
        return int(from_item(response["Item"]).get("alive_until", 0)) if "Item" in response else None

    def contains(self, secret_arn: str, opened_at: str) -> bool:
        """Whether this incident is unfinished."""
        response = self._dynamodb.get_item(
            TableName=self.table_name, Key=build_key(secret_arn, opened_at), ConsistentRead=True
        )
        return "Item" in response

    def add(self, secret_arn: str, opened_at: str) -> None:
        """Add an incident; adding it again changes nothing."""
        self._dynamodb.put_item(TableName=self.table_name, Item=to_item(build_row(secret_arn, opened_at)))

    def remove(self, secret_arn: str, opened_at: str, *, is_resolution_published: bool = False) -> None:
        """Remove an incident once its end is published, and also its second entry once its resolution is."""
        for is_resolved in (False, True) if is_resolution_published else (False,):
            self._dynamodb.delete_item(TableName=self.table_name, Key=to_item(_key(secret_arn, opened_at, is_resolved)))


def build_row(secret_arn: str, opened_at: str, *, is_resolved: bool = False) -> dict[str, Any]:
    """The row that lists an incident, or its resolution."""
    return {**_key(secret_arn, opened_at, is_resolved), "incident_arn": secret_arn, "incident_opened_at": opened_at}


def build_key(secret_arn: str, opened_at: str) -> Item:
    """The key of the row that lists an incident."""
    return to_item(_key(secret_arn, opened_at))


def _key(secret_arn: str, opened_at: str, is_resolved: bool = False) -> dict[str, str]:
    parts = (secret_arn, opened_at, _RESOLVED) if is_resolved else (secret_arn, opened_at)
    return {"secret_arn": _PARTITION, "opened_at": "#".join(parts)}
