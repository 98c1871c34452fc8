"""Records every event that reaches the audit queue, once."""

import json
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
from .domain.rotation import SECRETS_MANAGER_SOURCES, RotationEvent, name_of, tells_of_new_value
from .domain.statuses import announcement, as_fed
from .events import MalformedEvent, parse
from .settings import AuditWriterSettings

ACTIONS = audit_trail.ACTIONS | audit_queue.ACTIONS | secrets.DATING_ACTIONS | audit_tables.NOTING_ACTIONS

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Answers which messages of the batch failed; those come again, and in the end go to the dead letters."""
    settings = AuditWriterSettings.from_env()
    trail = audit_trail.AuditTrail(settings.audit_trail_table_name)
    queue = audit_queue.AuditQueue(settings.audit_queue_url)
    now = datetime.now(UTC)

    def write_down(record: SQSRecord) -> None:
        try:
            body = json.loads(record.body)
            heard = parse(body)
        except (json.JSONDecodeError, MalformedEvent):
            queue.bring_again_at_once(record.receipt_handle)
            raise
        is_new = trail.append(heard, body, now, expires_at(now, settings.history_days))
        metrics.add_metric("EventsRecorded" if is_new else "EventsRepeated", MetricUnit.Count, 1)
        if settings.status_table_name and heard.secret_arn is not None and tells_of_new_value(heard):
            _tell_the_audit(heard, heard.secret_arn, audit_tables.HeardOfSecrets(settings.status_table_name))
        if heard.secret_arn is None and heard.source in SECRETS_MANAGER_SOURCES:
            logger.warning("recorded an event without secret", extra={"kind": heard.kind, "identity": heard.identity})
            metrics.add_metric("EventsWithoutSecret", MetricUnit.Count, 1)

    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
    with processor(records=event["Records"], handler=write_down, lambda_context=context):
        outcomes = processor.process()
    for status, problem, message in outcomes:
        if status == "fail":
            logger.error("cannot record a message", extra={"message_id": message.message_id, "problem": problem})
            metrics.add_metric("EventsUnrecorded", MetricUnit.Count, 1)
    # The service is of the same name in every stack of an account; the function is not.
    metrics.add_dimension("function_name", context.function_name)
    # Here and not in a decorator, which would complain of a run that failed before it had any.
    metrics.flush_metrics()
    return processor.response()


def _tell_the_audit(heard: RotationEvent, secret_arn: str, statuses: audit_tables.HeardOfSecrets) -> None:
    """Note that a value moved, and how old the new one is: then the next audit need not ask for it."""
    name, at = name_of(secret_arn), datetime.fromisoformat(heard.occurred_at)
    if statuses.note(name, at, announcement(at, heard.current_version_id)):
        statuses.note(name, at, as_fed(*secrets.Secrets().current(secret_arn)))
