"""`rotation-guard report`: what the audit of a deployment recorded."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any

import typer

from ..audit_history import RunHistory, rows_as_of, runs_until
from ..deployment import resolve_deployment
from ..errors import UsageError
from ..formats import Format
from ..options import (
    TIME_HELP,
    Command,
    DueWithin,
    ExitCode,
    Local,
    OlderThan,
    OutputFormat,
    Owners,
    Profile,
    Region,
    StackOutputs,
    Verdicts,
    finish,
)
from ..parsing import parse_past_time, utc_now
from ..secret_report import Change, SecretAnswer, SecretRow, build_secret_report, from_record, parse_filter
from ..tables import AuditTables, Record

Attention = Annotated[bool, typer.Option("--attention", help="Only secrets that need attention.")]
AsOf = Annotated[
    str | None, typer.Option(help=f"Report the past. {TIME_HELP} A date means the end of that day.", metavar="TIME")
]
Since = Annotated[
    str | None, typer.Option(help="Only what changed since then, with the previous values; as --as-of.", metavar="TIME")
]


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
    output_format: OutputFormat = Format.TABLE,
    exit_code: ExitCode = False,
) -> None:
    """Report what the audit found: which secrets are overdue, why, and which need attention.

    Reads the stack that --stack-outputs or ROTATION_GUARD_STACK_OUTPUTS names, or else the local deployment that
    `make up` started in this directory or one above it.
    """
    now = utc_now()
    at = now if as_of is None else parse_past_time("--as-of", as_of, now, end_of_day=True)
    start = None if since is None else parse_past_time("--since", since, now, end_of_day=True)
    if start is not None and start >= at:
        raise UsageError(f"--since must be before {'now' if as_of is None else f'--as-of {as_of}'}, got {since}.")
    secret_filter = parse_filter(verdicts, owners, older_than, due_within, attention)
    deployment = resolve_deployment(stack_outputs, local, profile, region)
    tables = AuditTables(deployment)
    history = runs_until(tables, at, now, deployment.outputs.get("schedule_expression"))
    warnings = history.warnings()

    changes = None
    if start is not None:
        before = runs_until(tables, start, now)
        warnings += before.incompleteness()
        changes = _changes(tables, before, None if as_of is None else history, at)
        rows = [change.row for change in changes.values()]
    elif as_of is not None:
        rows = _rows(rows_as_of(tables, tables.secret_names(), history), at)
    else:
        rows = _rows(tables.needing_attention() if attention else tables.statuses(), at)
    answer = SecretAnswer(
        source=deployment.source,
        generated_at=now,
        at=at,
        settings=_settings(deployment.outputs, history),
        filters=secret_filter.to_json(),
        rows=secret_filter.apply(rows, at),
        warnings=[*warnings, *secret_filter.warnings(rows, at)],
        run=history.to_json(),
        changes=changes,
        since=start,
    )
    finish(build_secret_report(answer), output_format, exit_code)


REPORT = Command(
    report,
    (
        "rotation-guard report --attention",
        "rotation-guard report --older-than 30d --format csv",
        "rotation-guard report --as-of 2026-09-30 --stack-outputs outputs.json",
        "rotation-guard report --since 90d --exit-code",
    ),
)


def _rows(records: Iterable[Record], at: datetime) -> list[SecretRow]:
    return [from_record(record, at) for record in records if not record.get("gone_since")]


def _changes(tables: AuditTables, before: RunHistory, after: RunHistory | None, at: datetime) -> dict[str, Change]:
    """What changed between two times; up to now if the second is None."""
    statuses = tables.statuses() if after is None else tables.secret_names()
    last = _rows(statuses if after is None else rows_as_of(tables, statuses, after), at)
    first = _rows(rows_as_of(tables, statuses, before), before.until)
    then, now = ({row.secret_name: row for row in rows} for rows in (first, last))
    changes = {name: Change(then.get(name), now.get(name)) for name in then | now}
    return {name: change for name, change in changes.items() if change.kinds}


def _settings(outputs: Mapping[str, Any], history: RunHistory) -> dict[str, Any]:
    run: Record = history.last or {}
    return {"schedule_expression": outputs.get("schedule_expression"), "history": run.get("history_mode")}
