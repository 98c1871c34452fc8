"""Records every event of the audit queue once.

All events of a batch are recorded first. Everything else (delaying retries, noting new values for the audit) is
optional: it uses the remaining time, with short timeouts, and its failure fails no message. No call is started unless
its maximum duration fits into the remaining time, so that the function always returns before Lambda stops it.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.audit.secret_status import build_prefetched_fields, build_report_fields
from rotation_guard.domain.canary import CANARY
from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.event_parser import parse_text
from rotation_guard.domain.evidence.links import Link
from rotation_guard.domain.metrics import MetricName
from rotation_guard.domain.organization.deliveries import parse_delivered_text
from rotation_guard.domain.rotation_event import (
    SECRETS_MANAGER_SOURCES,
    RotationEvent,
    date_recent_event,
    reports_new_value,
)
from rotation_guard.domain.timestamps import expires_at

from ..adapters import audit_queue, audit_tables, audit_trail, clients, secrets
from ..adapters.chains import RequireTime
from ..environment import AuditWriterSettings

ACTIONS = audit_trail.ACTIONS | audit_queue.ACTIONS | secrets.VERSION_ACTIONS | audit_tables.NOTING_ACTIONS
RESPONSE_SECONDS = 1
"""Reserved for the response."""
ALL_ACCOUNTS = "all"

_ROTATION_METRICS = {
    "RotationFailed": MetricName.ROTATIONS_FAILED,
    "RotationAbandoned": MetricName.ROTATIONS_FAILED,
    "RotationSucceeded": MetricName.ROTATIONS_SUCCEEDED,
}
"""The metric of each event that ends a rotation. A retry by AWS counts again."""

logger = Logger(json_serializer=serialize_log_record)
metrics = Metrics()


class OutOfTime(RuntimeError):
    """A call was not started, because Lambda might stop the function before it returns."""


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Returns which messages of the batch failed; SQS retries them, and then moves them to the dead-letter queue.

    A batch has up to 10 messages and 6 MB
    (https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html).
    """
    settings = AuditWriterSettings.from_env()
    trail = audit_trail.AuditTrail(settings.audit_trail_table_name)
    parse_event = parse_delivered_text if settings.event_accounts == ALL_ACCOUNTS else parse_text
    now = datetime.now(UTC)
    unrecordable_ids: set[str] = set()

    def require_time(seconds: int) -> None:
        remaining = context.get_remaining_time_in_millis()
        if remaining < (seconds + RESPONSE_SECONDS) * 1000:
            raise OutOfTime(f"not started: it may take {seconds} s, and {remaining} ms remain")

    def record_event(record: SQSRecord) -> tuple[RotationEvent, Link | None]:
        require_time(audit_trail.CALL_SECONDS)
        try:
            rotation_event = parse_event(record.body)
            return rotation_event, trail.append(
                rotation_event, record.body, now, expires_at(now, settings.history_days), require_time
            )
        except (OutOfTime, *audit_trail.RETRYABLE_ERRORS):
            raise
        except Exception:
            # Not an error of AWS or the network, so it is caused by the message and will be the same next time.
            unrecordable_ids.add(record.message_id)
            raise

    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
    with processor(records=event["Records"], handler=record_event, lambda_context=context):
        outcomes = processor.process()
    events = [outcome for status, outcome, _ in outcomes if status == "success"]
    failures = [(message, error) for status, error, message in outcomes if status == "fail"]
    _report(events, failures)
    _delay_retries([message for message, _ in failures], unrecordable_ids, settings.audit_queue_url, require_time)
    if settings.status_table_name:
        new_events = [rotation_event for rotation_event, link in events if link]
        _note_new_values(new_events, now, audit_tables.EventNotes(settings.status_table_name), require_time)
    # All stacks of an account have the same service name, but each its own function name.
    metrics.add_dimension("function_name", context.function_name)
    # Not the decorator, which warns about an invocation without metrics.
    metrics.flush_metrics()
    return processor.response()


def _report(events: Iterable[tuple[RotationEvent, Link | None]], failures: Iterable[tuple[SQSRecord, str]]) -> None:
    """Counts and logs the result for each message."""
    for event, link in events:
        name = MetricName.EVENTS_RECORDED if link else MetricName.EVENTS_REPEATED
        metrics.add_metric(name, MetricUnit.Count, 1)
        if link:
            # Who can change the table cannot change the log: docs/evidence.md compares the two.
            logger.info("recorded", extra={"subject": event.subject, "sequence": link.sequence, "hash": link.hash})
        if link and (of_event := _choose_event_metric(event)):
            metrics.add_metric(of_event, MetricUnit.Count, 1)
        if event.secret_arn is None and event.source in SECRETS_MANAGER_SOURCES:
            logger.warning("recorded an event without secret", extra={"kind": event.kind, "identity": event.identity})
            metrics.add_metric(MetricName.EVENTS_WITHOUT_SECRET, MetricUnit.Count, 1)
    for message, error in failures:
        logger.error("cannot record a message", extra={"message_id": message.message_id, "problem": error})
        metrics.add_metric(MetricName.EVENTS_UNRECORDED, MetricUnit.Count, 1)


def _choose_event_metric(event: RotationEvent) -> MetricName | None:
    """The metric that counts events like this one, besides that of all events."""
    return MetricName.CANARY_EVENTS_RECORDED if event.source == CANARY else _ROTATION_METRICS.get(event.kind)


def _delay_retries(
    messages: Iterable[SQSRecord], unrecordable_ids: set[str], queue_url: str, require_time: RequireTime
) -> None:
    """Sets when each message is retried: at once if it can never be recorded, else later with each receive."""
    queue = audit_queue.AuditQueue(queue_url)
    for message in messages:
        try:
            receives = int(message.raw_event.get("attributes", {}).get("ApproximateReceiveCount", 1))
            is_unrecordable = message.message_id in unrecordable_ids
            seconds = 0 if is_unrecordable else audit_queue.choose_retry_delay(receives)
            if seconds is not None:
                require_time(audit_queue.CALL_SECONDS)
                queue.delay_retry(message.receipt_handle, seconds)
        except Exception:
            # It is retried after the queue's visibility timeout.
            logger.exception("cannot set when a message is retried", extra={"message_id": message.message_id})


def _note_new_values(
    events: Iterable[RotationEvent], now: datetime, notes: audit_tables.EventNotes, require_time: RequireTime
) -> None:
    """Notes events about new values for the next audit run, with the new value's dates, which saves the run a call.

    Without a note the audit finds the event in the audit trail.
    """
    for event in events:
        try:
            at = date_recent_event(event, now)
            if event.secret_arn is None or at is None or not reports_new_value(event):
                continue
            require_time(audit_tables.NOTE_SECONDS)
            if notes.note(event.secret_arn, at, build_report_fields(at, event.current_version_id)):
                require_time(secrets.VERSION_SECONDS + audit_tables.NOTE_SECONDS)
                notes.note(event.secret_arn, at, build_prefetched_fields(*secrets.read_current_dates(event.secret_arn)))
        except Exception:
            # The event is recorded, so this error must not fail its message.
            logger.exception("cannot note whose value moved", extra={"secret_arn": event.secret_arn})
            metrics.add_metric(MetricName.EVENTS_NOT_NOTED, MetricUnit.Count, 1)
