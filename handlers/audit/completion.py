"""Completes a run: decides whether it saw every secret, marks those that are gone, and closes lost runs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_lambda_powertools import Logger

from rotation_guard.domain.audit.run import (
    EVERY_RUN,
    UNKNOWN_WHEN_COMPLETE,
    find_incomplete_reasons,
    may_have_vanished,
    read_unknown_when_complete,
)
from rotation_guard.domain.control_characters import serialize_log_record
from rotation_guard.domain.timestamps import expires_at, to_iso

from ..adapters import clients, event_bus, secret_count
from ..adapters.audit_runs import AuditRuns, Lease
from ..adapters.audit_tables import AuditTables
from ..adapters.audit_trail import AuditTrail
from ..adapters.unfinished_incidents import UnfinishedIncidents
from ..environment import RotationCheckSettings
from ..remediation import stalled_incidents
from . import status_reports
from .vanished import find_unreported_deletions

logger = Logger(json_serializer=serialize_log_record)

_MAX_COUNT_DELAY = timedelta(hours=3)
"""How long CloudWatch may still count a deleted secret."""
_MAX_EARLIER_RUNS = 250
"""Maximum number of earlier runs to read: enough for _MAX_COUNT_DELAY if a run starts every minute."""
_LOST = "The run never finished: it failed, or the next invocation did not start."

RunRow = dict[str, Any]


@dataclass(frozen=True)
class RunResult:
    """How a run ended."""

    reasons: list[str]
    """Why it is incomplete, a sentence each."""
    lost: int
    """Number of earlier runs that never finished."""
    count_problem: str
    """Why CloudWatch did not count the account's secrets; empty if it did, or has no data."""
    open_incidents: int | None = None
    """Number of unfinished incidents; None if unknown."""

    @property
    def complete(self) -> bool:
        """Whether it saw every secret."""
        return not self.reasons


def complete_run(
    settings: RotationCheckSettings, runs: AuditRuns, tables: AuditTables, lease: Lease
) -> RunResult | None:
    """Records the end of a run whose pages are all audited; None if another invocation has taken it over."""
    now, progress = datetime.now(UTC), lease.progress
    period = timedelta(seconds=settings.period_seconds)
    limit = min(_MAX_EARLIER_RUNS, math.ceil(_MAX_COUNT_DELAY / period) + 2)
    earlier = runs.list_earlier(lease.run_id, lease.started_at, limit)
    lost = [run for run in earlier if "finished_at" not in run and runs.mark_lost(run["run_id"], now, _LOST)]
    finished = [run for run in earlier if "finished_at" in run and not run.get("lost")]
    previous = next(iter(finished), None)
    last_complete = next((run for run in finished if run["complete"] or UNKNOWN_WHEN_COMPLETE in run), None)
    secret_count, count_problem = _read_secret_count(now)
    reasons = find_incomplete_reasons(
        progress,
        secret_count,
        previous,
        last_complete=last_complete,
        max_listed_recently=_max_listed(finished, now - _MAX_COUNT_DELAY - period),
    )
    # With a shortfall, secrets may be missing from the list: none is marked as gone before list and count agree.
    shortfall = max(0, (secret_count or 0) - progress.listed)
    if not reasons and not shortfall and _must_look_for_gone(settings, lease, previous):
        _mark_gone(settings, runs, tables, lease, now)
    problems, open_incidents = _report_stalled(settings, now)
    reasons += problems
    outcome = {
        "complete": not reasons,
        "incomplete_because": reasons or None,
        UNKNOWN_WHEN_COMPLETE: read_unknown_when_complete(last_complete) if reasons and progress.refused else None,
        "counted": secret_count,
        "shortfall": shortfall or None,
        "period_seconds": settings.period_seconds,
        "history_mode": settings.history_mode,
        "settings": settings.audit().to_json(settings.managed_tag),
        "expires_at": expires_at(lease.started_at, settings.history_days),
    }
    is_finished = runs.finish(lease, now, outcome)
    return RunResult(reasons, len(lost), count_problem, open_incidents) if is_finished else None


def _max_listed(finished: Sequence[RunRow], since: datetime) -> int:
    """The most secrets that a recent run listed: the list omits deleted secrets at once, CloudWatch's count later."""
    recent = [run for run in finished if datetime.fromisoformat(run["started_at"]) > since]
    return max((int(run.get("listed", 0)) for run in recent), default=0)


def _report_stalled(settings: RotationCheckSettings, now: datetime) -> tuple[list[str], int | None]:
    """Reports stalled incidents, and counts all unfinished ones.

    Returns why that failed, as reasons why the run is incomplete, and the count, which is None if unknown.
    """
    if not settings.incidents_table_name:
        return [], None
    unfinished = UnfinishedIncidents(settings.incidents_table_name)
    try:
        stalled_incidents.report(unfinished, int(now.timestamp()))
        return [], unfinished.count()
    except (*clients.CALL_ERRORS, event_bus.EventRejected) as error:
        logger.exception("stalled incidents were not reported")
        return [f"Stalled incidents could not be reported ({type(error).__name__})."], None


def _read_secret_count(now: datetime) -> tuple[int | None, str]:
    """CloudWatch's count of the account's secrets, or why there is none, which does not make the run incomplete."""
    try:
        return secret_count.read_secret_count(now), ""
    except secret_count.CountUnavailable as problem:
        return None, str(problem)


def _must_look_for_gone(settings: RotationCheckSettings, lease: Lease, previous: RunRow | None) -> bool:
    if settings.history_mode == EVERY_RUN:
        return may_have_vanished(lease.progress, previous)
    # A history of changes gets a row for each secret once a day: only then does a missing secret show.
    if previous is None or not previous["complete"] or "shortfall" in previous:
        return True
    return previous["started_at"][:10] != to_iso(lease.started_at)[:10]


def _mark_gone(
    settings: RotationCheckSettings, runs: AuditRuns, tables: AuditTables, lease: Lease, now: datetime
) -> None:
    """Marks secrets that are no longer audited as gone, and records those whose deletion no event reported."""
    every_run, day = settings.history_mode == EVERY_RUN, to_iso(lease.started_at)[:10]
    gone = list(tables.find_missing_from_run(lease.run_id) if every_run else tables.find_not_checked_on(day))
    # Discrepancies first: once the secrets are marked, no later run looks for them.
    trail = AuditTrail(settings.audit_trail_table_name) if settings.audit_trail_table_name else None
    if lease.progress.add_discrepancies(find_unreported_deletions(trail, gone)):
        runs.save_discrepancies(lease)
    status_reports.publish_gone(settings, gone, to_iso(now))
    for status in gone:
        tables.mark_gone(status["secret_name"], to_iso(now), expires_at(now, settings.history_days))
