"""Reads a message of a dead-letter queue: each service that sends messages there has a form of its own."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ..event_parser import MalformedEvent, load
from ..plain_values import read_mapping
from . import causes
from .causes import Cause, find_cause

LATEST = ":$LATEST"
"""What a function's ARN ends with in an invocation record."""
_SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"
_CONDITION = "RetriesExhausted"


class Sender(StrEnum):
    """Who put a message into a dead-letter queue."""

    RULE = "EventBridge"
    """A rule, of an event that a target did not take
    (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html)."""
    SCHEDULE = "EventBridge Scheduler"
    """(https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html)."""
    FUNCTION = "Lambda"
    """An on-failure destination, which gets an invocation record
    (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html)."""
    FUNCTION_QUEUE = "Lambda, as dead-letter queue"
    """A function's DeadLetterConfig, which gets the event and does not name the function (the same page)."""
    SUBSCRIPTION = "SNS"
    """(https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html)."""
    QUEUE = "SQS"
    """The redrive policy of a queue
    (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html)."""
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class DeadLetter:
    """One message."""

    message_id: str
    body: str
    queue: str = ""
    """The short name of the queue that it is in."""
    sent_at: datetime | None = None
    """When it was sent to the queue; for a message of a queue with a redrive policy, to that queue."""
    receives: int = 0
    """How often it was received, this time included."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Its message attributes, as text."""
    source_queue_arn: str = ""
    """The queue whose redrive policy moved it here."""
    default_sender: Sender = Sender.UNKNOWN
    """Whose queue it is in, for messages that do not say who sent them."""
    raw_attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    """Its message attributes, as SQS has them."""

    @cached_property
    def content(self) -> Any:
        """The body as JSON; None if it is none."""
        try:
            return load(self.body)
        except MalformedEvent:
            return None

    @cached_property
    def sender(self) -> Sender:
        """Who put it into the queue."""
        content = read_mapping(self.content)
        if self.source_queue_arn:
            return Sender.QUEUE
        if "SCHEDULE_ARN" in self.attributes:
            return Sender.SCHEDULE
        if "RULE_ARN" in self.attributes:
            return Sender.RULE
        if "requestContext" in content and "requestPayload" in content:
            return Sender.FUNCTION
        if content.get("Type") == "Notification" and isinstance(content.get("TopicArn"), str):
            return Sender.SUBSCRIPTION
        if "RequestID" in self.attributes and self.default_sender is not Sender.SUBSCRIPTION:
            return Sender.FUNCTION_QUEUE
        # A dead letter of EventBridge or Lambda always has one of the marks above.
        return self.default_sender if self.default_sender in (Sender.QUEUE, Sender.SUBSCRIPTION) else Sender.UNKNOWN

    @cached_property
    def cause(self) -> Cause:
        """Why it is here."""
        return find_cause(causes.classify(self._error_code, self.error_message))

    @property
    def error_message(self) -> str:
        """What the sender says about the error; empty if it says nothing."""
        if self.sender is Sender.FUNCTION:
            response = read_mapping(read_mapping(self.content).get("responsePayload"))
            parts = (response.get("errorType"), response.get("errorMessage"))
            return ": ".join(part for part in parts if isinstance(part, str) and part)
        return self.attributes.get("ERROR_MESSAGE") or self.attributes.get("ErrorMessage") or ""

    @property
    def retries(self) -> str | None:
        """How often its sender tried again, as it says."""
        if self.sender is Sender.FUNCTION:
            count = self._context.get("approximateInvokeCount")
            return f"{count:.0f} invocations" if isinstance(count, int | float) else None
        return self.attributes.get("RETRY_ATTEMPTS")

    @property
    def exhausted_condition(self) -> str | None:
        """Which limit of the retry policy ended the retries, as the sender says."""
        condition = self._context.get("condition") if self.sender is Sender.FUNCTION else None
        return condition if isinstance(condition, str) else self.attributes.get("EXHAUSTED_RETRY_CONDITION")

    @property
    def origin_arn(self) -> str:
        """What it came from: the rule, schedule, topic or queue; empty if the message does not say."""
        if self.sender is Sender.SUBSCRIPTION:
            return str(read_mapping(self.content).get("TopicArn") or "")
        return self.attributes.get("RULE_ARN") or self.attributes.get("SCHEDULE_ARN") or self.source_queue_arn

    @property
    def target_arn(self) -> str:
        """What did not take it; empty if the message does not say."""
        if self.sender is Sender.FUNCTION:
            arn = self._context.get("functionArn")
            return arn.removesuffix(LATEST) if isinstance(arn, str) else ""
        return self.attributes.get("TARGET_ARN") or self.source_queue_arn

    @property
    def subscription_arn(self) -> str:
        """The subscription of a notification, which its link to unsubscribe names; empty for raw messages.

        (https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html)
        """
        link = read_mapping(self.content).get("UnsubscribeURL")
        if self.sender is not Sender.SUBSCRIPTION or not isinstance(link, str):
            return ""
        try:
            return parse_qs(urlsplit(link).query).get("SubscriptionArn", [""])[0]
        except ValueError:
            return ""

    @property
    def payload(self) -> str:
        """What its destination gets when it is sent again: the body, or what a record has of it."""
        if self.sender is Sender.FUNCTION:
            return _extract_payload(self.body)
        if self.sender is Sender.SCHEDULE and (time := self.attributes.get("SCHEDULED_TIME")):
            # Whether the dead letter has the time or the keyword is not documented.
            return self.body.replace(_SCHEDULED_TIME, time)
        return self.body

    @property
    def is_truncated(self) -> bool:
        """Whether Scheduler says that the body is only the beginning."""
        return self.attributes.get("IS_PAYLOAD_TRUNCATED", "").lower() == "true"

    @property
    def _context(self) -> Mapping[str, Any]:
        return read_mapping(read_mapping(self.content).get("requestContext"))

    @property
    def _error_code(self) -> str:
        if self.sender is Sender.FUNCTION:
            condition = self._context.get("condition")
            error = read_mapping(read_mapping(self.content).get("responseContext")).get("functionError")
            if isinstance(error, str) and error and condition in (None, _CONDITION):
                return error
            return condition if isinstance(condition, str) and condition else causes.UNKNOWN
        if code := self.attributes.get("ERROR_CODE"):
            return code
        if self.sender is Sender.QUEUE:
            return causes.RECEIVED_TOO_OFTEN
        code = self.attributes.get("ErrorCode", "")
        # A status of HTTP says less than the message beside it.
        if code and not code.isdecimal():
            return code
        return {Sender.SUBSCRIPTION: causes.NOT_DELIVERED, Sender.FUNCTION_QUEUE: "RetriesExhausted"}.get(
            self.sender, causes.UNKNOWN
        )


