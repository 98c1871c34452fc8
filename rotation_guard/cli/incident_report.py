"""Reports on incidents: the Reports of the list and of suspended secrets."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.style import Style

from rotation_guard.domain.remediation.incident_rows import COLUMNS, IncidentRow, to_json
from rotation_guard.domain.remediation.incidents import RECOVERIES
from rotation_guard.domain.remediation.remediation_state import RemediationState
from rotation_guard.domain.rotation_event import secret_name_of
from rotation_guard.domain.timestamps import to_iso

from .deployment import Deployment
from .parsing import parse_timestamp
from .report import JSON_VERSION, Records, Report, row_records
from .terminal import GREEN, PLAIN, RED, YELLOW, Column, Row

SUSPENDED_COLUMNS = ("secret_name", "orphaned_at", "succeeded_at", "released_at", "secret_arn")
_TABLE_COLUMNS = (
    Column("SECRET"),
    Column("OPENED, UTC"),
    Column("STATE"),
    Column("FAILED STEP"),
    Column("ATTEMPTS", is_number=True),
)
_SUSPENDED_TABLE_COLUMNS = (Column("SECRET"), Column("SUSPENDED, UTC"), Column("LAST NEW VALUE"))


def format_minute(timestamp: str | None) -> str:
    """A timestamp of the table for people, in UTC; unchanged if it is invalid."""
    return _format_timestamp(timestamp, "%Y-%m-%d %H:%M")


def format_second(timestamp: str | None) -> str:
    """The same with seconds."""
    return _format_timestamp(timestamp, "%Y-%m-%d %H:%M:%S")


def from_epoch(seconds: object) -> str | None:
    """Epoch seconds as ISO 8601."""
    if not isinstance(seconds, int | float):
        return None
    return to_iso(datetime.fromtimestamp(seconds, UTC))


def build_incident_list(
    rows: Sequence[IncidentRow],
    deployment: Deployment,
    now: datetime,
    since: datetime | None,
    outcomes: Sequence[str] = (),
    only_open: bool = False,
    only_attention: bool = False,
) -> Report:
    """The Report of a list of incidents, with its filters; without `since`, of those of any age."""
    attention = sum(row.attention for row in rows)
    counts = dict(Counter(row.status for row in rows))
    start = f" since {since:%Y-%m-%d %H:%M:%S} UTC" if since else ""
    if rows:
        counted = ", ".join(f"{status} {count}" for status, count in counts.items())
        incidents = "incident" if len(rows) == 1 else "incidents"
        need = "needs" if attention == 1 else "need"
        summary = f"{len(rows)} {incidents}: {counted}. {attention} {need} attention."
        if acknowledged := sum(row.acknowledged for row in rows):
            summary = f"{summary[:-1]}, of which {acknowledged} {'is' if acknowledged == 1 else 'are'} acknowledged."
    elif only_attention:
        summary = "No incidents need attention."
    elif only_open:
        summary = "No incidents are open."
    else:
        summary = f"No incidents match{start}."
    table_rows = [_table_row(row) for row in rows]
    return Report(
        headline=f"{headline(deployment, now)}, incidents{f'{start}, and all open ones' if since else ''}.",
        columns=_TABLE_COLUMNS,
        rows=table_rows,
        summary=summary,
        body=report_body(
            deployment,
            now,
            filters={
                "since": f"{since:%Y-%m-%dT%H:%M:%SZ}" if since else None,
                "open": only_open,
                "outcome": list(outcomes),
                "attention": only_attention,
            },
            summary={
                "total": len(rows),
                "attention": attention,
                "acknowledged": sum(row.acknowledged for row in rows),
                "states": counts,
            },
            incidents=[to_json(row) for row in rows],
        ),
        csv=Records(COLUMNS, [to_json(row).values() for row in rows]),
        markdown=row_records(_TABLE_COLUMNS, table_rows),
        has_attention=attention > 0,
    )


def build_suspended_list(states: Sequence[RemediationState], deployment: Deployment, now: datetime) -> Report:
    """The Report of the secrets whose repairs are suspended."""
    secrets = [
        {
            "secret_name": secret_name_of(state.secret_arn),
            "orphaned_at": state.suspended_at,
            "succeeded_at": state.succeeded_at or None,
            "released_at": state.released_at or None,
            "secret_arn": state.secret_arn,
        }
        for state in states
    ]
    rows = [
        Row(
            secret_name_of(state.secret_arn),
            [(format_minute(state.suspended_at), RED), (format_minute(state.succeeded_at) or "unknown", PLAIN)],
        )
        for state in states
    ]
    if secrets:
        subject = "Repairs of 1 secret are" if len(secrets) == 1 else f"Repairs of {len(secrets)} secrets are"
        summary = (
            f"{subject} suspended after repeated incidents, until `rotation-guard incidents release SECRET --reason "
            "TEXT`."
        )
    else:
        summary = "No secret's repairs are suspended."
    return Report(
        headline=f"{headline(deployment, now)}, suspended secrets.",
        columns=_SUSPENDED_TABLE_COLUMNS,
        rows=rows,
        summary=summary,
        body=report_body(deployment, now, secrets=secrets),
        csv=Records(SUSPENDED_COLUMNS, [[secret[name] for name in SUSPENDED_COLUMNS] for secret in secrets]),
        markdown=row_records(_SUSPENDED_TABLE_COLUMNS, rows),
        has_attention=bool(secrets),
    )


def headline(deployment: Deployment, now: datetime) -> str:
    """The beginning of every headline."""
    return f"{deployment.description}, as of {now:%Y-%m-%d %H:%M:%S} UTC"


def report_body(deployment: Deployment, now: datetime, **fields: Any) -> dict[str, Any]:
    """The JSON of a report on incidents."""
    return {
        "version": JSON_VERSION,
        "generated_at": to_iso(now),
        "source": dict(deployment.source),
        "warnings": [],
        **fields,
    }


def style(row: IncidentRow) -> Style:
    """The style of an incident's status."""
    if row.attention:
        return RED if row.is_closed and not row.acknowledged else YELLOW
    return GREEN if row.outcome in RECOVERIES else PLAIN


def describe_overdue(row: IncidentRow) -> str:
    """A sentence if the workflow of an open incident is presumed dead; otherwise empty."""
    return "Its workflow is overdue and presumed dead: look at its execution." if row.overdue else ""


def describe_acknowledgement(row: IncidentRow) -> str:
    """A sentence if somebody works on the incident: who, why and until when; otherwise empty."""
    if not row.acknowledged:
        return ""
    who = (row.acknowledged_by or "somebody").rpartition(":")[2].rpartition("/")[2]
    return f"Acknowledged by {who} until {format_minute(row.acknowledged_until)} UTC: {row.acknowledged_reason}"


def _table_row(row: IncidentRow) -> Row:
    cells = [
        (format_minute(row.opened_at), PLAIN),
        (row.status, style(row)),
        (row.failed_step or ("unknown" if row.failures else ""), PLAIN),
        (str(row.attempts), PLAIN),
    ]
    notes = (describe_overdue(row), row.reason, describe_acknowledgement(row))
    return Row(row.secret_name, cells, " ".join(text for text in notes if text))


def _format_timestamp(timestamp: str | None, pattern: str) -> str:
    if not timestamp:
        return ""
    try:
        return f"{parse_timestamp(timestamp):{pattern}}"
    except ValueError:
        return timestamp
