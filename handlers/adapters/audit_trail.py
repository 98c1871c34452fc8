"""The audit trail: a table of events that is added to and never changed."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..domain.history import iso
from ..domain.rotation import RotationEvent
from .clients import client
from .items import item, row

ACTIONS = frozenset({"dynamodb:PutItem"})
LOOKING_ACTIONS = frozenset({"dynamodb:Query"})


class AuditTrail:
    """The table of this name."""

    def __init__(self, table_name: str) -> None:
        self._table_name = table_name
        self._dynamodb = client("dynamodb")

    def append(self, event: RotationEvent, body: Mapping[str, Any], now: datetime, expires_at: int | None) -> bool:
        """Writes the event down, whole. False when it is there already: a copy changes nothing, not even its times."""
        try:
            self._dynamodb.put_item(
                TableName=self._table_name,
                Item=item(
                    {
                        "secret_arn": event.subject,
                        "recorded": f"{event.occurred_at}#{event.identity}",
                        "event_type": event.kind,
                        "timestamp": event.occurred_at,
                        # Not escaped: \u00e9 for each é could take an event over the 400 kB of a row.
                        "full_event": json.dumps(body, separators=(",", ":"), ensure_ascii=False),
                        "recorded_at": iso(now),
                        "rotation_id": event.rotation_id,
                        "expires_at": expires_at,
                    }
                ),
                ConditionExpression="attribute_not_exists(secret_arn)",
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def heard_since(self, secret_arn: str, moment: datetime) -> dict[str, str]:
        """The types of the events about this secret that happened at this moment or later, each with its last time."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression="secret_arn = :arn AND recorded >= :since",
            ExpressionAttributeValues=item({":arn": secret_arn, ":since": iso(moment)}),
            ProjectionExpression="event_type, #timestamp",
            ExpressionAttributeNames={"#timestamp": "timestamp"},
            # Whoever asks concludes something from an event that is missing.
            ConsistentRead=True,
        )
        found = (row(stored) for page in pages for stored in page["Items"])
        return {one["event_type"]: one["timestamp"] for one in found}
