"""Records what members report: incidents, the status of their secrets, and the runs of their audits.

Events arrive repeatedly and in any order; each row keeps the latest. An event about another account than its sender is
refused, and ends in the dead-letter queue.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.audit.status_events import RUN_FINISHED, STATUS_CHANGED
from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.event_parser import load
from rotation_guard.domain.organization.deliveries import Delivery, read_delivery
from rotation_guard.domain.organization.incidents import Transition, read_transition
from rotation_guard.domain.organization.statuses import build_run_row, build_status_row
from rotation_guard.domain.remediation.notification_payload import (
    ESCALATED,
    OPENED,
    RATE_LIMITED,
    RECOVERED,
    RESOLVED,
    RETRIED,
)
from rotation_guard.domain.timestamps import expires_at

from ..adapters import clients, hub_tables, topics
from ..environment import HubRecordSettings

ACTIONS = hub_tables.INCIDENT_ACTIONS | hub_tables.AUDIT_ACTIONS | topics.ACTIONS
CRITICAL, REMEDIATION = "critical", "remediation"
CHANNELS = {
    OPENED: (REMEDIATION,),
    RETRIED: (),
    RECOVERED: (REMEDIATION,),
    ESCALATED: (CRITICAL, REMEDIATION),
    # A member collects its rate-limited incidents in one digest; here the first of each account and hour pages.
    RATE_LIMITED: (CRITICAL, REMEDIATION),
    RESOLVED: (CRITICAL, REMEDIATION),
}
"""Transition -> the topics that get its notification, as in the member."""

logger = Logger(json_serializer=serialize_log_record)


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Returns which messages of the batch failed; SQS retries them, and then moves them to the dead-letter queue."""
    settings = HubRecordSettings.from_env()
    now = datetime.now(UTC)
    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)

    def record_message(record: SQSRecord) -> None:
        _record(read_delivery(load(record.body)), settings, now)

    with processor(records=event["Records"], handler=record_message, lambda_context=context):
        outcomes = processor.process()
    for status, error, message in outcomes:
        if status == "fail":
            logger.error("cannot record a message", extra={"message_id": message.message_id, "problem": error})
    return processor.response()


def _record(delivery: Delivery, settings: HubRecordSettings, now: datetime) -> None:
    """Record one event. Raises MalformedEvent for one that can never be recorded."""
    expiry = expires_at(now, settings.history_days)
    audits = hub_tables.HubAudits(settings.status_table_name, settings.runs_table_name)
    kind = delivery.event.get("detail-type")
    if kind == STATUS_CHANGED:
        audits.put_status(build_status_row(delivery), expiry)
    elif kind == RUN_FINISHED:
        audits.put_run(build_run_row(delivery), expiry)
    else:
        transition = read_transition(delivery, settings.runbook_url)
        incidents = hub_tables.HubIncidents(settings.incidents_table_name)
        # Of what is over nobody needs to be notified: a redelivered event may be hours old.
        if incidents.record(transition, expiry):
            topic_arns = {CRITICAL: settings.critical_topic_arn, REMEDIATION: settings.remediation_topic_arn}
            _notify(transition, incidents, topic_arns, now)


def _notify(
    transition: Transition, incidents: hub_tables.HubIncidents, topic_arns: Mapping[str, str], now: datetime
) -> None:
    """Publish the notification to each of its topics; after a crash it may be published there once more.

    What another incident of the hour has paged for is settled, too: a copy that arrives in the next hour is no news.
    """
    notification = transition.build_notification()
    for channel in CHANNELS[transition.name]:
        if incidents.is_settled(transition, channel):
            continue
        is_paged_for = (transition.name, channel) == (RATE_LIMITED, CRITICAL) and not incidents.claim_hour(
            transition, now
        )
        if not is_paged_for:
            message_id = topics.Topic(topic_arns[channel]).publish(notification)
            logger.info("published", extra={"to": channel, "message_id": message_id, "subject": notification.subject})
        incidents.mark_settled(transition, channel)
