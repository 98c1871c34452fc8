"""The lists about incidents: which there are, and which secrets were given up."""

from collections.abc import Sequence
from datetime import datetime

from rich.style import Style

from rotation_guard.domain.remediation.incidents import RECOVERIES
from rotation_guard.domain.remediation.remediation_state import RemediationState
from rotation_guard.domain.rotation_event import secret_name_of

from .deployment import Deployment
from .incident_rows import COLUMNS, IncidentRow, counted, plain, to_the_minute
from .lines import GREEN, PLAIN, RED, YELLOW, Column, Row
from .sheets import Sheet, body

_COLUMNS = (Column("OPENED, UTC"), Column("STATE"), Column("FAILED STEP"), Column("ATTEMPTS", is_number=True))
_ORPHANED_COLUMNS = (Column("ORPHANED, UTC"), Column("LAST NEW VALUE"))
ORPHANED_COLUMNS = ("secret_name", "orphaned_at", "succeeded_at", "released_at", "secret_arn")


def incident_list(
    rows: Sequence[IncidentRow],
    deployment: Deployment,
    now: datetime,
    since: datetime,
    outcomes: Sequence[str] = (),
    unfinished: bool = False,
) -> Sheet:
    """A sheet of incidents; `outcomes` and `unfinished` are what they were chosen by."""
    needing = sum(row.attention for row in rows)
    from_when = f"{since:%Y-%m-%d %H:%M:%S} UTC"
    if rows:
        counts = ", ".join(f"{name} {count}" for name, count in counted(rows).items())
        incidents = "incident" if len(rows) == 1 else "incidents"
        totals = f"{len(rows)} {incidents}: {counts}. {needing} {'needs' if needing == 1 else 'need'} someone."
    elif unfinished:
        totals = "No incident is open."
    else:
        totals = f"No incident answers to this since {from_when}."
    return Sheet(
        headline=_headline(deployment, now) + f", incidents since {from_when}, and all that are open.",
        name="SECRET",
        columns=_COLUMNS,
        rows=[_row(row) for row in rows],
        totals=totals,
        body=body(
            deployment,
            now,
            (),
            filters={"since": f"{since:%Y-%m-%dT%H:%M:%SZ}", "open": unfinished, "outcome": list(outcomes)},
            summary={"total": len(rows), "attention": needing, "states": counted(rows)},
            incidents=[plain(row) for row in rows],
        ),
        csv_columns=COLUMNS,
        csv_rows=[plain(row).values() for row in rows],
        attention=bool(needing),
    )


def orphaned_list(standings: Sequence[RemediationState], deployment: Deployment, now: datetime) -> Sheet:
    """A sheet of the secrets that are told and not touched."""
    found = [
        {
            "secret_name": secret_name_of(one.secret_arn),
            "orphaned_at": one.suspended_at,
            "succeeded_at": one.succeeded_at or None,
            "released_at": one.released_at or None,
            "secret_arn": one.secret_arn,
        }
        for one in standings
    ]
    if found:
        are = "1 secret is" if len(found) == 1 else f"{len(found)} secrets are"
        totals = (
            f"{are} told of and not touched, until `rotation-guard incidents release SECRET --reason TEXT`: incident "
            "followed incident, and nothing helped."
        )
    else:
        totals = "No secret is orphaned."
    return Sheet(
        headline=_headline(deployment, now) + ", orphaned secrets.",
        name="SECRET",
        columns=_ORPHANED_COLUMNS,
        rows=[
            Row(
                secret_name_of(one.secret_arn),
                [(to_the_minute(one.suspended_at), RED), (to_the_minute(one.succeeded_at) or "not known", PLAIN)],
            )
            for one in standings
        ],
        totals=totals,
        body=body(deployment, now, (), secrets=found),
        csv_columns=ORPHANED_COLUMNS,
        csv_rows=[[one[name] for name in ORPHANED_COLUMNS] for one in found],
        attention=bool(found),
    )


def colour(row: IncidentRow) -> Style:
    """Of an incident's state."""
    if row.attention:
        return RED if row.is_over else YELLOW
    return GREEN if row.outcome in RECOVERIES else PLAIN


def silence(row: IncidentRow) -> str:
    """In a sentence, that the workflow of an open incident is dead; empty where it is not."""
    return "Its workflow has not been heard of when it should have been: look at its execution." if row.overdue else ""


def _headline(deployment: Deployment, now: datetime) -> str:
    return f"{deployment.description}, as of {now:%Y-%m-%d %H:%M:%S} UTC"


def _row(row: IncidentRow) -> Row:
    cells = [
        (to_the_minute(row.opened_at), PLAIN),
        (row.stands, colour(row)),
        (row.failed_step or ("unknown" if row.failures else ""), PLAIN),
        (str(row.attempts), PLAIN),
    ]
    return Row(row.secret_name, cells, " ".join(text for text in (silence(row), row.reason) if text))
