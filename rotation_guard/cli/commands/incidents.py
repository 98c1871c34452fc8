"""`rotation-guard incidents`: lists and explains incidents, and releases secrets whose repairs are suspended."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Annotated

import typer

from rotation_guard.domain.remediation.incident_rows import from_record, from_records
from rotation_guard.domain.remediation.incidents import Outcome
from rotation_guard.domain.rotation_event import secret_name_of
from rotation_guard.domain.timestamps import read_timestamp, to_iso

from ..account import Account
from ..deployment import Deployment, begin_write, resolve_deployment
from ..dynamodb import Record
from ..errors import UsageError
from ..formats import Format
from ..incident_report import (
    build_incident_list,
    build_suspended_list,
    format_second,
)
from ..incident_table import IncidentTable
from ..incident_timeline import NamedSecret, build_incident_report
from ..log_groups import find_log_groups
from ..options import (
    TIME_HELP,
    Command,
    ExitCode,
    Local,
    OutputFormat,
    Profile,
    Reason,
    Region,
    StackOutputs,
    finish,
)
from ..parsing import parse_future_time, parse_past_time, parse_timestamp, utc_now
from ..provenance import begin_provenance
from ..report import Report
from ..terminal import echo
from ..watching import WATCH_SECONDS, check_watch, watch

DEFAULT = "list"
_DEFAULT_PERIOD = "7d"
_LONGEST_ACKNOWLEDGEMENT = timedelta(days=90)
"""Longer is no work in progress: a secret that may stay as it is has an exemption."""
_MAX_LISTED = 10
"""Incidents of a secret that the error message about --opened-at lists."""
_ARN = re.compile(r"arn:[^:\s]+:secretsmanager:[^:\s]+:[0-9]{12}:secret:\S+")
_LONGEST_ARN = 2048

Secret = Annotated[str, typer.Argument(help="Name or ARN of the secret.", metavar="SECRET", show_default=False)]
Since = Annotated[
    str | None,
    typer.Option(
        help=f"Also incidents opened, closed or resolved since then (default: 7d). {TIME_HELP}", metavar="TIME"
    ),
]
Attention = Annotated[
    bool,
    typer.Option(
        "--attention", help="Only incidents, of any age, that need attention and that nobody has acknowledged."
    ),
]
Watch = Annotated[
    bool,
    typer.Option(
        "--watch",
        help=f"Show it again every {WATCH_SECONDS} seconds, until Control-C; not in a terminal, append what changes.",
    ),
]
Until = Annotated[
    str | None,
    typer.Option(
        help="Until when: a time span from now (4h, 2d), a date (its end), or a timestamp, in UTC. Required.",
        metavar="TIME",
    ),
]
OnlyOpen = Annotated[bool, typer.Option("--open", help="Only incidents that are not closed.")]
Outcomes = Annotated[
    list[str],
    typer.Option(
        "--outcome",
        help=f"Only incidents with this outcome; repeatable. One of: {', '.join(Outcome)}.",
        metavar="OUTCOME",
        autocompletion=lambda: list(Outcome),
    ),
]
OpenedAt = Annotated[
    str | None, typer.Option(help="The incident with this opening time (default: the newest).", metavar="TIMESTAMP")
]


def list_incidents(
    since: Since = None,
    only_open: OnlyOpen = False,
    attention: Attention = False,
    outcomes: Outcomes = [],  # noqa: B006 - typer's default of a list, which it copies
    is_watch: Watch = False,
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    output_format: OutputFormat = Format.TABLE,
    exit_code: ExitCode = False,
) -> None:
    """List incidents: the open ones first, then those of the last 7 days."""
    check_watch(is_watch, output_format, exit_code)
    # What needs attention does so at any age.
    period = since or (None if attention else _DEFAULT_PERIOD)
    if period is not None:
        parse_past_time("--since", period, utc_now())
    chosen = [_parse_outcome(text) for text in outcomes]
    deployment, table = _incident_table(stack_outputs, local, profile, region)
    provenance = begin_provenance(deployment)

    def build() -> Report:
        now = utc_now()
        start = None if period is None else parse_past_time("--since", period, now)
        rows = [
            row
            for row in from_records(*table.incidents_since(start), now)
            if not (only_open and row.is_closed)
            and (not chosen or row.outcome in chosen)
            and (not attention or (row.attention and not row.acknowledged))
        ]
        report = build_incident_list(rows, deployment, now, start, chosen, only_open, attention)
        return provenance.attach(report)

    if is_watch:
        watch(build)
    finish(build(), output_format, exit_code)


def show(
    secret: Secret,
    opened_at: OpenedAt = None,
    is_watch: Watch = False,
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    output_format: OutputFormat = Format.TABLE,
    exit_code: ExitCode = False,
) -> None:
    """Show the newest incident of a secret: what failed, what was done and why, and the current state."""
    check_watch(is_watch, output_format, exit_code)
    deployment, table = _incident_table(stack_outputs, local, profile, region)
    provenance = begin_provenance(deployment)

    @cache
    def log_groups_of(execution: str | None, function_arn: str | None) -> dict[str, str]:
        return find_log_groups(deployment, execution, function_arn)

    def build() -> Report:
        now = utc_now()
        named = _resolve_secret(secret, deployment, table)
        records = table.incidents_of(named.arn)
        newest = _require_incident(next(records, None), named)
        record = newest if opened_at is None else _find_incident(opened_at.strip(), [newest, *records], named.name)
        state = table.remediation_state(named.arn)
        row = from_record(record, state, now, is_latest=record is newest)
        groups = log_groups_of(row.execution, named.rotation_function)
        return provenance.attach(build_incident_report(row, record, state, named, groups, deployment, now))

    if is_watch:
        watch(build)
    finish(build(), output_format, exit_code)


def list_suspended(
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    output_format: OutputFormat = Format.TABLE,
    exit_code: ExitCode = False,
) -> None:
    """List the secrets whose repairs are suspended because incidents kept recurring."""
    deployment, table = _incident_table(stack_outputs, local, profile, region)
    provenance = begin_provenance(deployment)
    report = build_suspended_list(table.suspended_states(), deployment, utc_now())
    finish(provenance.attach(report), output_format, exit_code)


def acknowledge(
    secret: Secret,
    reason: Reason = None,
    until: Until = None,
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Say that you work on the newest incident of a secret, why, and until when.

    It is then left out of `incidents list --attention`, and no reminder is sent, until that time; nothing else changes.
    A later acknowledgement replaces it. Records the caller and the reason. Needs --stack-outputs,
    ROTATION_GUARD_STACK_OUTPUTS or --local, and --reason and --until.
    """
    now = utc_now()
    end = _parse_until(until, now)
    write = begin_write(stack_outputs, local, profile, region, reason)
    table = IncidentTable(write.deployment)
    named = _resolve_secret(secret, write.deployment, table)
    record = _require_incident(next(table.incidents_of(named.arn), None), named)
    row = from_record(record, table.remediation_state(named.arn), now)
    opened = f"{format_second(row.opened_at)} UTC"
    if not row.attention:
        raise UsageError(
            f"The newest incident of {named.name}, opened at {opened}, is over ({row.status}), so there is nothing to "
            "acknowledge. Nothing was written."
        )
    recorded = (row.acknowledged_by, row.acknowledged_reason, row.acknowledged_until)
    if recorded == (write.caller_arn, write.reason, to_iso(end)):
        echo(f"The incident of {named.name} is already acknowledged like this, so nothing was written.")
        echo(write.target)
        return
    write.announce()
    if not table.acknowledge(record, now, end, write.caller_arn, write.reason):
        raise UsageError(
            f"The incident of {named.name}, opened at {opened}, has changed meanwhile, so it was not acknowledged: "
            f"`rotation-guard incidents show` says how it is now."
        )
    echo(
        f"The incident of {named.name}, opened at {opened}, is acknowledged until {end:%Y-%m-%d %H:%M:%S} UTC: until "
        "then `incidents list --attention` leaves it out, and no reminder is sent."
    )
    echo(write.target)


