"""What the audit of one deployment, or of the accounts that report to a hub, recorded: the parts of a report.

What cannot be read is named in its part, and the rest is still reported.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from rotation_guard.domain.audit.secret_rows import Change, SecretRow, from_record
from rotation_guard.domain.audit.secret_totals import tally_rows
from rotation_guard.domain.audit.tally import tally_run

from .audit_history import RunHistory, rows_as_of, runs_until
from .deployment import Deployment, require_account
from .dynamodb import Record
from .errors import CommandError, Unreachable, UsageError
from .hub_reading import is_hub, read_hub
from .identity import Identity, begin_identity
from .parsing import parse_timestamp
from .secret_answer import Part, Reading
from .tables import AuditTables

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Question:
    """What is asked of every deployment."""

    now: datetime
    at: datetime
    """The time that the report is about."""
    is_past: bool = False
    """Whether that time was given."""
    since: datetime | None = None
    attention: bool = False
    """Whether only secrets that need attention are wanted, which is a cheaper question."""


def read_deployments(deployments: Sequence[Deployment], question: Question) -> list[Reading]:
    """The parts of a report on these deployments. Raises CommandError if none of them can be read."""
    readings: list[Reading] = []
    errors: list[CommandError] = []
    for deployment in deployments:
        try:
            parts = _read_hub(deployment, question) if is_hub(deployment) else [_read(deployment, question)]
        except UsageError:
            raise
        except CommandError as error:
            errors.append(error)
            parts = [Reading(Part(deployment.source, unreadable=[str(error)]))]
        readings += [_numbered(reading, len(readings) + index) for index, reading in enumerate(parts)]
    if len(errors) == len(deployments):
        raise errors[0] if len(errors) == 1 else Unreachable(" ".join(map(str, errors)))
    return readings


class _Attempts:
    """Reads one thing after the other; what cannot be read has a default and is named."""

    def __init__(self) -> None:
        self.errors: list[Unreachable] = []
        self.has_answer = False

    def read(self, answer: Callable[[], _Answer], default: _Answer) -> _Answer:
        try:
            value = answer()
        except Unreachable as error:
            self.errors.append(error)
            return default
        self.has_answer = True
        return value


def read_part(deployment: Deployment, question: Question) -> Part:
    """What a report on this deployment is based on, without its secrets: one Query. Raises CommandError."""
    identity, tables = begin_identity(deployment.session), AuditTables(deployment)
    history = runs_until(tables, question.at, question.now, deployment.outputs.get("schedule_expression"))
    known = identity.result()
    require_account(deployment, known.account_id)
    return replace(_build_part(deployment, history, known), tally=tally_run(history.last or {}))


def _read(deployment: Deployment, question: Question) -> Reading:
    """What this deployment recorded. Raises Unreachable if neither its runs nor its secrets can be read."""
    identity, tables, attempts = begin_identity(deployment.session), AuditTables(deployment), _Attempts()
    at, now = question.at, question.now
    schedule = deployment.outputs.get("schedule_expression")
    history = attempts.read(lambda: runs_until(tables, at, now, schedule), RunHistory([], at, now))
    has_runs = attempts.has_answer
    warnings = history.warnings() if has_runs else []
    changes, rows, are_all = None, list[SecretRow](), False
    if question.since is not None:
        before = attempts.read(lambda: runs_until(tables, question.since or at, now), RunHistory([], at, now))
        warnings += before.incompleteness()
        after = history if question.is_past else None
        changes = attempts.read(lambda: _find_changes(tables, before, after, at), {})
        rows = [change.row for change in changes.values()]
    elif question.is_past:
        records = attempts.read(lambda: rows_as_of(tables, tables.secret_names(), history), None)
        rows, are_all = _build_rows(records or (), at), records is not None
    else:
        read = tables.needing_attention if question.attention else tables.statuses
        records = attempts.read(read, None)
        rows, are_all = _build_rows(records or (), at), records is not None and not question.attention
    known = identity.result()
    require_account(deployment, known.account_id)
    if not attempts.has_answer:
        raise attempts.errors[0]
    part = replace(
        _build_part(deployment, history, known),
        tally=tally_rows(rows) if are_all else tally_run(history.last or {}),
        has_runs=has_runs,
        warnings=warnings,
        unreadable=[str(error) for error in attempts.errors],
    )
    return Reading(part, rows, changes)


def _build_part(deployment: Deployment, history: RunHistory, known: Identity) -> Part:
    return Part(
        source=deployment.source,
        identity=replace(known, region=known.region or next(iter(deployment.regions), None)),
        settings=_settings(deployment.outputs, history),
        run=history.to_json(),
        last_complete=parse_timestamp(history.complete["finished_at"]) if history.complete else None,
        warnings=history.warnings(),
    )


def _read_hub(deployment: Deployment, question: Question) -> list[Reading]:
    if question.is_past or question.since is not None:
        option = "--as-of" if question.is_past else "--since"
        raise UsageError(
            f"{option} needs the tables of one account: {deployment.name} is a hub, which has the present."
        )
    return read_hub(deployment, question.now, attention=question.attention)


def _numbered(reading: Reading, number: int) -> Reading:
    """The reading as the part of this number."""
    if number == 0:
        return reading

    def renumber(row: SecretRow | None) -> SecretRow | None:
        return None if row is None else replace(row, part=number)

    changes = reading.changes
    if changes is not None:
        renumbered = (Change(renumber(change.before), renumber(change.after)) for change in changes.values())
        changes = {change.row.key: change for change in renumbered}
    return replace(reading, rows=[replace(row, part=number) for row in reading.rows], changes=changes)


def _build_rows(records: Iterable[Record], at: datetime) -> list[SecretRow]:
    return [from_record(record, at) for record in records if not record.get("gone_since")]


def _find_changes(
    tables: AuditTables, before: RunHistory, after: RunHistory | None, at: datetime
) -> dict[tuple[int, str], Change]:
    """What changed between two times; up to now if the second is None."""
    statuses = tables.statuses() if after is None else tables.secret_names()
    last = _build_rows(statuses if after is None else rows_as_of(tables, statuses, after), at)
    first = _build_rows(rows_as_of(tables, statuses, before), before.until)
    then, now = ({row.key: row for row in rows} for rows in (first, last))
    changes = {key: Change(then.get(key), now.get(key)) for key in then | now}
    return {key: change for key, change in changes.items() if change.kinds}


def _settings(outputs: Mapping[str, Any], history: RunHistory) -> dict[str, Any]:
    run: Record = history.last or {}
    recorded = run.get("settings") or {}
    return {**recorded, "schedule_expression": outputs.get("schedule_expression"), "history": run.get("history_mode")}
