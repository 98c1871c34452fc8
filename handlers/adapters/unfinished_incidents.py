"""Incidents that are unfinished: each is listed from its opening until people were told how it ended.

An execution may be aborted between any two states. What it was working on is then found here, by the next event of the
secret or by the next audit, and resumed by another execution. Each is a row in the table of the incidents. That an
incident was resolved is a row of its own: the notice of how it ended may be sent after that, and settles only itself.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from .clients import client
from .items import Item, from_item, to_item

LOOKING_ACTIONS = frozenset({"dynamodb:Query", "dynamodb:GetItem"})
REMOVING_ACTIONS = frozenset({"dynamodb:DeleteItem"})
_PARTITION, _RESOLVED = "unfinished", "resolved"


class Stalled(NamedTuple):
    """An incident that nobody has been heard of in time."""

    secret_arn: str
    opened_at: str


class UnfinishedIncidents:
    """The rows of that kind, in the table of this name."""

    def __init__(self, table_name: str) -> None:
        self._table_name = table_name
        self._dynamodb = client("dynamodb")

    def stalled(self, now: int, secret_arn: str | None = None) -> Iterator[Stalled]:
        """Those whose execution should have been heard of before `now`, epoch seconds; of one secret, or of all.

        One whose own row is missing is among them.
        """
        for listed in self._listed(secret_arn):
            known = self._alive_until(listed)
            if known is None or known < now:
                yield listed

    def count(self) -> int:
        """How many incidents are unfinished."""
        return sum(1 for _ in self._listed(None))

    def _listed(self, secret_arn: str | None) -> Iterator[Stalled]:
        of_secret = " AND begins_with(opened_at, :prefix)" if secret_arn else ""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression=f"secret_arn = :unfinished{of_secret}",
            ExpressionAttributeValues=to_item(
                {":unfinished": _PARTITION, **({":prefix": f"{secret_arn}#"} if secret_arn else {})}
            ),
            ConsistentRead=True,
        )
        before = None
        for page in pages:
            for stored in page["Items"]:
                known = from_item(stored)
                listed = Stalled(known["incident_arn"], known["incident_opened_at"])
                if listed != before:
                    yield listed
                before = listed

    def _alive_until(self, incident: Stalled) -> int | None:
        answer = self._dynamodb.get_item(
            TableName=self._table_name,
            Key=to_item({"secret_arn": incident.secret_arn, "opened_at": incident.opened_at}),
            ProjectionExpression="alive_until",
            ConsistentRead=True,
        )
        return int(from_item(answer["Item"]).get("alive_until", 0)) if "Item" in answer else None

    def lists(self, secret_arn: str, opened_at: str) -> bool:
        """Whether this one is unfinished."""
        answer = self._dynamodb.get_item(
            TableName=self._table_name, Key=key(secret_arn, opened_at), ConsistentRead=True
        )
        return "Item" in answer

    def add(self, secret_arn: str, opened_at: str) -> None:
        """Lists one; once more changes nothing."""
        self._dynamodb.put_item(TableName=self._table_name, Item=to_item(listing(secret_arn, opened_at)))

    def remove(self, secret_arn: str, opened_at: str, *, is_resolution_told: bool = False) -> None:
        """Takes one from the list, as people were told how it ended; or also that it is resolved."""
        for is_resolved in (False, True) if is_resolution_told else (False,):
            self._dynamodb.delete_item(
                TableName=self._table_name, Key=to_item(_key(secret_arn, opened_at, is_resolved))
            )


def listing(secret_arn: str, opened_at: str, *, is_resolved: bool = False) -> dict[str, Any]:
    """The row that lists an incident, or that it was resolved."""
    return {**_key(secret_arn, opened_at, is_resolved), "incident_arn": secret_arn, "incident_opened_at": opened_at}


def key(secret_arn: str, opened_at: str) -> Item:
    """The key of the row that lists an incident."""
    return to_item(_key(secret_arn, opened_at))


def _key(secret_arn: str, opened_at: str, is_resolved: bool = False) -> dict[str, str]:
    parts = (secret_arn, opened_at, _RESOLVED) if is_resolved else (secret_arn, opened_at)
    return {"secret_arn": _PARTITION, "opened_at": "#".join(parts)}
