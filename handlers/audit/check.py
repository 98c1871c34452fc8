"""Audits all secrets and records a verdict for each.

A run lists every secret once, page by page. An invocation that nears its timeout hands the rest of the run over to the
next invocation. The run's row stores the counts so far, and a lease that allows only one invocation to work on it.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.audit.run import choose_run_id
from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.metrics import DISCREPANCY_METRICS, MetricName

from ..adapters import (
    audit_runs,
    audit_tables,
    audit_trail,
    clients,
    event_bus,
    incidents,
    next_invocation,
    secret_count,
    secrets,
)
from ..adapters.audit_runs import AuditRuns, Lease, lease_until
from ..adapters.audit_tables import AuditTables
from ..environment import RotationCheckSettings
from ..remediation import stalled_incidents
from . import status_reports
from .completion import RunResult, complete_run
from .page import PageAudit

ACTIONS = (
    secrets.LISTING_ACTIONS
    | audit_tables.ACTIONS
    | audit_runs.ACTIONS
    | audit_trail.QUERY_ACTIONS
    | incidents.READING_ACTIONS
    | incidents.LISTING_ACTIONS
    | stalled_incidents.ACTIONS
    | event_bus.ACTIONS
    | secret_count.ACTIONS
    | next_invocation.ACTIONS
)
SPARE_MILLISECONDS = 25_000
"""Reserved for the last page of an invocation, and for completing the run or handing it over."""
MANY_SECRETS = 10_000
COMPLETION_MILLISECONDS = 300_000
"""Reserved for completing a run of MANY_SECRETS or more, which may read the whole status table."""
HANDOVER_MILLISECONDS = 900_000
"""How long the next invocation may take to start."""
END_TOKEN = "end"  # noqa: S105
"""In place of a page token: all pages are listed, and the run is to be completed. AWS's tokens are longer."""

logger = Logger(json_serializer=serialize_log_record)
metrics = Metrics()


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Works on one run, or one part of it. Returns its `run_id`, and how many secrets are `checked` and `flagged`."""
    settings = RotationCheckSettings.from_env()
    runs = AuditRuns(settings.runs_table_name)
    now = datetime.now(UTC)
    run_id, part = _read_run_and_part(event, context.aws_request_id)
    until = lease_until(now, context.get_remaining_time_in_millis())
    lease = runs.acquire_lease(run_id, part, context.aws_request_id, now, until)
    if lease is None:
        return _skip_leased_run(runs, run_id, context)

    tables = AuditTables(settings.table_name, settings.status_table_name)
    page_audit = PageAudit(settings, lease, runs, tables)
    token = None if lease.token == END_TOKEN else _audit_pages(page_audit, lease, context)
    if token is None and _must_complete_later(lease, context):
        token = END_TOKEN
    lease.progress.seconds += (datetime.now(UTC) - now).total_seconds()
    if token is not None:
        if runs.hand_over(lease, token, lease_until(datetime.now(UTC), HANDOVER_MILLISECONDS)):
            _start_next_invocation(run_id, lease.part + 1, context)
    elif result := complete_run(settings, runs, tables, lease):
        _report_completion(lease, result, context.function_name)
        status_reports.publish_run(settings, lease, result.reasons, context.function_name)
    else:
        logger.error("the run was taken by another invocation before it ended", extra={"run_id": run_id})
    return {"run_id": run_id, "checked": lease.progress.checked, "flagged": lease.progress.flagged}


def _read_run_and_part(event: Any, request_id: str) -> tuple[str, int]:
    """The run that this invocation works on, and the part of it.

    Only an invocation that hands a run over names it, with a part above 0. A retry by Scheduler has the same scheduled
    time, and a retry by Lambda the same request id. A manual invocation starts a run of its own, whatever its event.
    """
    if not isinstance(event, dict):
        return request_id, 0
    run_id, part = event.get("run_id"), event.get("part")
    if isinstance(run_id, str) and run_id and type(part) is int and part > 0:
        return run_id, part
    return choose_run_id(event.get("scheduled_time"), request_id), 0


def _audit_pages(page_audit: PageAudit, lease: Lease, context: LambdaContext) -> str | None:
    """Audits page after page while the next one is listed. Returns the token of the first page it has no time for."""
    secrets_manager, progress = secrets.Secrets(), lease.progress
    with ThreadPoolExecutor(1) as lister, page_audit:
        listing = lister.submit(secrets_manager.list_page, lease.token)
        while True:
            page, token = listing.result()
            progress.pages += 1
            progress.calls += 1
            progress.listed += len(page)
            has_time = context.get_remaining_time_in_millis() > SPARE_MILLISECONDS
            if token is not None and has_time:
                listing = lister.submit(secrets_manager.list_page, token)
            page_audit.add(page)
            if token is None or not has_time:
                page_audit.finish()
                return token


def _must_complete_later(lease: Lease, context: LambdaContext) -> bool:
    """Whether to leave the completion of the run to the next invocation; not if this one was started for it."""
    has_little_time = context.get_remaining_time_in_millis() < COMPLETION_MILLISECONDS
    return has_little_time and lease.progress.listed > MANY_SECRETS and lease.token != END_TOKEN


def _start_next_invocation(run_id: str, part: int, context: LambdaContext) -> None:
    logger.info("handing over", extra={"run_id": run_id, "part": part})
    next_invocation.start(context.invoked_function_arn, {"run_id": run_id, "part": part})


def _skip_leased_run(runs: AuditRuns, run_id: str, context: LambdaContext) -> dict[str, Any]:
    """Leaves the run to the invocation that holds its lease; starts the next one again if it did not start."""
    part = runs.find_waiting_part(run_id)
    if part is not None:
        _start_next_invocation(run_id, part, context)
    logger.warning("another invocation works on this run", extra={"run_id": run_id})
    run = runs.read(run_id) or {}
    return {"run_id": run_id, "checked": int(run.get("checked", 0)), "flagged": int(run.get("flagged", 0))}


def _report_completion(lease: Lease, result: RunResult, function_name: str) -> None:
    """Logs how the run ended, and emits its metrics."""
    progress = lease.progress
    counts = {"checked": progress.checked, "flagged": progress.flagged, "unknown": progress.unknown}
    headline = progress.tally.describe("this run is complete" if result.complete else "this run is incomplete")
    fields = {"run_id": lease.run_id, **counts, "complete": result.complete, "lost": result.lost, "headline": headline}
    logger.info("audit finished", extra=fields)
    for reason in result.reasons:
        logger.error("the audit is incomplete", extra={"run_id": lease.run_id, "reason": reason})
    if result.count_problem:
        logger.warning("the account's secrets were not counted", extra={"problem": result.count_problem})
    values = {
        MetricName.SECRETS_CHECKED: progress.checked,
        MetricName.SECRETS_FLAGGED: progress.flagged,
        MetricName.SECRETS_UNKNOWN: progress.unknown,
        MetricName.AUDIT_RUNS_COMPLETE: int(result.complete),
        MetricName.AUDIT_RUNS_LOST: result.lost,
        **{name: progress.discrepancies.get(kind, 0) for kind, name in DISCREPANCY_METRICS.items()},
    }
    if result.open_incidents is not None:
        values[MetricName.INCIDENTS_OPEN] = result.open_incidents
    for name, value in values.items():
        metrics.add_metric(name, MetricUnit.Count, value)
    # All stacks of an account have the same service name, but each its own function name.
    metrics.add_dimension("function_name", function_name)
    # Not the decorator, which warns about an invocation without metrics.
    metrics.flush_metrics()
