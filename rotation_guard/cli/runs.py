"""The run of the audit that a report rests on, and whether it can be relied upon."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rotation_guard.domain.audit.run import CHANGES

from .dynamodb import Record
from .moments import read
from .records import Records

_RATE = re.compile(r"rate\(([0-9]{1,6}) (minute|hour|day)s?\)")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}
_UNKNOWN_PERIOD = 86_400
"""For a cron expression in a stack whose runs do not say their period."""
_PATIENCE = timedelta(hours=1)
"""That a run which does not say how long it may take is thought to be under way."""
_LOOKED_AT = 50
"""Runs among which the last complete one is looked for."""
_TOLD = (
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
class Runs:
    """The runs until a moment, newest first, as far back as the last complete one that has a row of every secret."""

    runs: Sequence[Record]
    until: datetime
    now: datetime
    schedule: str = ""
    """The stack's schedule expression."""

    @property
    def last(self) -> Record | None:
        """The newest one that has come to an end: what a report rests on."""
        return next((run for run in self.runs if run.get("finished_at")), None)

    @property
    def complete(self) -> Record | None:
        """The newest one that saw everything."""
        return next((run for run in self.runs if run.get("finished_at") and run.get("complete")), None)

    def saw_all_after(self, record: Record) -> bool:
        """Whether a complete run came after this row of history, so that its secret was not there any more."""
        run = self.complete
        if run is None:
            return False
        # A history of changes has a row of each secret once a day, by the first run of the day.
        digits = 10 if run.get("history_mode") == CHANGES else None
        return record["checked_at"][:digits] < run["started_at"][:digits]

    def told(self) -> dict[str, Any] | None:
        """The run that the report rests on, as JSON has it."""
        run = self.last
        return None if run is None else {"checked": 0, **{name: run[name] for name in _TOLD if name in run}}

    def warnings(self) -> list[str]:
        """Why a report that rests on them cannot be relied upon, a sentence each."""
        run = self.last
        lost = [
            one for one in self.runs if self._is_lost(one) and (run is None or one["started_at"] > run["started_at"])
        ]
        said = [f"The run {one['run_id']} began at {one['started_at']} and was never finished." for one in lost[:1]]
        said += self.doubts()
        if run is None:
            return said
        age, period = self.until - read(run["started_at"]), self._period(run)
        if age > 2 * period:
            said.append(
                f"The run {run['run_id']} began {_in_words(age)} before, which is more than two periods of "
                f"{_in_words(period)}: the audit may have stopped."
            )
        return said

    def doubts(self) -> list[str]:
        """Why the last of them may not have seen every secret, in a sentence."""
        run = self.last
        if run is None:
            return [f"No run of the audit had ended by {self.until:%Y-%m-%d %H:%M:%S} UTC."]
        if run.get("complete"):
            return []
        because = " ".join(run.get("incomplete_because") or ["It does not say why."])
        return [f"The run {run['run_id']} is incomplete. {because}"]

    def _is_lost(self, run: Mapping[str, Any]) -> bool:
        if run.get("finished_at"):
            return False
        lease = run.get("lease_until")
        return (read(lease) if lease else read(run["started_at"]) + _PATIENCE) < self.now

    def _period(self, run: Mapping[str, Any]) -> timedelta:
        seconds = run.get("period_seconds")
        match = _RATE.fullmatch(self.schedule)
        if not seconds and match:
            seconds = int(match[1]) * _SECONDS[match[2]]
        return timedelta(seconds=seconds or _UNKNOWN_PERIOD)


def runs_until(records: Records, until: datetime, now: datetime, schedule: object = "") -> Runs:
    """The runs until a moment, of the schedule and by hand."""
    scheduled = _up_to_a_complete_one(records.scheduled_runs(until))
    since = read(scheduled[-1]["started_at"]) if scheduled else None
    found = [*scheduled, *records.runs_by_hand(since, until)]
    found.sort(key=lambda run: run["started_at"], reverse=True)
    return Runs(found, until, now, schedule if isinstance(schedule, str) else "")


def lists_changed(run: Mapping[str, Any]) -> set[str] | None:
    """The secrets of which a run has a row, where it lists them; None where it may have one of every secret."""
    changed = run.get("changed", ())
    if run.get("history_mode") != CHANGES or run.get("recorded", -1) != len(changed):
        return None
    return set(changed)


def _up_to_a_complete_one(runs: Iterable[Record]) -> list[Record]:
    found: list[Record] = []
    for run in runs:
        found.append(run)
        ended = run.get("finished_at") and run.get("complete")
        if (ended and lists_changed(run) is None) or len(found) == _LOOKED_AT:
            break
    return found


def _in_words(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds >= 2 * size or size == 1 or (seconds >= size and seconds % size == 0):
            count = seconds // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    raise AssertionError("a second is a second")
