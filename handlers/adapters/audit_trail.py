"""The audit trail: an append-only table of events, in which the rows of each secret are a chain."""

from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from rotation_guard.domain.audit_trail import build_trail_row
from rotation_guard.domain.evidence.links import LINK, Item, Link, MalformedLink
from rotation_guard.domain.rotation_event import CLOCK_SKEW, RotationEvent
from rotation_guard.domain.timestamps import to_iso

from .chains import APPENDING_ACTIONS, PAUSE_SECONDS, Chains, RequireTime, list_cancellation_codes
from .clients import client
from .items import from_item, to_item

ACTIONS = APPENDING_ACTIONS
QUERY_ACTIONS = frozenset({"dynamodb:Query"})
CALL_SECONDS = 12
"""Maximum duration of a call of `append`: two attempts of 2 s to connect and 2 s to read, and the backoff between them.

The backoff is at most 1 s, or 6 s if DynamoDB sends a retry-after header (botocore's retry mode `standard`).
"""
RETRYABLE_ERRORS = (BotoCoreError, ClientError, MalformedLink)
"""Errors of AWS or the network, or of a chain's head that somebody damaged: a later attempt may succeed."""
_PERMANENT_ERRORS = frozenset({"ValidationException", "SerializationException", "ValidationError"})
"""Error codes with which DynamoDB rejects the item itself: of the call, or of one write in its transaction
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html,
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html)."""


class Unrecordable(ValueError):
    """DynamoDB rejects the row itself; the message is DynamoDB's error code."""


class AuditTrail:
    """The table of this name."""

    def __init__(self, table_name: str) -> None:
        self._table_name = table_name
        self._chains = Chains(table_name, "recorded")

    def append(
        self, event: RotationEvent, text: str, now: datetime, expires_at: int | None, require_time: RequireTime
    ) -> Link | None:
        """Records the event that was received as this text, at the end of its secret's chain.

        None if it is already recorded: a copy changes nothing. `require_time` is called before each call to AWS with
        its maximum duration. Raises what that raises, Unrecordable, or one of RETRYABLE_ERRORS.
        """
        row = to_item(build_trail_row(event, text, now, expires_at))

        def put(link: Link) -> Item:
            return {
                "Put": {
                    "TableName": self._table_name,
                    "Item": {**row, LINK: link.to_value()},
                    "ConditionExpression": "attribute_not_exists(secret_arn)",
                }
            }

        dynamodb = client("dynamodb", answers_within=2, attempts=2)
        try:
            return self._chains.append(
                dynamodb, row["secret_arn"]["S"], row, put, now, lambda: require_time(CALL_SECONDS + PAUSE_SECONDS)
            )
        except ClientError as error:
            codes = {error.response["Error"]["Code"], *list_cancellation_codes(error)}
            if not codes & _PERMANENT_ERRORS:
                raise
            raise Unrecordable(", ".join(sorted(codes & _PERMANENT_ERRORS))) from None

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
