"""The blast radius: so many slots for actions as the account may see in an hour, each free again an hour later.

A counter per clock hour would let twice as many through around the full hour, and one of a sliding hour would be a row
that everybody writes. A slot is taken by a conditional write, and by its taker as often as it asks.
"""

from .clients import client
from .items import from_item, to_item
from .row_updates import update_row

ACTIONS = frozenset({"dynamodb:Query", "dynamodb:UpdateItem"})
HOUR = 3600
_PARTITION = "limit#actions"


class RateLimiter:
    """The slots, in the table of the incidents."""

    def __init__(self, table_name: str, per_hour: int) -> None:
        self._table_name, self._per_hour = table_name, per_hour

    def take(self, holder: str, now: int) -> bool:
        """Whether this holder may act: it has a slot, or gets one. `now` is in epoch seconds."""
        answer = client("dynamodb").query(
            TableName=self._table_name,
            KeyConditionExpression="secret_arn = :slots",
            ExpressionAttributeValues=to_item({":slots": _PARTITION}),
            ConsistentRead=True,
        )
        taken = [from_item(stored) for stored in answer["Items"]]
        busy = {slot["opened_at"]: slot["holder"] for slot in taken if slot["taken_at"] > now - HOUR}
        if holder in busy.values():
            return True
        # A limit that was lowered counts those that are beyond it, too.
        if len(busy) >= self._per_hour:
            return False
        names = [f"slot-{number:02}" for number in range(self._per_hour)]
        return any(self._take(name, holder, now) for name in names if name not in busy)

    def _take(self, name: str, holder: str, now: int) -> bool:
        return update_row(
            self._table_name,
            to_item({"secret_arn": _PARTITION, "opened_at": name}),
            {"holder": holder, "taken_at": now},
            condition="attribute_not_exists(#taken_at) OR #taken_at <= :past",
            values={":past": now - HOUR},
        )
