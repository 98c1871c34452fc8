"""The audit's past: the run that a report is based on, whether it is reliable, and the rows as of a time.

A history of changes has a row of a secret only when its verdict or version changed and once a day, and each run lists
which ones changed; in a history of every run, the last run has a row of each secret. The ids of manual runs do not sort
by time, so their rows are fetched by key.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rotation_guard.domain.audit.recorded_rows import read_row_time
from rotation_guard.domain.audit.run import CHANGES
from rotation_guard.domain.audit.run_history import RunHistory
from rotation_guard.domain.timestamps import parse_timestamp

from .dynamodb import Record
from .tables import AuditTables

_MAX_RUNS = 50
"""Runs among which the last complete one is searched for."""


def runs_until(tables: AuditTables, until: datetime, now: datetime, schedule: object = "") -> RunHistory:
    """The scheduled and the manual runs until a time."""
    scheduled = _take_until_complete(tables.scheduled_runs(until))
    since = parse_timestamp(scheduled[-1]["started_at"]) if scheduled else None
    runs = [*scheduled, *tables.manual_runs(since, until)]
    runs.sort(key=lambda run: run["started_at"], reverse=True)
    return RunHistory(runs, until, now, schedule if isinstance(schedule, str) else "")


def rows_as_of(tables: AuditTables, statuses: Iterable[Record], history: RunHistory) -> list[Record]:
    """The row of each secret that was in effect at the end of this history."""
    names = [status["secret_name"] for status in statuses if not _was_gone(status, history.until)]
    rows = _rows_of_runs(tables, names, history.runs)
    missing = [name for name in names if name not in rows]
    if missing:
        rows |= _last_rows(tables, missing, history.until)
    return [row for row in rows.values() if not history.has_complete_run_after(row)]


def _rows_of_runs(tables: AuditTables, names: Sequence[str], runs: Sequence[Record]) -> dict[str, Record]:
    """The last row of each secret: the one of the newest run that has one."""
    rows: dict[str, Record] = {}
    for run in runs:
        missing = [name for name in names if name not in rows]
        if not missing:
            break
        changed = _changed_secrets(run)
        candidates = missing if changed is None else [name for name in missing if name in changed]
        rows |= tables.rows_of_run(candidates, run["run_id"]) if candidates else {}
    return rows


def _last_rows(tables: AuditTables, names: Sequence[str], until: datetime) -> dict[str, Record]:
    """The last row of each secret, by a Query for each one, and of manual runs by key."""
    rows = tables.last_rows(names, until)
    earliest = min((row["checked_at"] for row in rows.values()), default="") if len(rows) == len(names) else ""
    manual_runs = tables.manual_runs(parse_timestamp(earliest) if earliest else None, until)
    for run in sorted(manual_runs, key=lambda run: run["started_at"], reverse=True):
        known = {name: read_row_time(row.get("checked_at")) or "" for name, row in rows.items()}
        outdated = [name for name in names if known.get(name, "") < run["started_at"]]
        rows |= tables.rows_of_run(outdated, run["run_id"])
    return rows


def _was_gone(status: Record, until: datetime) -> bool:
    gone_since = read_row_time(status.get("gone_since"))
    return gone_since is not None and parse_timestamp(gone_since) <= until


def _changed_secrets(run: Mapping[str, Any]) -> set[str] | None:
    """The secrets that a run wrote a row about, if it lists them; None if it may have written one about each secret."""
    changed = run.get("changed", ())
    if run.get("history_mode") != CHANGES or run.get("recorded", -1) != len(changed):
        return None
    return set(changed)


def _take_until_complete(runs: Iterable[Record]) -> list[Record]:
    """The runs from the newest one to the first complete one that has a row of every secret."""
    taken: list[Record] = []
    for run in runs:
        taken.append(run)
        is_complete = run.get("finished_at") and run.get("complete")
        if (is_complete and _changed_secrets(run) is None) or len(taken) == _MAX_RUNS:
            break
    return taken
