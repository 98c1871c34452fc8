"""Checks which secrets are overdue for rotation, and writes down what it found.

One run lists every secret once, page by page. An invocation that nears its end hands the rest of the run to the next
one; what a run has counted so far lies in its row, and the right to work on it is a lease that nobody else can take.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from rotation_guard.domain.audit.reconciliation import KINDS
from rotation_guard.domain.audit.run import run_id
from rotation_guard.domain.control_characters import serialize_log_record

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
from .completion import Ending, end
from .page import PageAudit

ACTIONS = (
    secrets.LISTING_ACTIONS
    | audit_tables.ACTIONS
    | audit_runs.ACTIONS
    | audit_trail.LOOKING_ACTIONS
    | incidents.READING_ACTIONS
    | incidents.LISTING_ACTIONS
    | stalled_incidents.ACTIONS
    | event_bus.ACTIONS
    | secret_count.ACTIONS
    | next_invocation.ACTIONS
)
SPARE_MILLISECONDS = 25_000
"""What an invocation keeps for its last page, and for ending or handing over the run."""
MANY_SECRETS = 10_000
ENDING_MILLISECONDS = 300_000
"""What the end of a run of so many secrets may take: it may have to look through all that is on record."""
TAKEN_UP_MILLISECONDS = 900_000
"""How long a part that was handed over may wait for whoever takes it up."""
END = "end"
"""In the place of a token: all is listed, and the run is to be ended. No token of AWS's is that short."""

logger = Logger(json_serializer=serialize_log_record)
metrics = Metrics()


@logger.inject_lambda_context
@clients.bounded_by_timeout
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """One run, or one part of it: answers its `run_id`, and how many secrets were `checked` and `flagged` so far."""
    settings = RotationCheckSettings.from_env()
    runs = AuditRuns(settings.runs_table_name)
    now = datetime.now(UTC)
    run, part = _run_and_part(event, context.aws_request_id)
    lease = runs.take(run, part, context.aws_request_id, now, lease_until(now, context.get_remaining_time_in_millis()))
    if lease is None:
        return _at_work_elsewhere(runs, run, context)

    tables = AuditTables(settings.table_name, settings.status_table_name)
    page_audit = PageAudit(settings, lease, runs, tables)
    token = None if lease.token == END else _audit_pages(page_audit, lease, context)
    if token is None and _is_late_to_end(lease, context):
        token = END
    lease.progress.seconds += (datetime.now(UTC) - now).total_seconds()
    if token is not None:
        if runs.hand_over(lease, token, lease_until(datetime.now(UTC), TAKEN_UP_MILLISECONDS)):
            _continue(run, lease.part + 1, context)
    elif ending := end(settings, runs, tables, lease):
        _tell(lease, ending, context.function_name)
    else:
        logger.error("the run was taken by another invocation before it ended", extra={"run_id": run})
    return {"run_id": run, "checked": lease.progress.checked, "flagged": lease.progress.flagged}


def _run_and_part(event: Any, request_id: str) -> tuple[str, int]:
    """Which run this invocation is for, and which part of it.

    Only what another invocation handed over names a run, and is a part above 0. Scheduler's retries of a run have the
    same time in them, and Lambda's the same request; whoever invokes the function by hand, with whatever JSON, begins a
    run of its own.
    """
    if not isinstance(event, dict):
        return request_id, 0
    run, part = event.get("run_id"), event.get("part")
    if isinstance(run, str) and run and type(part) is int and part > 0:
        return run, part
    return run_id(event.get("scheduled_time"), request_id), 0


def _audit_pages(page_audit: PageAudit, lease: Lease, context: LambdaContext) -> str | None:
    """Audit page after page, the next one being listed meanwhile; the token of the first that there is no time for."""
    vault, progress = secrets.Secrets(), lease.progress
    with ThreadPoolExecutor(1) as ahead, page_audit:
        listing = ahead.submit(vault.page, lease.token)
        while True:
            page, token = listing.result()
            progress.pages += 1
            progress.calls += 1
            progress.listed += len(page)
            in_time = context.get_remaining_time_in_millis() > SPARE_MILLISECONDS
            if token is not None and in_time:
                listing = ahead.submit(vault.page, token)
            page_audit.audit(page)
            if token is None or not in_time:
                page_audit.settle()
                return token


def _is_late_to_end(lease: Lease, context: LambdaContext) -> bool:
    """Whether the next invocation had better end the run; one that was started for that does."""
    late = context.get_remaining_time_in_millis() < ENDING_MILLISECONDS
    return late and lease.progress.listed > MANY_SECRETS and lease.token != END


def _continue(run: str, part: int, context: LambdaContext) -> None:
    logger.info("handing over", extra={"run_id": run, "part": part})
    next_invocation.start(context.invoked_function_arn, {"run_id": run, "part": part})


def _at_work_elsewhere(runs: AuditRuns, run: str, context: LambdaContext) -> dict[str, Any]:
    """Nothing to do: another invocation has the run. A part that nobody has taken up is handed over once more."""
    part = runs.waiting_part(run)
    if part is not None:
        _continue(run, part, context)
    logger.warning("another invocation works on this run", extra={"run_id": run})
    known = runs.read(run) or {}
    return {"run_id": run, "checked": int(known.get("checked", 0)), "flagged": int(known.get("flagged", 0))}


def _tell(lease: Lease, ending: Ending, function_name: str) -> None:
    """The end of a run, in the log and on the dashboard."""
    progress = lease.progress
    counts = {"checked": progress.checked, "flagged": progress.flagged, "unknown": progress.unknown}
    said = {"run_id": lease.run_id, **counts, "complete": ending.complete, "lost": ending.lost}
    logger.info("audit finished", extra=said)
    for reason in ending.reasons:
        logger.error("the audit is incomplete", extra={"run_id": lease.run_id, "reason": reason})
    if ending.uncounted:
        logger.warning("the account's secrets were not counted", extra={"problem": ending.uncounted})
    for name, count in counts.items():
        metrics.add_metric(f"Secrets{name.capitalize()}", MetricUnit.Count, count)
    metrics.add_metric("AuditRunsComplete", MetricUnit.Count, int(ending.complete))
    metrics.add_metric("AuditRunsLost", MetricUnit.Count, ending.lost)
    if ending.open_incidents is not None:
        metrics.add_metric("IncidentsOpen", MetricUnit.Count, ending.open_incidents)
    for kind in KINDS:
        name = "".join(word.capitalize() for word in kind.split("_"))
        metrics.add_metric(f"Discrepancies{name}", MetricUnit.Count, progress.discrepancies.get(kind, 0))
    # The service is of the same name in every stack of an account; the function is not.
    metrics.add_dimension("function_name", function_name)
    # Here and not in a decorator, which would complain of a run that failed before it had any.
    metrics.flush_metrics()
