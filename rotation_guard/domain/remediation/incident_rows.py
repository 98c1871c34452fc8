"""One row of a report for each incident."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..rotation_event import secret_name_of
from ..timestamps import to_iso
from .incidents import CLOSED, OPEN, UNRESOLVED
from .remediation_state import RemediationState


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """What a list shows of one incident; times are ISO 8601, as in the table."""

    secret_name: str
    opened_at: str
    state: str
    """`open`, `restarting` or `closed`."""
    outcome: str | None
    """How it ended; None while it is open."""
    attention: bool
    """Whether it needs attention: it is not closed, or it was escalated or rate limited and is not resolved."""
    overdue: bool
    """Whether its workflow is later than it announced, and presumed dead."""
    failed_step: str | None
    attempts: int
    """Calls of RotateSecret."""
    reason: str | None
    """Why it ended like this, in a sentence."""
    failures: int
    event_type: str | None
    """What opened it."""
    last_failure_at: str | None
    closed_at: str | None
    mode: str | None
    """The remediation mode of this secret."""
    secret_arn: str
    execution: str | None
    acknowledged: bool
    """Whether somebody works on it now, and it needs attention."""
    acknowledged_by: str | None
    """The caller's ARN."""
    acknowledged_until: str | None
    acknowledged_reason: str | None

    @property
    def is_closed(self) -> bool:
        """Whether its workflow has ended."""
        return self.state == CLOSED

    @property
    def status(self) -> str:
        """Its outcome once it is closed, its state before."""
        return self.outcome or self.state if self.is_closed else self.state


COLUMNS = tuple(IncidentRow.__annotations__)


def from_record(
    record: Mapping[str, Any], secret: RemediationState | None, now: datetime, is_latest: bool = True
) -> IncidentRow:
    """The row of an incident with restored types; `is_latest` says that its secret had none after it."""
    state, outcome = record.get("state", OPEN), record.get("outcome")
    failed_at = record.get("last_failure_at")
    has_new_value = secret is not None and secret.succeeded_at > (failed_at or "")
    attention = state != CLOSED or (is_latest and outcome in UNRESOLVED and not has_new_value)
    until = record.get("acknowledged_until")
    return IncidentRow(
        secret_name=record.get("secret_name") or secret_name_of(record["secret_arn"]),
        opened_at=record["opened_at"],
        state=state,
        outcome=outcome,
        attention=attention,
        overdue=state == OPEN and 0 < record.get("alive_until", 0) < now.timestamp(),
        failed_step=record.get("failed_step"),
        attempts=record.get("attempts", 0),
        reason=record.get("reason"),
        failures=record.get("failures", 0),
        event_type=record.get("event_type"),
        last_failure_at=failed_at,
        closed_at=record.get("closed_at"),
        mode=record.get("mode"),
        secret_arn=record["secret_arn"],
        execution=record.get("execution"),
        acknowledged=attention and to_iso(now) < (until or ""),
        acknowledged_by=record.get("acknowledged_by"),
        acknowledged_until=until,
        acknowledged_reason=record.get("acknowledged_reason"),
    )


def from_records(
    records: Sequence[Mapping[str, Any]], states: Mapping[str, RemediationState], now: datetime
) -> list[IncidentRow]:
    """The rows of these incidents: those that are not closed first, then the newest first."""
    latest: dict[str, str] = {}
    for record in records:
        arn = record["secret_arn"]
        latest[arn] = max(latest.get(arn, ""), record["opened_at"])
    rows = [
        from_record(record, states.get(record["secret_arn"]), now, record["opened_at"] == latest[record["secret_arn"]])
        for record in records
    ]
    rows.sort(key=lambda row: row.opened_at, reverse=True)
    return sorted(rows, key=lambda row: row.is_closed)


def to_json(row: IncidentRow) -> dict[str, Any]:
    """The row in JSON and CSV."""
    return {name: getattr(row, name) for name in COLUMNS}
