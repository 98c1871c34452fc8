"""The incidents of a page, from the rows of the Incidents table."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from rotation_guard.domain.remediation.incident_rows import IncidentRow, from_records
from rotation_guard.domain.remediation.incidents import RECOVERIES
from rotation_guard.domain.remediation.remediation_state import RemediationState
from rotation_guard.domain.remediation.timeline import describe_entry, list_entries
from rotation_guard.domain.timestamps import read_timestamp

from .page import Incident, TimelineEntry


class PageIncidents(NamedTuple):
    """Incidents as a page shows them, and what it has to say about those that it cannot show."""

    incidents: Sequence[Incident]
    notes: Sequence[str]


def build_incidents(
    records: Sequence[Mapping[str, Any]], states: Mapping[str, RemediationState], at: datetime, now: datetime
) -> PageIncidents:
    """The incidents that were opened until `at`, in their state at `now`: those that are not closed first.

    Those whose opening has an invalid time are counted in a note.
    """
    invalid = sum(read_timestamp(record["opened_at"]) is None for record in records)
    are, its = ("incident is", "its") if invalid == 1 else ("incidents are", "their")
    note = f"{invalid} {are} left out, because the time of {its} opening is invalid."
    by_key = {(record["secret_arn"], record["opened_at"]): record for record in records}
    shown = (
        _build_incident(row, by_key[row.secret_arn, row.opened_at], at) for row in from_records(records, states, now)
    )
    return PageIncidents([incident for incident in shown if incident is not None], [note] if invalid else [])


def _build_incident(row: IncidentRow, record: Mapping[str, Any], at: datetime) -> Incident | None:
    opened_at = read_timestamp(row.opened_at)
    if opened_at is None or opened_at > at:
        return None
    closed_at = read_timestamp(row.closed_at)
    has_recovered = row.is_closed and row.outcome in RECOVERIES
    return Incident(
        secret_name=row.secret_name,
        secret_arn=row.secret_arn,
        opened_at=opened_at,
        status=row.status,
        attention=row.attention,
        closed_at=closed_at,
        recovered_at=read_timestamp(record.get("resolved_at")) or (closed_at if has_recovered else None),
        failed_step=row.failed_step or "",
        reason=row.reason or "",
        entries=list(_list_timeline(record)),
    )


def _list_timeline(record: Mapping[str, Any]) -> Iterator[TimelineEntry]:
    for entry in list_entries(record):
        yield TimelineEntry(read_timestamp(entry["at"]), *describe_entry(entry))
