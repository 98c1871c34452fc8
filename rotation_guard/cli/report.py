"""`rotation-guard report`: what the audit of a deployment wrote down."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from . import past
from .answers import Answer
from .deployment import resolve_deployment
from .dynamodb import Record
from .moments import past_moment
from .options import (
    DueWithin,
    ExitCode,
    Local,
    OlderThan,
    Owners,
    Profile,
    Region,
    StackOutputs,
    Verdicts,
    Written,
    give,
)
from .problems import Misused
from .records import Records
from .runs import Runs, runs_until
from .secret_rows import Change, SecretRow, of_record, urgent_first
from .selection import selection
from .writing import Format

Attention = Annotated[bool, typer.Option("--attention", help="Only secrets that need someone.")]
AsOf = Annotated[
    str | None, typer.Option(help="What was true then: a moment, or the end of a day, in UTC.", metavar="DATE")
]
Since = Annotated[str | None, typer.Option(help="Only what changed since then, and how it was.", metavar="DATE")]


def report(
    older_than: OlderThan = None,
    verdicts: Verdicts = [],  # noqa: B006 - typer's default of a list, which it copies
    owners: Owners = [],  # noqa: B006
    attention: Attention = False,
    due_within: DueWithin = None,
    as_of: AsOf = None,
    since: Since = None,
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    written: Written = Format.TABLE,
    exit_code: ExitCode = False,
) -> None:
    """Tell what the audit found: which secrets are overdue, why, and what needs someone.

    It asks the stack in an account that --stack-outputs or ROTATION_GUARD_STACK_OUTPUTS names, or else the local
    deployment that `make up` started here or in a directory above.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    at = now if as_of is None else past_moment("--as-of", as_of, now)
    start = None if since is None else past_moment("--since", since, now)
    if start is not None and start >= at:
        raise Misused(f"--since must be before {'now' if as_of is None else f'--as-of {as_of}'}, got {since}.")
    chosen = selection(verdicts, owners, older_than, due_within, attention)
    deployment = resolve_deployment(stack_outputs, local, profile, region)
    records = Records(deployment)
    runs = runs_until(records, at, now, deployment.outputs.get("schedule_expression"))
    warnings = runs.warnings()

    changes = None
    if start is not None:
        before = runs_until(records, start, now)
        warnings += before.doubts()
        changes = _changes(records, before, None if as_of is None else runs, at)
        rows = [change.row for change in changes.values()]
    elif as_of is not None:
        rows = _rows(past.state(records, records.whereabouts(), runs), at)
    else:
        rows = _rows(records.needing_someone() if attention else records.statuses(), at)
    unclear = chosen.cannot_tell(rows, at)
    answer = Answer(
        source=deployment.source,
        generated_at=now,
        at=at,
        settings=_settings(deployment.outputs, runs),
        filters=chosen.written(),
        rows=urgent_first(chosen.of(rows, at)),
        warnings=[*warnings, *([unclear] if unclear else [])],
        run=runs.told(),
        changes=changes,
        since=start,
    )
    give(answer, written, exit_code)


def _rows(found: Iterable[Record], at: datetime) -> list[SecretRow]:
    return [of_record(record, at) for record in found if not record.get("gone_since")]


def _changes(records: Records, before: Runs, after: Runs | None, at: datetime) -> dict[str, Change]:
    """What changed between two moments; between one and now where there is no second."""
    statuses = records.statuses() if after is None else records.whereabouts()
    last = _rows(statuses if after is None else past.state(records, statuses, after), at)
    first = _rows(past.state(records, statuses, before), before.until)
    then, now = ({row.secret_name: row for row in rows} for rows in (first, last))
    changes = {name: Change(then.get(name), now.get(name)) for name in then | now}
    return {name: change for name, change in changes.items() if change.kinds}


def _settings(outputs: Mapping[str, Any], runs: Runs) -> dict[str, Any]:
    run: Record = runs.last or {}
    return {"schedule_expression": outputs.get("schedule_expression"), "history": run.get("history_mode")}