def parse(message: Mapping[str, Any], queue: str = "", default_sender: Sender = Sender.UNKNOWN) -> DeadLetter:
    """The dead letter in a message as ReceiveMessage returns it, with all attributes."""
    system = read_mapping(message.get("Attributes"))
    raw = read_mapping(message.get("MessageAttributes"))
    return DeadLetter(
        message_id=str(message.get("MessageId", "")),
        body=str(message.get("Body", "")),
        queue=queue,
        sent_at=_read_milliseconds(system.get("SentTimestamp")),
        receives=int(system.get("ApproximateReceiveCount") or 0),
        attributes={name: _to_text(value) for name, value in raw.items()},
        source_queue_arn=str(system.get("DeadLetterQueueSourceArn") or ""),
        default_sender=default_sender,
        raw_attributes=raw,
    )


def _read_milliseconds(value: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(value) / 1000, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _to_text(value: Mapping[str, Any]) -> str:
    if "StringValue" in value:
        return str(value["StringValue"])
    return f"{len(value.get('BinaryValue') or b'')} bytes of {value.get('DataType', 'Binary')}"


def _extract_payload(record: str) -> str:
    """The `requestPayload` of an invocation record, as it is written there: parsing would change long numbers.

    The record is a JSON object.
    """
    decoder = json.JSONDecoder(parse_int=str, parse_float=str)
    position = record.index("{") + 1
    while True:
        position = _skip(record, position, " \t\r\n,")
        name, position = decoder.raw_decode(record, position)
        position = _skip(record, position, " \t\r\n:")
        _, end = decoder.raw_decode(record, position)
        if name == "requestPayload":
            return record[position:end]
        position = end


def _skip(text: str, position: int, characters: str) -> int:
    while text[position] in characters:
        position += 1
    return position
