"""Tells a hub and Security Hub, by events on the default bus, what the audit found: where the settings ask for it.

A report that is lost is repeated: each secret is reported once a day, and when its verdict or version changes. So an
error never stops the audit.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger

from rotation_guard.domain.audit.secret_status import Row, belongs_in_history
from rotation_guard.domain.audit.status_events import (
    RUN_FINISHED,
    STATUS_CHANGED,
    build_run_detail,
    build_status_detail,
)
from rotation_guard.domain.control_characters import serialize_log_record

from ..adapters import clients, event_bus
from ..adapters.audit_runs import Lease
from ..environment import RotationCheckSettings

ON = "true"

logger = Logger(json_serializer=serialize_log_record)


def select_changed(
    settings: RotationCheckSettings, rows: Iterable[Row], previous: Mapping[str, Row]
) -> list[event_bus.Event]:
    """The reports of the statuses that changed, or that were not reported today; none where nobody asks for them."""
    if settings.publish_status != ON:
        return []
    return [build_report(settings, row) for row in rows if belongs_in_history(row, previous[row["secret_name"]])]


def build_report(settings: RotationCheckSettings, status: Mapping[str, Any]) -> event_bus.Event:
    """The report of one secret's status; it names the table of the stack's incidents, as every report does."""
    detail = {**build_status_detail(status), "incidents_table": settings.incidents_table_name}
    return event_bus.Event(STATUS_CHANGED, [status["secret_arn"]], detail)


def publish_gone(settings: RotationCheckSettings, statuses: Iterable[Row], since: str) -> None:
    """Report secrets that are no longer listed."""
    if settings.publish_status == ON:
        publish([build_report(settings, {**status, "gone_since": since}) for status in statuses])


def publish_run(settings: RotationCheckSettings, lease: Lease, reasons: list[str], function_name: str) -> None:
    """Report the end of a run, and why it is incomplete, if it is."""
    if settings.publish_status == ON:
        judged_by = {**settings.audit().to_json(settings.managed_tag), "period_seconds": settings.period_seconds}
        detail = build_run_detail(
            lease.run_id, function_name, lease.started_at, datetime.now(UTC), lease.progress, reasons, judged_by
        )
        publish([event_bus.Event(RUN_FINISHED, [], detail)])


def publish(reports: Sequence[event_bus.Event]) -> None:
    """Publish reports, and log how many of them EventBridge did not take."""
    if not reports:
        return
    try:
        rejected = event_bus.publish_all(reports)
    except clients.CALL_ERRORS as error:
        logger.warning("reports were not published", extra={"count": len(reports), "error": type(error).__name__})
        return
    if rejected:
        logger.warning("EventBridge rejected reports", extra={"count": rejected})
