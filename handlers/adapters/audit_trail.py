"""The audit trail: a table of events that is added to and never changed."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..domain.history import iso
from ..domain.rotation import RotationEvent
from .clients import client
from .items import item

ACTIONS = frozenset({"dynamodb:PutItem"})


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
