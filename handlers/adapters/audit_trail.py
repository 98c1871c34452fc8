"""The audit trail: an append-only table of events."""

from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from rotation_guard.domain.audit_trail import build_trail_row
from rotation_guard.domain.rotation_event import CLOCK_SKEW, RotationEvent
from rotation_guard.domain.timestamps import to_iso

from .clients import client
from .items import from_item, to_item

ACTIONS = frozenset({"dynamodb:PutItem"})
QUERY_ACTIONS = frozenset({"dynamodb:Query"})
APPEND_SECONDS = 12
"""Maximum duration of `append`: two attempts of 2 s to connect and 2 s to read, and the backoff between them.

The backoff is at most 1 s, or 6 s if DynamoDB sends a retry-after header (botocore's retry mode `standard`).
"""
RETRYABLE_ERRORS = (BotoCoreError, ClientError)
"""Errors of AWS or the network, after which a later attempt may succeed."""
_PERMANENT_ERRORS = frozenset({"ValidationException", "SerializationException"})
"""Error codes with which DynamoDB rejects the item itself
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html)."""


class Unrecordable(ValueError):
    """DynamoDB rejects the row itself; the message is DynamoDB's error code."""


class AuditTrail:
    """The table of this name."""

    def __init__(self, table_name: str) -> None:
        self._table_name = table_name

    def append(self, event: RotationEvent, text: str, now: datetime, expires_at: int | None) -> bool:
        """Records the event that was received as this text. False if it is already recorded: a copy changes nothing.

        Raises Unrecordable, or one of RETRYABLE_ERRORS.
        """
        dynamodb = client("dynamodb", answers_within=2, attempts=2)
        try:
            dynamodb.put_item(
                TableName=self._table_name,
                Item=to_item(build_trail_row(event, text, now, expires_at)),
                ConditionExpression="attribute_not_exists(secret_arn)",
            )
        except dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in _PERMANENT_ERRORS:
                raise
            raise Unrecordable(code) from None
        return True

    def last_event_times(self, secret_arn: str, since: datetime, now: datetime | None = None) -> dict[str, str]:
        """Event type -> time of the last such event of this secret since then, ISO 8601 in UTC.

        Omits events that claim a future time, and those that changed nothing. The read is strongly consistent, because
        callers draw conclusions from missing events.
        """
        until = (now or datetime.now(UTC)) + CLOCK_SKEW
        pages = (
            client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=self._table_name,
                KeyConditionExpression="secret_arn = :arn AND recorded BETWEEN :since AND :until",
                ExpressionAttributeValues=to_item(
                    {":arn": secret_arn, ":since": to_iso(since), ":until": to_iso(until)}
                ),
                FilterExpression="attribute_not_exists(without_effect)",
                ProjectionExpression="event_type, recorded",
                ConsistentRead=True,
            )
        )
        events = (from_item(stored) for page in pages for stored in page["Items"])
        return {event["event_type"]: event["recorded"].partition("#")[0] for event in events}
