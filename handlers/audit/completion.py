"""Ends a run of the audit: whether it saw everything, what has vanished, and which run before it was lost."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_lambda_powertools import Logger

from rotation_guard.domain.audit.run import (
    EVERY_RUN,
    UNKNOWN_WHEN_COMPLETE,
    incomplete_because,
    unknown_when_complete,
    vanished,
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
from .vanished import find_unannounced

logger = Logger(json_serializer=serialize_log_record)

_COUNT_IS_BEHIND = timedelta(hours=3)
"""How long CloudWatch may still count a secret that was purged."""
_MOST_RUNS = 250
"""Runs that are looked at for how many secrets there were in that time: enough for one a minute."""
_LOST = "The run was never finished: it failed, or what it handed over did not arrive."


@dataclass(frozen=True)
class Ending:
    """How a run ended."""

    reasons: list[str]
    """Why it cannot have seen everything, a sentence each."""
    lost: int
    """Runs before it that were never finished."""
    uncounted: str
    """Why CloudWatch did not count the account's secrets; empty where it did, or has no count."""
    open_incidents: int | None = None
    """How many incidents are unfinished; None where that is not known."""

    @property
    def complete(self) -> bool:
        """Whether it saw everything."""
        return not self.reasons


def end(settings: RotationCheckSettings, runs: AuditRuns, tables: AuditTables, lease: Lease) -> Ending | None:
    """Write down the end of a run whose pages are all audited; None where another invocation has it by now."""
    now, progress = datetime.now(UTC), lease.progress
    period = timedelta(seconds=settings.period_seconds)
    earlier = runs.before(lease.run_id, lease.started_at, min(_MOST_RUNS, math.ceil(_COUNT_IS_BEHIND / period) + 2))
    lost = [one for one in earlier if "finished_at" not in one and runs.give_up(one["run_id"], now, _LOST)]
    finished = [one for one in earlier if "finished_at" in one and not one.get("lost")]
    previous = next(iter(finished), None)
    # A purge shows in the list at once, and in the count by and by: fewer than lately are no fewer than there are.
    lately = [one for one in finished if datetime.fromisoformat(one["started_at"]) > now - _COUNT_IS_BEHIND - period]
    counted, uncounted = _counted(now)
    complete_before = next((one for one in finished if one["complete"] or UNKNOWN_WHEN_COMPLETE in one), None)
    reasons = incomplete_because(
        progress,
        counted,
        previous,
        complete_before=complete_before,
        listed_lately=max((int(one.get("listed", 0)) for one in lately), default=0),
    )
    # Where the count is behind, some may be missing from the list after all: nothing is taken out before they agree.
    shortfall = max(0, (counted or 0) - progress.listed)
    if not reasons and not shortfall and _may_have_lost_some(settings, lease, previous):
        _take_out(settings, runs, tables, lease, now)
    problems, open_incidents = _report_stalled(settings, now)
    reasons += problems
    outcome = {
        "complete": not reasons,
        "incomplete_because": reasons or None,
        UNKNOWN_WHEN_COMPLETE: unknown_when_complete(complete_before) if reasons and progress.refused else None,
        "counted": counted,
        "shortfall": shortfall or None,
        "period_seconds": settings.period_seconds,
        "history_mode": settings.history_mode,
        "expires_at": expires_at(lease.started_at, settings.history_days),
    }
    return Ending(reasons, len(lost), uncounted, open_incidents) if runs.finish(lease, now, outcome) else None


def _report_stalled(settings: RotationCheckSettings, now: datetime) -> tuple[list[str], int | None]:
    """Reports incidents that nobody goes on with, and counts all that are unfinished.

    Answers why that could not be done, as reasons why a run is incomplete, and the count, None where it is not known.
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


def _counted(now: datetime) -> tuple[int | None, str]:
    """The account's own count, or why there is none: an audit that is whole does not fail for want of it."""
    try:
        return secret_count.counted(now), ""
    except secret_count.NotCounted as problem:
        return None, str(problem)


def _may_have_lost_some(settings: RotationCheckSettings, lease: Lease, previous: dict[str, Any] | None) -> bool:
    if settings.history_mode == EVERY_RUN:
        return vanished(lease.progress, previous)
    # A history of changes says once a day of every secret that it is there: that is when it shows which is not.
    if previous is None or not previous["complete"] or "shortfall" in previous:
        return True
    return previous["started_at"][:10] != to_iso(lease.started_at)[:10]


def _take_out(
    settings: RotationCheckSettings, runs: AuditRuns, tables: AuditTables, lease: Lease, now: datetime
) -> None:
    """Take secrets that are no longer under audit out of what is true now, and note those that no event told of."""
    every_run, day = settings.history_mode == EVERY_RUN, to_iso(lease.started_at)[:10]
    gone = list(tables.without_history_of(lease.run_id) if every_run else tables.not_seen_on(day))
    # Noted first: once they are taken out, nobody finds them again.
    trail = AuditTrail(settings.audit_trail_table_name) if settings.audit_trail_table_name else None
    if lease.progress.note(find_unannounced(trail, gone)):
        runs.note(lease)
    for status in gone:
        tables.mark_gone(status["secret_name"], to_iso(now), expires_at(now, settings.history_days))
