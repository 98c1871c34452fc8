"""What a dead letter is about: which secret and event, and what is missing until it is sent again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..canary import CANARY_EVENT
from ..event_parser import MalformedEvent, load, parse
from ..organization.deliveries import REDELIVERED
from ..plain_values import read_mapping
from ..rotation_event import secret_name_of
from .dead_letter import DeadLetter, Sender

_DEPTH = 3
"""Envelopes within each other: a notification has an event, which may wrap another one."""


@dataclass(frozen=True)
class Subject:
    """What one dead letter is about."""

    secret_arn: str | None = None
    secret_name: str | None = None
    event: str | None = None
    """The kind of event, such as RotationFailed, or `Audit` for a run of the audit."""
    occurred_at: str | None = None
    """When the event happened, or the run was due: ISO 8601, as it is written."""


def find_subject(letter: DeadLetter) -> Subject:
    """What this dead letter is about, as far as it says so."""
    content = letter.content
    if letter.sender is Sender.FUNCTION:
        content = read_mapping(content).get("requestPayload")
    if letter.sender is Sender.SCHEDULE:
        time = letter.attributes.get("SCHEDULED_TIME")
        # The body is the input of the schedule: a detail, and no event.
        if read_mapping(content).get("eventName") == CANARY_EVENT:
            return Subject(event=CANARY_EVENT, occurred_at=time or _text(read_mapping(content).get("eventTime")))
        scheduled = read_mapping(content).get("scheduled_time")
        event = "Scheduled invocation" if scheduled is None else "Audit"
        return Subject(event=event, occurred_at=time or _text(scheduled))
    return _read(content, _DEPTH)


def describe_loss(letter: DeadLetter, subject: Subject) -> str:
    """A sentence: what is missing until this message is sent again."""
    event = f"the event {subject.event}" if subject.event else "this event"
    service = (*letter.target_arn.split(":"), "", "", "")[2]
    function = letter.target_arn.rpartition(":function:")[2]
    queue = letter.target_arn.rpartition(":")[2] or "behind which it waits"
    if subject.event == "Audit":
        due = f" of {subject.occurred_at}" if subject.occurred_at else ""
        return f"The audit{due} has not run; a later complete run shows the same and more."
    match letter.sender:
        case Sender.SCHEDULE if subject.event == CANARY_EVENT:
            return "A canary was not put on the event bus: the next one that is recorded proves as much."
        case Sender.SCHEDULE:
            return f"The scheduled invocation of {subject.occurred_at or 'unknown time'} has not run."
        case Sender.FUNCTION if subject.event is None:
            return f"The function {function or 'that failed'} has not handled what it was invoked with."
        case Sender.QUEUE:
            return f"Nothing has recorded {event}: the consumer of the queue {queue} could not."
        case Sender.SUBSCRIPTION:
            return "One subscriber has not received this notification; the others have."
        case Sender.FUNCTION | Sender.FUNCTION_QUEUE:
            return f"Remediation has not heard of {event}: it has neither opened nor ended an incident."
        case Sender.RULE if service == "sqs":
            return f"Nothing has recorded {event}: the queue {queue} has not received it."
        case Sender.RULE if service == "sns":
            return f"The topic's subscribers have not heard of {event}."
        case Sender.RULE if service == "lambda":
            return f"Remediation has not heard of {event}: it has neither opened nor ended an incident."
        case Sender.RULE if service == "events":
            return f"The receiver beyond the target, such as a hub, has not heard of {event}."
        case _:
            return "It is not known what is missing: the message does not say what did not take it."


def _read(content: Any, depth: int) -> Subject:
    if not isinstance(content, Mapping) or depth == 0:
        return Subject()
    if content.get("Type") == "Notification":
        return _read_notification(content, depth)
    if content.get("source") == REDELIVERED:
        return _read(content.get("detail"), depth - 1)
    if "scheduled_time" in content or ("run_id" in content and "part" in content):
        return Subject(event="Audit", occurred_at=_text(content.get("scheduled_time") or content.get("run_id")))
    try:
        event = parse(content)
    except MalformedEvent:
        # The payload of a notification.
        kind = _text(content.get("kind")) or _text(content.get("turn"))
        return _name_secret(content.get("secret_arn"), kind, _text(content.get("occurred_at")))
    if event.secret_arn is None:
        return _name_secret(read_mapping(content.get("detail")).get("secret_arn"), event.kind, event.occurred_at)
    return _name_secret(event.secret_arn, event.kind, event.occurred_at)


def _read_notification(envelope: Mapping[str, Any], depth: int) -> Subject:
    """The subject of a notification of SNS: an event or a payload in JSON, or text for people."""
    message = envelope.get("Message")
    try:
        subject = _read(load(message), depth - 1) if isinstance(message, str) else Subject()
    except MalformedEvent:
        subject = Subject()
    if subject.secret_name is not None:
        return subject
    named = _text(read_mapping(read_mapping(envelope.get("MessageAttributes")).get("secret")).get("Value"))
    title = subject.event or _text(envelope.get("Subject")) or "Notification"
    return Subject(None, named, title, subject.occurred_at or _text(envelope.get("Timestamp")))


def _name_secret(arn: Any, event: str | None, occurred_at: str | None) -> Subject:
    arn = _text(arn)
    return Subject(arn, secret_name_of(arn) if arn else None, event, occurred_at)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
