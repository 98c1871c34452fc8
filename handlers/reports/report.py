"""Stores the report on all secrets as HTML and CSV, and sends its headline to the subscribers of a topic.

Scheduler and Lambda retry with the same scheduled time, so every attempt writes the same keys, and a file that is there
is left as it is. The notice is sent once both files are: after a crash it may be sent twice, and never not at all.
"""

import tempfile
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.audit.run_history import RunHistory
from rotation_guard.domain.audit.secret_rows import from_record, sort_rows
from rotation_guard.domain.audit.stored_report import CSV_COLUMNS, StoredReport, build_notice
from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.csv_format import render_csv
from rotation_guard.domain.timestamps import read_scheduled_time
from rotation_guard.html_report.audit_page import build_audit_page
from rotation_guard.html_report.incidents import PageIncidents, build_incidents
from rotation_guard.html_report.render import render_page
from rotation_guard.html_report.trend import first_month, list_weeks

from ..adapters import audit_runs, audit_tables, clients, incident_history, report_bucket, topics
from ..adapters.audit_runs import AuditRuns
from ..adapters.audit_tables import StatusTable
from ..adapters.incident_history import IncidentHistory
from ..adapters.report_bucket import ReportBucket
from ..adapters.topics import Topic
from ..environment import ScheduledReportSettings

ACTIONS = (
    audit_tables.READING_ACTIONS
    | audit_runs.READING_ACTIONS
    | incident_history.READING_ACTIONS
    | report_bucket.ACTIONS
    | topics.ACTIONS
)
MOST_SECRETS_OF_PAGE = 50_000
"""A page of more would not fit into the function's memory, and no browser shows it well."""
HTML, CSV = "html", "csv"
CONTENT_TYPES = {HTML: "text/html; charset=utf-8", CSV: "text/csv; charset=utf-8"}

logger = Logger(json_serializer=serialize_log_record)


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Stores one report. Returns its `headline`, and the `keys` of its files."""
    settings = ScheduledReportSettings.from_env()
    runs, bucket = AuditRuns(settings.runs_table_name), ReportBucket(settings.reports_bucket_name)
    now = datetime.now(UTC).replace(microsecond=0)
    report = StoredReport(
        scheduled_at=read_scheduled_time(event, now),
        generated_at=now,
        rows=sort_rows(from_record(record, now) for record in StatusTable(settings.status_table_name).read_all()),
        history=RunHistory(runs.list_recent(now), now, now),
        function_arn=context.invoked_function_arn,
        product_version=settings.product_version,
        bucket=settings.reports_bucket_name,
    )
    extensions, notes = [CSV], [_explain_missing_page(report)]
    if len(report.rows) <= MOST_SECRETS_OF_PAGE:
        extensions, notes = [HTML, CSV], []
        incidents = _read_incidents(settings.incidents_table_name, now)
        _store_page(report, runs, incidents, bucket)
    _store_csv(report, bucket)
    Topic(settings.reports_topic_arn).publish_report(build_notice(report, extensions, notes))
    keys = [report.name(extension) for extension in extensions]
    logger.info("report stored", extra={"headline": report.headline, "keys": keys})
    return {"headline": report.headline, "keys": keys}


def _read_incidents(table_name: str, now: datetime) -> PageIncidents | None:
    if not table_name:
        return None
    records, states = IncidentHistory(table_name).read_since(first_month(now))
    return build_incidents(records, states, now, now)


def _store_page(report: StoredReport, runs: AuditRuns, incidents: PageIncidents | None, bucket: ReportBucket) -> None:
    weekly = (runs.find_last_complete(*week) for week in list_weeks(report.generated_at))
    page = build_audit_page(report, [run for run in weekly if run is not None], incidents)
    _store(bucket, report.name(HTML), render_page(page).encode(), HTML)


def _store_csv(report: StoredReport, bucket: ReportBucket) -> None:
    with tempfile.TemporaryFile() as file:
        for text in render_csv(CSV_COLUMNS, report.csv_rows()):
            file.write(text.encode())
        file.seek(0)
        _store(bucket, report.name(CSV), file, CSV)


def _store(bucket: ReportBucket, key: str, body: Any, extension: str) -> None:
    if not bucket.store(key, body, CONTENT_TYPES[extension]):
        logger.info("an earlier attempt has stored this file", extra={"key": key})


def _explain_missing_page(report: StoredReport) -> str:
    return (
        f"There is no HTML: a page has at most {MOST_SECRETS_OF_PAGE} secrets, and the report has {len(report.rows)}."
    )
