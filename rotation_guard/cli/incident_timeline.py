"""The Report of one incident: the current state of its secret, and everything that was done, in order."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, metadata
from typing import Any

from rotation_guard.domain.remediation import notification_payload
from rotation_guard.domain.remediation.incident_rows import IncidentRow, to_json
from rotation_guard.domain.remediation.incidents import OPEN, RECOVERIES
from rotation_guard.domain.remediation.links import build_execution_link, build_runbook_link, build_secret_link
from rotation_guard.domain.remediation.next_steps import format_next_steps
from rotation_guard.domain.remediation.remediation_state import RemediationState
from rotation_guard.domain.remediation.timeline import describe_entry, format_details, format_evidence, list_entries

from .deployment import Deployment
from .dynamodb import Record
from .incident_report import (
    describe_acknowledgement,
    describe_overdue,
    format_second,
    from_epoch,
    headline,
    report_body,
    style,
)
from .log_groups import EXECUTION, ROTATION_FUNCTION, build_log_links
from .report import Records, Report, row_records
from .terminal import PLAIN, Column, Row

COLUMNS = ("at", "action", "outcome", "reason", "evidence", "details")
_TABLE_COLUMNS = (Column("WHEN, UTC"), Column("WHAT"), Column("OUTCOME"))
_LINK_LABELS = {
    "execution": "Execution",
    "ended_by": "Execution that ended it",
    "secret": "Secret in the console",
    "runbook": "Runbook",
    EXECUTION: "Log of the execution in the console",
    ROTATION_FUNCTION: "Log of the rotation function in the console",
}
_LOG_LABELS = {EXECUTION: "Log group of the execution", ROTATION_FUNCTION: "Log group of the rotation function"}
_DISTRIBUTION = "rotation-guard"


@dataclass(frozen=True)
class NamedSecret:
    """A secret that an operator named."""

    arn: str
    name: str
    description: Mapping[str, Any] | None = None
    """The response of DescribeSecret; None if it is denied or the secret is gone."""

    @property
    def labels(self) -> dict[str, list[str]] | None:
        """The labels of each version now; None if they are unknown."""
        return None if self.description is None else dict(self.description.get("VersionIdsToStages") or {})

    @property
    def rotation_function(self) -> str | None:
        """The ARN of the rotation function; None if there is none, or it is unknown."""
        return None if self.description is None else self.description.get("RotationLambdaARN")


def build_incident_report(
    row: IncidentRow,
    record: Record,
    state: RemediationState,
    secret: NamedSecret,
    log_groups: Mapping[str, str],
    deployment: Deployment,
    now: datetime,
) -> Report:
    """The Report of the incident that this record describes; `log_groups` are those of `find_log_groups`."""
    entries = list(list_entries(record))
    function = secret.rotation_function
    links = {**_links(row, record), **build_log_links(log_groups, row.execution, function)}
    next_steps = _next_steps(row, record)
    step = f", failed at {row.failed_step}" if row.failed_step else ""
    reasons = (describe_overdue(row), row.reason)
    rows = [_table_row(entry, row) for entry in entries]
    return Report(
        headline=f"{headline(deployment, now)}, one incident.",
        title=f"{row.secret_name}: {row.status}{step}. {' '.join(text for text in reasons if text)}".rstrip(),
        facts=list(_facts(row, record, state, secret)),
        links=[
            ("Secret", row.secret_arn),
            *([("Rotation function", function)] if function else []),
            *((_LOG_LABELS[name], group) for name, group in log_groups.items()),
            *((_LINK_LABELS[name], link) for name, link in links.items()),
        ],
        next_steps=next_steps,
        columns=_TABLE_COLUMNS,
        rows=rows,
        summary="Needs attention." if row.attention else "No action required.",
        body=report_body(
            deployment,
            now,
            incident={**to_json(row), **_other_fields(record, to_json(row))},
            orphaned_at=state.suspended_at if state.is_suspended else None,
            labels=secret.labels,
            rotation_function=function,
            log_groups=dict(log_groups),
            links=links,
            next=next_steps or None,
            timeline=entries,
        ),
        csv=Records(COLUMNS, [_csv_cells(entry) for entry in entries]),
        markdown=row_records(_TABLE_COLUMNS, rows),
        has_attention=row.attention,
    )


def find_runbook() -> str:
    """The URL of this release's runbook in the public repository; empty if this package is not installed."""
    try:
        distribution = metadata(_DISTRIBUTION)
    except PackageNotFoundError:
        return ""
    urls = (entry.partition(", ") for entry in distribution.get_all("Project-URL") or ())
    repository = next((url for name, _, url in urls if name == "Repository"), "")
    return f"{repository}/blob/v{distribution['Version']}/docs/runbook.md" if repository else ""


