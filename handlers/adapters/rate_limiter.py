"""The rate limiter for repairs: one slot for each action that the account allows per hour, free again an hour later.

A counter per clock hour would allow twice as many around the full hour, and a counter of a sliding hour would be a row
that every execution writes. A slot is acquired by a conditional write; acquiring it again is idempotent.
"""

from .clients import client
from .items import from_item, to_item
from .row_updates import update_row

ACTIONS = frozenset({"dynamodb:Query", "dynamodb:UpdateItem"})
HOUR_SECONDS = 3600
_PARTITION = "limit#actions"


class RateLimiter:
    """The slots, in the Incidents table of this name."""

    def __init__(self, table_name: str, per_hour: int) -> None:
        self._table_name, self._per_hour = table_name, per_hour

    def acquire(self, holder: str, now: int) -> bool:
        """Acquire a slot; True if this holder has one already. `now` is in epoch seconds."""
        response = client("dynamodb").query(
            TableName=self._table_name,
            KeyConditionExpression="secret_arn = :slots",
            ExpressionAttributeValues=to_item({":slots": _PARTITION}),
            ConsistentRead=True,
        )
        slots = [from_item(item) for item in response["Items"]]
        busy = {slot["opened_at"]: slot["holder"] for slot in slots if slot["taken_at"] > now - HOUR_SECONDS}
        if holder in busy.values():
            return True
        # After the limit was lowered, slots beyond it count too.
        if len(busy) >= self._per_hour:
            return False
        names = [f"slot-{number:02}" for number in range(self._per_hour)]
        return any(self._acquire(name, holder, now) for name in names if name not in busy)

    def _acquire(self, name: str, holder: str, now: int) -> bool:
        return update_row(
            self._table_name,
            to_item({"secret_arn": _PARTITION, "opened_at": name}),
            {"holder": holder, "taken_at": now},
            condition="attribute_not_exists(#taken_at) OR #taken_at <= :past",
            values={":past": now - HOUR_SECONDS},
        )
