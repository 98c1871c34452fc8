"""Records every event that reaches the audit queue, once.

Recording comes first and waits for nothing else. What is done with events beyond that (hastening what can never be
recorded, noting for the audit whose value moved) takes the time that is left, with little patience, and may fail.
Nothing is begun for which there may not be time enough, so that the function always answers before Lambda ends it.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from .adapters import audit_queue, audit_tables, audit_trail, secrets
from .domain.history import expires_at
from .domain.rotation import SECRETS_MANAGER_SOURCES, RotationEvent, tells_of_new_value, time_of_news
from .domain.statuses import announcement, as_fed
from .events import parse_text
from .settings import AuditWriterSettings

ACTIONS = audit_trail.ACTIONS | audit_queue.ACTIONS | secrets.DATING_ACTIONS | audit_tables.NOTING_ACTIONS
ANSWER_SECONDS = 1
"""Kept for the answer itself."""

logger = Logger()
metrics = Metrics()

HasTime = Callable[[int], bool]
"""Whether something that takes so many seconds at most would still be over in time."""


class OutOfTime(RuntimeError):
    """A message was not tried: the function would have been ended meanwhile."""


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Answers which messages of the batch failed; those come again, and in the end go to the dead letters.

    A batch is up to 10 messages of together 6 MB (https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html).
    """
    settings = AuditWriterSettings.from_env()
    trail = audit_trail.AuditTrail(settings.audit_trail_table_name)
    now = datetime.now(UTC)
    recorded: list[RotationEvent] = []
    unrecordable: set[str] = set()

    def has_time(seconds: int) -> bool:
        return context.get_remaining_time_in_millis() >= (seconds + ANSWER_SECONDS) * 1000

    def record_event(record: SQSRecord) -> None:
        if not has_time(audit_trail.APPEND_SECONDS):
            raise OutOfTime("not tried, for want of time")
        try:
            rotation_event = parse_text(record.body)
            is_new = trail.append(rotation_event, record.body, now, expires_at(now, settings.history_days))
        except audit_trail.PASSING_TROUBLE:
            raise
        except Exception:
            # Whatever is not AWS's trouble lies in the message, and will lie there the next time.
            unrecordable.add(record.message_id)
            raise
        _count(rotation_event, is_new=is_new)
        if is_new:
            recorded.append(rotation_event)

    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
    with processor(records=event["Records"], handler=record_event, lambda_context=context):
        outcomes = processor.process()
    failures = [(message, problem) for status, problem, message in outcomes if status == "fail"]
    for message, problem in failures:
        logger.error("cannot record a message", extra={"message_id": message.message_id, "problem": problem})
        metrics.add_metric("EventsUnrecorded", MetricUnit.Count, 1)
    _return_failures([message for message, _ in failures], unrecordable, settings.audit_queue_url, has_time)
    if settings.status_table_name:
        _note_news(recorded, now, audit_tables.HeardOfSecrets(settings.status_table_name), has_time)
    # Here and not in a decorator, which would complain of a run that failed before it had any.
    metrics.flush_metrics()
    return processor.response()


def _count(event: RotationEvent, *, is_new: bool) -> None:
    metrics.add_metric("EventsRecorded" if is_new else "EventsRepeated", MetricUnit.Count, 1)
    if event.secret_arn is None and event.source in SECRETS_MANAGER_SOURCES:
        logger.warning("recorded an event without secret", extra={"kind": event.kind, "identity": event.identity})
        metrics.add_metric("EventsWithoutSecret", MetricUnit.Count, 1)


def _return_failures(messages: Iterable[SQSRecord], unrecordable: set[str], queue_url: str, has_time: HasTime) -> None:
    """Set when each message comes again: at once what can never be recorded, the others later each time."""
    queue = audit_queue.AuditQueue(queue_url)
    for message in messages:
        receives = int(message.raw_event.get("attributes", {}).get("ApproximateReceiveCount", 1))
        seconds = 0 if message.message_id in unrecordable else audit_queue.pause_after(receives)
        if seconds is None or not has_time(audit_queue.RETURN_SECONDS):
            continue  # It comes when the queue's own time-out is over.
        try:
            queue.return_message(message.receipt_handle, seconds)
        except Exception:
            logger.exception("cannot say when a message comes again", extra={"message_id": message.message_id})


def _note_news(
    events: Iterable[RotationEvent], now: datetime, statuses: audit_tables.HeardOfSecrets, has_time: HasTime
) -> None:
    """Note for the next audit whose value moved, and how old the new ones are: then it need not ask for that.

    It finds the events themselves in the audit trail, so a note that is missing costs it a call, or an hour.
    """
    for event in events:
        at = time_of_news(event, now)
        if event.secret_arn is None or at is None or not tells_of_new_value(event):
            continue
        try:
            if has_time(audit_tables.NOTE_SECONDS) and statuses.note(
                event.secret_arn, at, announcement(at, event.current_version_id)
            ):
                _note_dates(event.secret_arn, at, statuses, has_time)
        except Exception:
            # The event is recorded: nothing that goes wrong from here on may bring it again.
            logger.exception("cannot note whose value moved", extra={"secret_arn": event.secret_arn})
            metrics.add_metric("EventsNotNoted", MetricUnit.Count, 1)


def _note_dates(secret_arn: str, at: datetime, statuses: audit_tables.HeardOfSecrets, has_time: HasTime) -> None:
    if has_time(secrets.DATING_SECONDS + audit_tables.NOTE_SECONDS):
        statuses.note(secret_arn, at, as_fed(*secrets.current_dates(secret_arn)))
