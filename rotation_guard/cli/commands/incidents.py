"""`rotation-guard incidents`: lists and explains incidents, and releases secrets whose repairs are suspended."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from rotation_guard.domain.remediation.incidents import Outcome
from rotation_guard.domain.rotation_event import secret_name_of

from ..account import Account
from ..deployment import Deployment, begin_write, resolve_deployment
from ..errors import UsageError
from ..formats import Format
from ..incident_report import (
    build_incident_list,
    build_suspended_list,
    format_second,
    from_record,
    from_records,
)
from ..incident_timeline import NamedSecret, build_incident_report
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
from ..parsing import parse_past_time, parse_timestamp, utc_now
from ..tables import IncidentTable, Record
from ..terminal import echo

DEFAULT = "list"
_MAX_LISTED = 10
"""Incidents of a secret that the error message about --opened-at lists."""
_ARN = re.compile(r"arn:[^:\s]+:secretsmanager:[^:\s]+:[0-9]{12}:secret:\S+")
_LONGEST_ARN = 2048

Secret = Annotated[str, typer.Argument(help="Name or ARN of the secret.", metavar="SECRET", show_default=False)]
Since = Annotated[
    str, typer.Option(help=f"Also incidents opened, closed or resolved since then. {TIME_HELP}", metavar="TIME")
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
    since: Since = "7d",
    only_open: OnlyOpen = False,
    outcomes: Outcomes = [],  # noqa: B006 - typer's default of a list, which it copies
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    output_format: OutputFormat = Format.TABLE,
    exit_code: ExitCode = False,
) -> None:
    """List incidents: the open ones first, then those of the last 7 days."""
    now = utc_now()
    start = parse_past_time("--since", since, now)
    chosen = [_parse_outcome(text) for text in outcomes]
    deployment, table = _incident_table(stack_outputs, local, profile, region)
    rows = [
        row
        for row in from_records(*table.incidents_since(start), now)
        if not (only_open and row.is_closed) and (not chosen or row.outcome in chosen)
    ]
    finish(build_incident_list(rows, deployment, now, start, chosen, only_open), output_format, exit_code)


def show(
    secret: Secret,
    opened_at: OpenedAt = None,
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    output_format: OutputFormat = Format.TABLE,
    exit_code: ExitCode = False,
) -> None:
    """Show the newest incident of a secret: what failed, what was done and why, and the current state."""
    now = utc_now()
    deployment, table = _incident_table(stack_outputs, local, profile, region)
    named = _resolve_secret(secret, deployment, table)
    records = table.incidents_of(named.arn)
    newest = next(records, None)
    if newest is None:
        raise UsageError(f"{named.name} has no recorded incident ({named.arn}).")
    record = newest if opened_at is None else _find_incident(opened_at.strip(), [newest, *records], named.name)
    state = table.remediation_state(named.arn)
    row = from_record(record, state, now, is_latest=record is newest)
    finish(build_incident_report(row, record, state, named, deployment, now), output_format, exit_code)


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
    finish(build_suspended_list(table.suspended_states(), deployment, utc_now()), output_format, exit_code)


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
        ),
    ),
    "show": Command(
        show,
        (
            "rotation-guard incidents show orders/db",
            "rotation-guard incidents show orders/db --opened-at 2026-03-01T12:00:00Z --format markdown",
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
    exact = [(parse_timestamp(record["opened_at"]), record) for record in records]
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
