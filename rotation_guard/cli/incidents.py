"""`rotation-guard incidents`: what is open, what was done, and which secrets were given up."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from rotation_guard.domain.remediation.incidents import Outcome

from .deployment import Deployment, resolve_deployment
from .dynamodb import Record
from .incident_list import incident_list, orphaned_list
from .incident_rows import incident_row, incident_rows, to_the_second
from .incident_table import IncidentTable
from .lines import say
from .moments import read, start
from .named_secret import named_secret
from .options import ExitCode, Local, Profile, Reason, Region, StackOutputs, Written
from .problems import Misused
from .sheets import give
from .timeline import incident_sheet
from .writes import begin_write
from .writing import Format

DEFAULT = "list"
_MANY = 10
"""Incidents of a secret that are named to somebody who asked for one that is not there."""

Secret = Annotated[str, typer.Argument(help="Name or ARN of the secret.", metavar="SECRET", show_default=False)]
Since = Annotated[
    str, typer.Option(help="And those since then: a span such as 7d, or a date in UTC.", metavar="SPAN|DATE")
]
Unfinished = Annotated[bool, typer.Option("--open", help="Only those that are not over.")]
Outcomes = Annotated[
    list[str],
    typer.Option("--outcome", help="Only those that ended so; may be given again.", metavar="OUTCOME"),
]
OpenedAt = Annotated[
    str | None, typer.Option(help="The one that was opened then, instead of the newest.", metavar="DATE")
]


def listed(
    since: Since = "7d",
    unfinished: Unfinished = False,
    outcomes: Outcomes = [],  # noqa: B006 - typer's default of a list, which it copies
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    written: Written = Format.TABLE,
    exit_code: ExitCode = False,
) -> None:
    """List the incidents: the open ones first, then those of the last 7 days."""
    now = _now()
    first = start("--since", since, now)
    chosen = [_outcome(text) for text in outcomes]
    deployment, table = _deployed(stack_outputs, local, profile, region)
    rows = [
        row
        for row in incident_rows(*table.since(first), now)
        if not (unfinished and row.is_over) and (not chosen or row.outcome in chosen)
    ]
    give(incident_list(rows, deployment, now, first, chosen, unfinished), written, exit_code)


def show(
    secret: Secret,
    opened_at: OpenedAt = None,
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    written: Written = Format.TABLE,
    exit_code: ExitCode = False,
) -> None:
    """Tell everything about the newest incident of a secret: what failed, what was done and why, what is true now."""
    now = _now()
    if opened_at is not None:
        opened_at = opened_at.strip()
    deployment, table = _deployed(stack_outputs, local, profile, region)
    named = named_secret(secret, deployment, table)
    records = table.of(named.arn)
    newest = next(records, None)
    if newest is None:
        raise Misused(f"{named.name} has no incident on record ({named.arn}).")
    record = newest if opened_at is None else _opened_at(opened_at, [newest, *records], named.name)
    standing = table.standing(named.arn)
    row = incident_row(record, standing, now, is_latest=record is newest)
    give(incident_sheet(row, record, standing, named, deployment, now), written, exit_code)


def orphaned(
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    written: Written = Format.TABLE,
    exit_code: ExitCode = False,
) -> None:
    """List the secrets that are told and not touched any more, since what repaired them did not hold."""
    deployment, table = _deployed(stack_outputs, local, profile, region)
    give(orphaned_list(table.orphaned(), deployment, _now()), written, exit_code)


def release(
    secret: Secret,
    reason: Reason = None,
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Let repairs of an orphaned secret go on, once you have mended what was wrong with it; it is recorded who and why.

    It needs --stack-outputs, ROTATION_GUARD_STACK_OUTPUTS or --local, and --reason.
    """
    write = begin_write(stack_outputs, local, profile, region, reason)
    table = IncidentTable(write.deployment)
    named = named_secret(secret, write.deployment, table)
    standing = table.standing(named.arn)
    if not standing.is_suspended:
        before = f"; it was released at {to_the_second(standing.released_at)} UTC" if standing.released_at else ""
        say(f"{named.name} is not orphaned, so there is nothing to release{before}.")
        say(write.place)
        return
    write.announce()
    released = table.release(standing, _now(), write.caller_arn, write.reason)
    say(
        f"{named.name} is released at {to_the_second(released.released_at)} UTC. It was orphaned since "
        f"{to_the_second(standing.suspended_at)} UTC: from its next failed rotation on it is repaired again as far as "
        f"its tags allow, and its incidents count anew from now."
    )
    say(write.place)


COMMANDS: Mapping[str, Callable[..., None]] = {
    DEFAULT: listed,
    "show": show,
    "release": release,
    "orphaned": orphaned,
}


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _deployed(
    stack_outputs: str | None, local: bool, profile: str | None, region: str | None
) -> tuple[Deployment, IncidentTable]:
    deployment = resolve_deployment(stack_outputs, local, profile, region)
    return deployment, IncidentTable(deployment)


def _outcome(text: str) -> Outcome:
    """The outcome of this name, in whatever case."""
    for outcome in Outcome:
        if " ".join(text.split()).lower() == outcome.lower():
            return outcome
    raise Misused(f"--outcome must be one of {', '.join(Outcome)}, got {text!r}.")


def _opened_at(text: str, records: Sequence[Record], name: str) -> Record:
    """The incident that was opened then: as it is written, or as it is shown, to the second."""
    try:
        wanted = read(text)
    except ValueError:
        raise Misused(f"--opened-at must be a date such as 2026-03-01T12:00:00Z, got {text!r}.") from None
    opened = [(read(record["opened_at"]), record) for record in records]
    for shown in (opened, [(moment.replace(microsecond=0), record) for moment, record in opened]):
        for moment, record in shown:
            if moment == wanted:
                return record
    known = ", ".join(record["opened_at"] for record in records[:_MANY])
    more = f", and {len(records) - _MANY} earlier ones" if len(records) > _MANY else ""
    raise Misused(f"--opened-at must be one of the incidents of {name}, {known}{more}, got {text}.")
