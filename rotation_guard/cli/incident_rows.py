"""One incident as it is shown in a list."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rotation_guard.domain.remediation.incidents import CLOSED, OPEN, Outcome
from rotation_guard.domain.remediation.remediation_state import RemediationState
from rotation_guard.domain.rotation_event import secret_name_of
from rotation_guard.domain.timestamps import to_iso

from .dynamodb import Record
from .moments import read

_FOR_SOMEONE = (Outcome.ESCALATED, Outcome.RATE_LIMITED)


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """What is said of one incident; every moment is ISO 8601, as it is written in the table."""

    secret_name: str
    opened_at: str
    state: str
    """`open`, `restarting` or `closed`."""
    outcome: str | None
    """How it ended; None while it is open."""
    attention: bool
    """Whether it needs someone: it is not over, or it ended with people and the secret had no new value since."""
    overdue: bool
    """Whether its workflow has not been heard of by the time that it said."""
    failed_step: str | None
    attempts: int
    """Calls of RotateSecret that it made."""
    reason: str | None
    """Why it ended so, in a sentence."""
    failures: int
    event_type: str | None
    """What opened it."""
    last_failure_at: str | None
    closed_at: str | None
    mode: str | None
    """How far remediation might go for this secret."""
    secret_arn: str
    execution: str | None

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it."""
        return self.state == CLOSED

    @property
    def stands(self) -> str:
        """Its state, or how it ended, in a word or some."""
        return self.outcome or self.state if self.is_over else self.state


COLUMNS = tuple(IncidentRow.__annotations__)


def incident_row(
    record: Record, standing: RemediationState | None, now: datetime, is_latest: bool = True
) -> IncidentRow:
    """The incident that this row holds; `is_latest` says that its secret had none after it."""
    state, outcome = record.get("state", OPEN), record.get("outcome")
    failed_at = record.get("last_failure_at")
    is_mended = standing is not None and standing.succeeded_at > (failed_at or "")
    return IncidentRow(
        secret_name=record.get("secret_name") or secret_name_of(record["secret_arn"]),
        opened_at=record["opened_at"],
        state=state,
        outcome=outcome,
        attention=state != CLOSED or (is_latest and outcome in _FOR_SOMEONE and not is_mended),
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
    )


def incident_rows(
    records: Sequence[Record], standings: Mapping[str, RemediationState], now: datetime
) -> list[IncidentRow]:
    """All of these: what is not over before the rest, and of both the newest first."""
    latest: dict[str, str] = {}
    for record in records:
        arn = record["secret_arn"]
        latest[arn] = max(latest.get(arn, ""), record["opened_at"])
    rows = [
        incident_row(record, standings.get(arn), now, record["opened_at"] == latest[arn])
        for record in records
        for arn in (record["secret_arn"],)
    ]
    rows.sort(key=lambda row: row.opened_at, reverse=True)
    return sorted(rows, key=lambda row: row.is_over)


def plain(row: IncidentRow) -> dict[str, Any]:
    """As JSON and CSV have it."""
    return {name: getattr(row, name) for name in COLUMNS}


def counted(rows: Iterable[IncidentRow]) -> dict[str, int]:
    """How many there are of each state and outcome, those that are not over first."""
    return dict(Counter(row.stands for row in rows))


def to_the_minute(moment: str | None) -> str:
    """A moment of the table as people read it, in UTC; as it is where it is none."""
    return _shown(moment, "%Y-%m-%d %H:%M")


def to_the_second(moment: str | None) -> str:
    """The same with its seconds."""
    return _shown(moment, "%Y-%m-%d %H:%M:%S")


def from_epoch(seconds: object) -> str | None:
    """A moment in epoch seconds as the others are written."""
    if not isinstance(seconds, int | float):
        return None
    return to_iso(datetime.fromtimestamp(seconds, UTC))


def _shown(moment: str | None, form: str) -> str:
    if not moment:
        return ""
    try:
        return f"{read(moment):{form}}"
    except ValueError:
        return moment
