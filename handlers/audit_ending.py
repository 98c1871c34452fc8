"""Ends a run of the audit: whether it saw everything, what has vanished, and which run before it was lost."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .adapters import secret_count
from .adapters.audit_runs import AuditRuns, Lease
from .adapters.audit_tables import AuditTables
from .adapters.audit_trail import AuditTrail
from .domain.audit import EVERY_RUN, incomplete_because, vanished
from .domain.history import expires_at, iso
from .domain.reconciliation import LATE, TELLS_OF_END, VANISHED, Discrepancy
from .settings import RotationCheckSettings

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

    @property
    def complete(self) -> bool:
        """Whether it saw everything."""
        return not self.reasons


def end(settings: RotationCheckSettings, runs: AuditRuns, tables: AuditTables, lease: Lease) -> Ending | None:
    """Write down the end of a run whose pages are all audited; None where another invocation has it by now."""
    now, progress = datetime.now(UTC), lease.progress
    earlier = runs.before(lease.run_id, lease.started_at)
    lost = [one for one in earlier if "finished_at" not in one and runs.give_up(one["run_id"], now, _LOST)]
    previous = next((one for one in earlier if "finished_at" in one and not one.get("lost")), None)
    counted, uncounted = _counted(now)
    reasons = incomplete_because(progress, counted, previous)
    if not reasons and _may_have_lost_some(settings, lease, previous):
        _take_out(settings, runs, tables, lease, now)
    outcome = {
        "complete": not reasons,
        "incomplete_because": reasons or None,
        "counted": counted,
        "period_seconds": settings.period_seconds,
        "history_mode": settings.history_mode,
        "expires_at": expires_at(lease.started_at, settings.history_days),
    }
    return Ending(reasons, len(lost), uncounted) if runs.finish(lease, now, outcome) else None


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
    return previous is None or not previous["complete"] or previous["started_at"][:10] != iso(lease.started_at)[:10]


def _take_out(
    settings: RotationCheckSettings, runs: AuditRuns, tables: AuditTables, lease: Lease, now: datetime
) -> None:
    """Take secrets that are no longer under audit out of what is true now, and note those that no event told of."""
    every_run, day = settings.history_mode == EVERY_RUN, iso(lease.started_at)[:10]
    gone = list(tables.without_history_of(lease.run_id) if every_run else tables.not_seen_on(day))
    # Noted first: once they are taken out, nobody finds them again.
    if lease.progress.note(_untold(settings, gone)):
        runs.note(lease)
    for status in gone:
        tables.mark_gone(status["secret_name"], iso(now), expires_at(now, settings.history_days))


def _untold(settings: RotationCheckSettings, gone: Iterable[dict[str, Any]]) -> list[Discrepancy]:
    trail = AuditTrail(settings.audit_trail_table_name) if settings.audit_trail_table_name else None
    found = []
    for status in gone:
        was_told = status["verdict"] == "pending_deletion"
        if trail is not None and not was_told:
            since = datetime.fromisoformat(status["checked_at"]) - LATE
            was_told = bool(trail.heard_since(status["secret_arn"], since) & TELLS_OF_END)
        if not was_told:
            detail = "It is no longer listed with its tag, and no event told of its deletion."
            found.append(Discrepancy(VANISHED, status["secret_name"], detail))
    return found
