"""The audit trail: a table of events that is added to and never changed."""

from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from ..domain.history import iso
from ..domain.rotation import CLOCK_SKEW, RotationEvent
from ..domain.trail_rows import trail_row
from .clients import client
from .items import item, row

ACTIONS = frozenset({"dynamodb:PutItem"})
LOOKING_ACTIONS = frozenset({"dynamodb:Query"})
APPEND_SECONDS = 14
"""How long an `append` takes at most: twice 2 s to connect and 2 s to be answered, and the pause between.

That is a second at most, or six where DynamoDB asks for them (botocore's retry mode `standard`).
"""
PASSING_TROUBLE = (BotoCoreError, ClientError)
"""What AWS or the network may answer now and not later. An event that cannot be recorded is not among it."""
_NEVER_TAKEN = frozenset({"ValidationException", "SerializationException"})
"""What DynamoDB answers to an item that it will not take another time either
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html)."""


class Unrecordable(ValueError):
    """DynamoDB takes no such row, now or later; the message is DynamoDB's code."""


class AuditTrail:
    """The table of this name."""

    def __init__(self, table_name: str) -> None:
        self._table_name = table_name

    def append(self, event: RotationEvent, text: str, now: datetime, expires_at: int | None) -> bool:
        """Writes down the event that came as this text. False when it is there already: a copy changes nothing.

        Raises Unrecordable, or one of PASSING_TROUBLE.
        """
        dynamodb = client("dynamodb", answers_within=2, attempts=2)
        try:
            dynamodb.put_item(
                TableName=self._table_name,
                Item=item(trail_row(event, text, now, expires_at)),
                ConditionExpression="attribute_not_exists(secret_arn)",
            )
        except dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in _NEVER_TAKEN:
                raise
            raise Unrecordable(code) from None
        return True

    def heard_since(self, secret_arn: str, moment: datetime, now: datetime | None = None) -> set[str]:
        """The types of the events about this secret that happened from this moment until now.

        What claims to come from the future tells nothing. A row that was written before is seen: absence is concluded.
        """
        until = (now or datetime.now(UTC)) + CLOCK_SKEW
        pages = (
            client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=self._table_name,
                KeyConditionExpression="secret_arn = :arn AND recorded BETWEEN :since AND :until",
                ExpressionAttributeValues=item({":arn": secret_arn, ":since": iso(moment), ":until": iso(until)}),
                ProjectionExpression="event_type",
                ConsistentRead=True,
            )
        )
        return {row(stored)["event_type"] for page in pages for stored in page["Items"]}