def release(
    secret: Secret,
    reason: Reason = None,
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Resume repairs of a suspended secret, once its cause is fixed.

    Records the caller and the reason. Needs --stack-outputs, ROTATION_GUARD_STACK_OUTPUTS or --local, and --reason.
    """
    write = begin_write(stack_outputs, local, profile, region, reason)
    table = IncidentTable(write.deployment)
    named = _resolve_secret(secret, write.deployment, table)
    state = table.remediation_state(named.arn)
    if not state.is_suspended:
        before = f"; it was released at {format_second(state.released_at)} UTC" if state.released_at else ""
        echo(f"Repairs of {named.name} are not suspended, so there is nothing to release{before}.")
        echo(write.target)
        return
    write.announce()
    released = table.release(state, utc_now(), write.caller_arn, write.reason)
    echo(
        f"{named.name} is released at {format_second(released.released_at)} UTC. Its repairs were suspended since "
        f"{format_second(state.suspended_at)} UTC: from its next failed rotation on, it is repaired again as far as "
        "its tags allow, and the count of its failed incidents restarts."
    )
    echo(write.target)


COMMANDS: Mapping[str, Command] = {
    DEFAULT: Command(
        list_incidents,
        (
            "rotation-guard incidents",
            "rotation-guard incidents list --since 30d --outcome escalated --outcome held",
            "rotation-guard incidents list --open --exit-code --stack-outputs outputs.json",
            "rotation-guard incidents list --attention --watch",
        ),
    ),
    "show": Command(
        show,
        (
            "rotation-guard incidents show orders/db",
            "rotation-guard incidents show orders/db --opened-at 2026-03-01T12:00:00Z --format markdown",
        ),
    ),
    "ack": Command(
        acknowledge,
        (
            "rotation-guard incidents ack orders/db --reason 'waiting for the vendor' --until 4h "
            "--stack-outputs outputs.json",
        ),
    ),
    "release": Command(
        release,
        ("rotation-guard incidents release orders/db --reason 'grant restored' --stack-outputs outputs.json",),
    ),
    "orphaned": Command(list_suspended, ("rotation-guard incidents orphaned --exit-code",)),
}


def _incident_table(
    stack_outputs: str | None, local: bool, profile: str | None, region: str | None
) -> tuple[Deployment, IncidentTable]:
    deployment = resolve_deployment(stack_outputs, local, profile, region)
    return deployment, IncidentTable(deployment)


def _require_incident(record: Record | None, named: NamedSecret) -> Record:
    if record is None:
        raise UsageError(f"{named.name} has no recorded incident ({named.arn}).")
    return record


def _parse_until(text: str | None, now: datetime) -> datetime:
    """The end of an acknowledgement. Raises UsageError if it is missing, past, or too far away."""
    if text is None:
        raise UsageError(
            "An acknowledgement needs an end: give --until TIME, such as 4h, 2d or 2026-03-01T12:00:00Z. Nothing was "
            "written."
        )
    end = parse_future_time("--until", text, now)
    if not now < end <= now + _LONGEST_ACKNOWLEDGEMENT:
        raise UsageError(
            f"--until must be in the future, and at most {_LONGEST_ACKNOWLEDGEMENT.days} days from now, got {text}. "
            "Nothing was written."
        )
    return end


def _parse_outcome(text: str) -> Outcome:
    """The outcome with this name, in any case."""
    for outcome in Outcome:
        if " ".join(text.split()).lower() == outcome.lower():
            return outcome
    raise UsageError(f"--outcome must be one of {', '.join(Outcome)}, got {text!r}.")


def _find_incident(text: str, records: Sequence[Record], name: str) -> Record:
    """The incident that was opened at this time: as it is recorded, or to the second, as it is shown."""
    try:
        wanted = parse_timestamp(text)
    except ValueError:
        raise UsageError(f"--opened-at must be a date such as 2026-03-01T12:00:00Z, got {text!r}.") from None
    exact = [(opened_at, record) for record in records if (opened_at := read_timestamp(record["opened_at"]))]
    to_the_second = [(opened_at.replace(microsecond=0), record) for opened_at, record in exact]
    for opened_at, record in (*exact, *to_the_second):
        if opened_at == wanted:
            return record
    known = ", ".join(record["opened_at"] for record in records[:_MAX_LISTED])
    more = f", and {len(records) - _MAX_LISTED} earlier ones" if len(records) > _MAX_LISTED else ""
    raise UsageError(f"--opened-at must be one of the incidents of {name}, {known}{more}, got {text}.")


def _resolve_secret(text: str, deployment: Deployment, table: IncidentTable) -> NamedSecret:
    """The secret with this name or ARN; if Secrets Manager does not describe it, its incidents identify it."""
    is_arn = text.startswith("arn:")
    if not 0 < len(text) <= _LONGEST_ARN or text.isspace() or (is_arn and not _ARN.fullmatch(text)):
        raise UsageError(f"SECRET must be the name or the ARN of a secret, got {text[:_LONGEST_ARN]!r}.")
    if is_arn:
        _check_arn(text, deployment)
    description = Account(deployment.session).describe(text)
    if description is not None:
        return NamedSecret(description["ARN"], description["Name"], description)
    if is_arn:
        return NamedSecret(text, secret_name_of(text))
    arns = table.arns_of(text)
    if not arns:
        raise UsageError(
            f"SECRET must be the name or the ARN of a secret, got {text!r}, which neither Secrets Manager nor "
            "an incident knows."
        )
    if len(arns) > 1:
        raise UsageError(f"Several secrets have had the name {text}, so give the ARN of one: {', '.join(arns)}.")
    return NamedSecret(arns[0], text)


def _check_arn(arn: str, deployment: Deployment) -> None:
    """Raise UsageError if the ARN is in another account or Region than the deployment.

    Outputs that name no account or Region are not checked.
    """
    region, account = arn.split(":")[3:5]
    for what, expected, actual in (
        ("account", deployment.accounts, account),
        ("Region", deployment.regions, region),
    ):
        if expected and actual not in expected:
            raise UsageError(
                f"SECRET must be in {what} {' or '.join(expected)}, like {deployment.description}, got one in "
                f"{actual}: {arn}."
            )
