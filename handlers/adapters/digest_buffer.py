"""The incidents that are held and not told yet, in the table of the incidents: many of them make one notice.

Each is a row. Whoever adds one asks to be the teller, which one of them is at a time; the teller waits for more, gives
that up, reads what is there, tells it, and only then deletes what it has told. So what is added after its reading finds
no teller, and becomes the next one's. Whatever dies on the way, a row goes only after it was told, perhaps twice.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from . import unfinished_incidents
from .clients import client
from .items import from_item, to_item
from .row_updates import update_row

ACTIONS = frozenset({"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query", "dynamodb:DeleteItem"})
TELLER_SECONDS = 900
"""For how long nobody else asks to be the teller: far longer than it gathers and is tried again. If it has died, the
next incident that is held has the one that tells of all."""
AT_ONCE = 50
"""Incidents, of which each is two of the 100 writes that one transaction takes
(https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html)."""
_PARTITION, _TELLER = "held", "teller"

Row = dict[str, Any]


class DigestBuffer:
    """The rows of that kind, in the table of this name."""

    def __init__(self, table_name: str) -> None:
        self._table_name = table_name
        self._dynamodb = client("dynamodb")

    def join(
        self,
        secret_arn: str,
        opened_at: str,
        secret_name: str | None,
        owner: str | None = None,
        severity: str | None = None,
    ) -> None:
        """Adds an incident to those that are to be told; once more changes nothing."""
        incident = {"held_arn": secret_arn, "held_since": opened_at, "secret_name": secret_name}
        incident |= {"owner": owner, "severity": severity}
        self._dynamodb.put_item(TableName=self._table_name, Item=to_item({**_key(secret_arn, opened_at), **incident}))

    def becomes_teller(self, execution: str, now: int) -> bool:
        """Whether this execution is to tell of all that have joined; `now` is in epoch seconds. Join first."""
        return update_row(
            self._table_name,
            to_item(_TELLER_KEY),
            {"holder": execution, "until": now + TELLER_SECONDS},
            condition="attribute_not_exists(#until) OR #until < :now OR #holder = :mine",
            values={":now": now, ":mine": execution},
        )

    def gather(self, execution: str) -> list[Row]:
        """What is to be told now, the oldest first: `secret_arn`, `opened_at`, `secret_name`, `owner` and `severity`.

        From here on whoever joins is told by another.
        """
        self._step_down(execution)
        found, start = [], None
        while True:
            answer = self._dynamodb.query(
                TableName=self._table_name,
                KeyConditionExpression="secret_arn = :held AND opened_at < :teller",
                ExpressionAttributeValues=to_item({":held": _PARTITION, ":teller": _TELLER}),
                ConsistentRead=True,
                **({"ExclusiveStartKey": start} if start else {}),
            )
            found += [from_item(stored) for stored in answer["Items"]]
            start = answer.get("LastEvaluatedKey")
            if not start:
                return [
                    {
                        "secret_arn": one["held_arn"],
                        "opened_at": one["held_since"],
                        "secret_name": one.get("secret_name"),
                        **{name: one[name] for name in ("owner", "severity") if name in one},
                    }
                    for one in found
                ]

    def forget(self, told: Sequence[Mapping[str, Any]]) -> None:
        """Deletes what was told; none of it is unfinished any more."""
        for start in range(0, len(told), AT_ONCE):
            keys = []
            for one in told[start : start + AT_ONCE]:
                keys.append(to_item(_key(one["secret_arn"], one["opened_at"])))
                keys.append(unfinished_incidents.key(one["secret_arn"], one["opened_at"]))
            self._dynamodb.transact_write_items(
                TransactItems=[{"Delete": {"TableName": self._table_name, "Key": key}} for key in keys]
            )

    def _step_down(self, execution: str) -> None:
        try:
            self._dynamodb.delete_item(
                TableName=self._table_name,
                Key=to_item(_TELLER_KEY),
                ConditionExpression="holder = :mine",
                ExpressionAttributeValues=to_item({":mine": execution}),
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return  # It came so late that another one tells, or it has done this already.


def _key(secret_arn: str, opened_at: str) -> dict[str, str]:
    return {"secret_arn": _PARTITION, "opened_at": f"{opened_at}#{secret_arn}"}


_TELLER_KEY = {"secret_arn": _PARTITION, "opened_at": _TELLER}