def _links(row: IncidentRow, record: Record) -> dict[str, str]:
    """Links by name, as far as there are any."""
    ended_by = record.get("ended_by") or ""
    links = {
        "secret": build_secret_link(row.secret_arn),
        "execution": build_execution_link(row.execution or ""),
        "ended_by": build_execution_link(ended_by) if ended_by != row.execution else "",
        "runbook": build_runbook_link(
            find_runbook(), row.outcome if row.is_closed and row.outcome else notification_payload.OPENED
        ),
    }
    return {name: link for name, link in links.items() if link}


def _next_steps(row: IncidentRow, record: Record) -> str:
    """What the notification advised; empty if the incident is history, or its dependents are being restarted."""
    if row.state == OPEN:
        transition = notification_payload.RETRIED if row.attempts else notification_payload.OPENED
    elif row.is_closed and row.outcome in RECOVERIES:
        transition = notification_payload.RECOVERED
    elif row.is_closed and row.attention and row.outcome:
        transition = row.outcome
    else:
        return ""
    return format_next_steps(notification_payload.build_payload(transition, row.execution or "", record))


def _facts(row: IncidentRow, record: Record, state: RemediationState, secret: NamedSecret) -> Iterator[tuple[str, str]]:
    if state.is_suspended:
        yield "Suspended", f"since {format_second(state.suspended_at)} UTC: not repaired until it is released"
    if row.acknowledged:
        yield "Acknowledged", describe_acknowledgement(row).removeprefix("Acknowledged ")
    if row.failures:
        yield "Failed", f"{_times(row.failures)}, last at {format_second(row.last_failure_at)} UTC"
    calls = f"RotateSecret was called {_times(row.attempts)}" if row.attempts else "RotateSecret was not called"
    yield "Mode", f"{row.mode or 'not known yet'}; {calls}"
    labels, recorded_labels = secret.labels, record.get("versions")
    if labels is not None:
        yield "Labels now", _format_labels(labels)
    if recorded_labels and recorded_labels != labels:
        yield "Labels at the last check", _format_labels(recorded_labels)
    if record.get("evidence"):
        yield "Probe", format_evidence(record["evidence"])
    if record.get("moved"):
        moved = record["moved"]
        yield "Moved", f"{moved.get('how')} from {moved.get('from')} to {moved.get('to')}, {moved.get('outcome')}"
    for restart in record.get("restarts") or ():
        why = f": {restart['why']}" if restart.get("why") else ""
        yield "Restart", f"{restart.get('target')}, {restart.get('state')}{why}"


def _table_row(entry: Mapping[str, Any], row: IncidentRow) -> Row:
    what, outcome, notes = describe_entry(entry)
    outcome_style = style(row) if entry["action"] == "close" else PLAIN
    return Row(format_second(entry["at"]), [(what, PLAIN), (outcome, outcome_style)], notes)


def _csv_cells(entry: Mapping[str, Any]) -> Sequence[Any]:
    fields = (entry["at"], entry["action"], entry["outcome"], entry["reason"])
    return (*fields, format_evidence(entry.get("evidence")), format_details(entry))


def _format_labels(versions: Mapping[str, Sequence[str]]) -> str:
    labels = [f"{label} on {version}" for version, names in versions.items() for label in names]
    return ", ".join(sorted(labels)) or "none"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _other_fields(record: Record, shown: Mapping[str, Any]) -> dict[str, Any]:
    """The other fields of the incident, as they are recorded."""
    rest = {name: record[name] for name in sorted(record) if name not in shown and name != "actions"}
    deadline = {"alive_until": from_epoch(record["alive_until"])} if "alive_until" in record else {}
    return rest | deadline
