"""The chains of a table: a row and the new head of its chain are written in one transaction.

The transaction holds only while the head is the one that the link was built on, so concurrent writers cannot fork a
chain: all but one of them read the head again.
"""

import random
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from rotation_guard.domain.evidence.links import HEAD, Head, Item, Link, add_link, build_head_key
from rotation_guard.domain.timestamps import to_iso

APPENDING_ACTIONS = frozenset({"dynamodb:GetItem", "dynamodb:PutItem"})
"""A transaction is authorised by the writes in it
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html)."""
ATTEMPTS = 8
"""Optimistic-lock retries: every lost race means that another writer added a row to the same chain."""
PAUSE_SECONDS = 1
"""Maximum pause between two attempts."""
_SHORTEST_PAUSE_SECONDS = 0.05
_CONDITION_FAILED = "ConditionalCheckFailed"
_LOST_RACE_CODES = frozenset({_CONDITION_FAILED, "TransactionConflict"})

RequireTime = Callable[[int], None]
"""Raises OutOfTime unless a call of this maximum duration, in seconds, fits into the remaining time."""


class Chains:
    """The chains in the table of this name, whose sort key has the other name."""

    def __init__(self, table_name: str, sort_key: str) -> None:
        self._table_name, self._sort_key = table_name, sort_key
        self._heads: dict[str, Head] = {}
        """The heads that this object wrote last; another writer may have replaced them."""

    def append(
        self,
        dynamodb: Any,
        key: str,
        content: Item,
        build_write: Callable[[Link], Item],
        now: datetime,
        before_call: Callable[[], None] = lambda: None,
        extent: Item | None = None,
    ) -> Link | None:
        """Add a row to the chain of this partition key; None if the condition of the row's write does not hold.

        `content` is what the link covers of the row, and `extent` says so in the link if that is not all of it.
        `build_write` returns the write of a transaction that stores the row with its link. `before_call` is called
        before each call to AWS, which a pause may follow. Raises MalformedLink if the head is damaged, the client's
        errors, and that of the last attempt if other writers were faster each time.
        """
        for attempt in range(ATTEMPTS):
            head = self._heads.pop(key, None)
            if head is None:
                before_call()
                head = self._read_head(dynamodb, key)
            link, new_head = add_link(content, head, to_iso(now), extent)
            before_call()
            try:
                dynamodb.transact_write_items(
                    TransactItems=[build_write(link), self._build_head_write(key, head, new_head)]
                )
            except dynamodb.exceptions.TransactionCanceledException as error:
                codes = list_cancellation_codes(error)
                if codes[:1] == [_CONDITION_FAILED]:
                    return None
                if attempt == ATTEMPTS - 1 or not _LOST_RACE_CODES.intersection(codes):
                    raise
                pause = min(_SHORTEST_PAUSE_SECONDS * 2**attempt, PAUSE_SECONDS)
                time.sleep(random.uniform(0, pause))  # noqa: S311 - jitter
                continue
            self._heads[key] = new_head
            return link
        raise AssertionError("the last attempt returns or raises")

    def _read_head(self, dynamodb: Any, key: str) -> Head | None:
        response = dynamodb.get_item(TableName=self._table_name, Key=self._build_key(key), ConsistentRead=True)
        return Head.from_item(response["Item"]) if "Item" in response else None

    def _build_key(self, key: str) -> Item:
        return {"secret_arn": {"S": build_head_key(key)}, self._sort_key: {"S": HEAD}}

    def _build_head_write(self, key: str, expected: Head | None, new: Head) -> Item:
        condition: Item = (
            {
                "ConditionExpression": "#hash = :expected",
                "ExpressionAttributeNames": {"#hash": "hash"},
                "ExpressionAttributeValues": {":expected": {"S": expected.hash}},
            }
            if expected
            else {"ConditionExpression": "attribute_not_exists(secret_arn)"}
        )
        item = {**self._build_key(key), **new.to_item(key)}
        return {"Put": {"TableName": self._table_name, "Item": item, **condition}}


def list_cancellation_codes(error: ClientError) -> list[str]:
    """Why each write of a transaction was refused, in their order; `None` as a text for one that was not."""
    reasons: Any = error.response.get("CancellationReasons", [])
    return [str(reason.get("Code")) for reason in reasons]
