"""The run that a report is based on, and why what it says may be wrong."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ..timestamps import parse_timestamp
from .recorded_rows import read_row_time
from .run import CHANGES

Run = dict[str, Any]
"""The row of a run."""

_RATE = re.compile(r"rate\(([0-9]{1,6}) (minute|hour|day)s?\)")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}
_DEFAULT_PERIOD = 86_400
"""Seconds, for a cron expression in a stack whose runs do not record their period."""
_DEFAULT_LEASE = timedelta(hours=1)
"""How long a run without a recorded lease is presumed to be in progress."""
_RUN_FIELDS = (
    "run_id",
    "started_at",
    "finished_at",
    "complete",
    "incomplete_because",
    "checked",
    "flagged",
    "unknown",
    "listed",
    "counted",
    "verdicts",
    "findings",
    "period_seconds",
)


@dataclass(frozen=True)
class RunHistory:
    """The runs until a time, newest first, back to the last complete one that has a row of every secret."""

    runs: Sequence[Run]
    until: datetime
    now: datetime
    schedule: str = ""
    """The stack's schedule expression."""

    @property
    def last(self) -> Run | None:
        """The newest one that has finished: a report is based on it."""
        return next((run for run in self.runs if run.get("finished_at")), None)

    @property
    def complete(self) -> Run | None:
        """The newest one that saw every secret."""
        return next((run for run in self.runs if run.get("finished_at") and run.get("complete")), None)

    def has_complete_run_after(self, record: Run) -> bool:
        """Whether a complete run followed this row, so that its secret no longer existed."""
        run = self.complete
        if run is None:
            return False
        # A history of changes has a row of each secret once a day, by the first run of the day.
        digits = 10 if run.get("history_mode") == CHANGES else None
        checked_at = read_row_time(record.get("checked_at"))
        return checked_at is not None and checked_at[:digits] < run["started_at"][:digits]

    def to_json(self) -> dict[str, Any] | None:
        """The run that the report is based on."""
        run = self.last
        return None if run is None else {"checked": 0, **{name: run[name] for name in _RUN_FIELDS if name in run}}

    def warnings(self) -> list[str]:
        """Why a report that is based on them may be wrong, one sentence each."""
        return [*self.losses(), *self.incompleteness(), *self.lateness()]

    def losses(self) -> list[str]:
        """That a run after the last one never finished, as one sentence; empty if none was lost."""
        run = self.last
        lost_runs = [
            candidate
            for candidate in self.runs
            if self._is_lost(candidate) and (run is None or candidate["started_at"] > run["started_at"])
        ]
        return [
            f"The run {lost['run_id']} started at {lost['started_at']} and never finished." for lost in lost_runs[:1]
        ]

    def lateness(self) -> list[str]:
        """That the next run is late, as one sentence; empty if it is not, or if none has finished."""
        run = self.last
        if run is None:
            return []
        age, period = self.until - parse_timestamp(run["started_at"]), self._period(run)
        if age <= 2 * period:
            return []
        return [
            f"The run {run['run_id']} started {format_span(age)} earlier, which is more than two periods of "
            f"{format_span(period)}: the audit may have stopped."
        ]

    def incompleteness(self) -> list[str]:
        """Why the last run may not have seen every secret, as one sentence; empty if it has."""
        run = self.last
        if run is None:
            return [f"No run of the audit had finished by {self.until:%Y-%m-%d %H:%M:%S} UTC."]
        if run.get("complete"):
            return []
        reasons = " ".join(run.get("incomplete_because") or ["It records no reason."])
        return [f"The run {run['run_id']} is incomplete. {reasons}"]

    def _is_lost(self, run: Mapping[str, Any]) -> bool:
        if run.get("finished_at"):
            return False
        lease = run.get("lease_until")
        return (parse_timestamp(lease) if lease else parse_timestamp(run["started_at"]) + _DEFAULT_LEASE) < self.now

    def _period(self, run: Mapping[str, Any]) -> timedelta:
        seconds = run.get("period_seconds")
        match = _RATE.fullmatch(self.schedule)
        if not seconds and match:
            seconds = int(match[1]) * _SECONDS[match[2]]
        return timedelta(seconds=seconds or _DEFAULT_PERIOD)


def format_span(span: timedelta) -> str:
    """A span in words, as the largest unit of which it has two or a whole number."""
    seconds = int(span.total_seconds())
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds >= 2 * size or size == 1 or (seconds >= size and seconds % size == 0):
            count = seconds // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    raise AssertionError("unreachable: the size of a second is 1")
