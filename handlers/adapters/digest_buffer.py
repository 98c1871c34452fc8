"""Rate-limited incidents that wait for a notification; one digest covers many of them.

The first execution to add a row owns the digest: it waits, releases its ownership, reads, publishes and deletes. A row
that is added after the read has a new owner. A row is deleted only after its publication, so a crash may publish it
twice but never loses it.

In the table, `held` is the partition of these rows and `teller` the key of the owner's.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from . import unfinished_incidents
from .clients import client
from .items import from_item, to_item
from .row_updates import update_row

ACTIONS = frozenset({"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query", "dynamodb:DeleteItem"})
OWNERSHIP_SECONDS = 900
"""How long ownership lasts: far longer than the owner waits and its steps are retried. If the owner died, the next
rate-limited incident gets a new owner for all rows."""
DELETED_AT_ONCE = 50
"""Incidents per transaction: each needs two of the 100 writes that a transaction allows
(https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html)."""
_PARTITION, _OWNER = "held", "teller"

Row = dict[str, Any]


class DigestBuffer:
    """The buffer in the Incidents table of this name."""

    def __init__(self, table_name: str) -> None:
        self._table_name = table_name
        self._dynamodb = client("dynamodb")

    def add(
        self,
        secret_arn: str,
        opened_at: str,
        secret_name: str | None,
        owner: str | None = None,
        severity: str | None = None,
    ) -> None:
        """Add an incident; adding it again changes nothing."""
        incident = {"held_arn": secret_arn, "held_since": opened_at, "secret_name": secret_name}
        incident |= {"owner": owner, "severity": severity}
        self._dynamodb.put_item(TableName=self._table_name, Item=to_item({**_key(secret_arn, opened_at), **incident}))

    def claim_ownership(self, execution: str, now: int) -> bool:
        """Whether this execution owns the digest now; `now` is in epoch seconds. Add the incident first."""
        return update_row(
            self._table_name,
            to_item(_OWNER_KEY),
            {"holder": execution, "until": now + OWNERSHIP_SECONDS},
            condition="attribute_not_exists(#until) OR #until < :now OR #holder = :execution",
            values={":now": now, ":execution": execution},
        )

    def read_and_release(self, execution: str) -> list[Row]:
        """Release the ownership, then read all rows, oldest first.

        Each has `secret_arn`, `opened_at`, `secret_name`, `owner` and `severity`. A row that is added from now on
        belongs to the next owner.
        """
        self._release(execution)
        rows, start = [], None
        while True:
            response = self._dynamodb.query(
                TableName=self._table_name,
                KeyConditionExpression="secret_arn = :partition AND opened_at < :owner",
                ExpressionAttributeValues=to_item({":partition": _PARTITION, ":owner": _OWNER}),
                ConsistentRead=True,
                **({"ExclusiveStartKey": start} if start else {}),
            )
            rows += [from_item(item) for item in response["Items"]]
            start = response.get("LastEvaluatedKey")
            if not start:
                return [
                    {
                        "secret_arn": row["held_arn"],
                        "opened_at": row["held_since"],
                        "secret_name": row.get("secret_name"),
                        **{name: row[name] for name in ("owner", "severity") if name in row},
                    }
                    for row in rows
                ]

    def delete(self, incidents: Sequence[Mapping[str, Any]]) -> None:
        """Delete published incidents, here and from the list of unfinished ones."""
        for start in range(0, len(incidents), DELETED_AT_ONCE):
            keys = []
            for incident in incidents[start : start + DELETED_AT_ONCE]:
                keys.append(to_item(_key(incident["secret_arn"], incident["opened_at"])))
                keys.append(unfinished_incidents.build_key(incident["secret_arn"], incident["opened_at"]))
            self._dynamodb.transact_write_items(
                TransactItems=[{"Delete": {"TableName": self._table_name, "Key": key}} for key in keys]
            )

    def _release(self, execution: str) -> None:
        try:
            self._dynamodb.delete_item(
                TableName=self._table_name,
                Key=to_item(_OWNER_KEY),
                ConditionExpression="holder = :execution",
                ExpressionAttributeValues=to_item({":execution": execution}),
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return  # Another execution owns the digest by now, or this one released it before.


def _key(secret_arn: str, opened_at: str) -> dict[str, str]:
    return {"secret_arn": _PARTITION, "opened_at": f"{opened_at}#{secret_arn}"}


_OWNER_KEY = {"secret_arn": _PARTITION, "opened_at": _OWNER}
