"""One incident, whole: what is true of its secret, and everything that was done, in order."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rotation_guard.domain.remediation import notification_payload
from rotation_guard.domain.remediation.incidents import OPEN, RECOVERIES
from rotation_guard.domain.remediation.links import build_execution_link, build_runbook_link, build_secret_link
from rotation_guard.domain.remediation.next_steps import format_next_steps
from rotation_guard.domain.remediation.remediation_state import RemediationState

from .deployment import Deployment
from .dynamodb import Record
from .incident_list import colour, silence
from .incident_rows import IncidentRow, from_epoch, plain, to_the_second
from .lines import PLAIN, Column, Row
from .named_secret import NamedSecret
from .runbook import find_runbook
from .sheets import Sheet, body

COLUMNS = ("at", "action", "outcome", "reason", "evidence", "details")
_SUBJECTS = ("turn", "number", "target")
"""What an action is about: which notice, which retry, which dependent."""
_SAID = ("at", "action", "outcome", "reason", "evidence")
_HELD = {"current": "AWSCURRENT", "pending": "AWSPENDING", "previous": "AWSPREVIOUS"}


def incident_sheet(
    row: IncidentRow,
    record: Record,
    standing: RemediationState,
    secret: NamedSecret,
    deployment: Deployment,
    now: datetime,
) -> Sheet:
    """A sheet of the incident that this record holds."""
    entries = list(_entries(record))
    links, what_next, function = _links(row, record), _next(row, record), _function(secret)
    step = f", failed at {row.failed_step}" if row.failed_step else ""
    said = (silence(row), row.reason)
    return Sheet(
        headline=f"{deployment.description}, as of {now:%Y-%m-%d %H:%M:%S} UTC, one incident.",
        title=f"{row.secret_name}: {row.stands}{step}. {' '.join(text for text in said if text)}".rstrip(),
        facts=list(_facts(row, record, standing, secret)),
        links=[
            ("Secret", row.secret_arn),
            *([("Rotation function", function)] if function else []),
            *((_LINKS[word], link) for word, link in links.items()),
        ],
        advice=what_next,
        name="WHEN, UTC",
        columns=(Column("WHAT"), Column("OUTCOME")),
        rows=[_row(entry, row) for entry in entries],
        totals="It needs someone." if row.attention else "It needs no one.",
        body=body(
            deployment,
            now,
            (),
            incident={**plain(row), **_rest(record, plain(row))},
            orphaned_at=standing.suspended_at if standing.is_suspended else None,
            labels=_labels_now(secret),
            rotation_function=function,
            links=links,
            next=what_next or None,
            timeline=entries,
        ),
        csv_columns=COLUMNS,
        csv_rows=[_cells(entry) for entry in entries],
        attention=row.attention,
    )


_LINKS = {
    "execution": "Execution",
    "ended_by": "Execution that ended it",
    "secret": "Secret in the console",
    "runbook": "Runbook",
}


def _links(row: IncidentRow, record: Record) -> dict[str, str]:
    """Where to read on, as far as there is such a place."""
    ended_by = record.get("ended_by") or ""
    links = {
        "secret": build_secret_link(row.secret_arn),
        "execution": build_execution_link(row.execution or ""),
        "ended_by": build_execution_link(ended_by) if ended_by != row.execution else "",
        "runbook": build_runbook_link(
            find_runbook(), row.outcome if row.is_over and row.outcome else notification_payload.OPENED
        ),
    }
    return {word: link for word, link in links.items() if link}


def _next(row: IncidentRow, record: Record) -> str:
    """What to do, as the notice said it; nothing where it is history, or its dependents are being restarted."""
    if row.state == OPEN:
        turn = notification_payload.RETRIED if row.attempts else notification_payload.OPENED
    elif row.is_over and row.outcome in RECOVERIES:
        turn = notification_payload.RECOVERED
    elif row.is_over and row.attention and row.outcome:
        turn = row.outcome
    else:
        return ""
    return format_next_steps(notification_payload.build_payload(turn, row.execution or "", record))


def _facts(
    row: IncidentRow, record: Record, standing: RemediationState, secret: NamedSecret
) -> Iterator[tuple[str, str]]:
    if standing.is_suspended:
        yield (
            "Orphaned",
            f"since {to_the_second(standing.suspended_at)} UTC: told and not touched, until it is released",
        )
    often = "once" if row.failures == 1 else f"{row.failures} times"
    if row.failures:
        yield "Failed", f"{often}, last at {to_the_second(row.last_failure_at)} UTC"
    calls = "RotateSecret was not called" if not row.attempts else f"RotateSecret was called {row.attempts} times"
    yield "Mode", f"{row.mode or 'not known yet'}; {calls.replace('1 times', 'once')}"
    now, then = _labels_now(secret), record.get("versions")
    if now is not None:
        yield "Labels now", _labels(now)
    if then and then != now:
        yield "Labels when last looked at", _labels(then)
    if record.get("evidence"):
        yield "Probe", _evidence(record["evidence"])
    if record.get("moved"):
        moved = record["moved"]
        yield "Moved", f"{moved.get('how')} from {moved.get('from')} to {moved.get('to')}, {moved.get('outcome')}"
    for restart in record.get("restarts") or ():
        why = f": {restart['why']}" if restart.get("why") else ""
        yield "Restart", f"{restart.get('target')}, {restart.get('state')}{why}"


def _entries(record: Record) -> Iterator[dict[str, Any]]:
    """What happened, in order; an action is as it was written down."""
    failed_at, opened_at, closed_at = record.get("occurred_at"), record["opened_at"], record.get("closed_at")
    kind = record.get("event_type") or "An event"
    if failed_at:
        yield _entry({"at": failed_at, "action": kind, "outcome": record.get("failed_step")})
    yield _entry({"at": opened_at, "action": "open"})
    ended_as = record.get("resolved_outcome") or record.get("outcome")
    closing = {"at": closed_at, "action": "close", "outcome": ended_as, "reason": record.get("reason")}
    actions: list[Record] = [*(record.get("actions") or ())]
    if resolved_at := record.get("resolved_at"):
        resolving = {"at": resolved_at, "action": "resolve", "outcome": "resolved"}
        after = next((index for index, one in enumerate(actions) if _comes_after(one, resolved_at)), len(actions))
        actions.insert(after, {**resolving, "reason": f"A new value is in use ({record.get('resolved_by')})."})
    if closed_at:
        after = next((index for index, one in enumerate(actions) if _comes_after(one, closed_at)), len(actions))
        actions.insert(after, closing)
    yield from map(_entry, actions)


def _entry(action: Mapping[str, Any]) -> dict[str, Any]:
    return {**dict.fromkeys(_SAID[:-1]), **action}


def _comes_after(action: Mapping[str, Any], closed_at: str) -> bool:
    """Whether an action came after the end: in its second, only a notice does."""
    at, end = action.get("at", "")[:19], closed_at[:19]
    return at > end or (at == end and action.get("action") == "notify")


def _row(entry: Mapping[str, Any], row: IncidentRow) -> Row:
    subject = " ".join(str(entry[name]) for name in _SUBJECTS if entry.get(name) is not None)
    style = colour(row) if entry["action"] == "close" else PLAIN
    cells = [(f"{entry['action']} {subject}".rstrip(), PLAIN), (str(entry["outcome"] or ""), style)]
    evidence, details = _evidence(entry.get("evidence")), _details(entry, (*_SAID, *_SUBJECTS))
    notes = [entry["reason"], evidence and f"Evidence: {evidence}", details and f"({details})"]
    return Row(to_the_second(entry["at"]), cells, " ".join(text for text in notes if text))


def _cells(entry: Mapping[str, Any]) -> Sequence[Any]:
    said = (entry["at"], entry["action"], entry["outcome"], entry["reason"])
    return (*said, _evidence(entry.get("evidence")), _details(entry, _SAID))


def _evidence(evidence: Mapping[str, Any] | None) -> str:
    """What a probe said of each version, in sentences; empty where none was asked."""
    if not evidence:
        return ""
    proofs = ", ".join(f"{label} {evidence[name]}" for name, label in _HELD.items() if evidence.get(name))
    return " ".join([f"{proofs}.", *(str(note) for note in evidence.get("notes") or ())])


def _details(entry: Mapping[str, Any], said: Sequence[str]) -> str:
    """What else was written down, in words."""
    rest = {name: value for name, value in entry.items() if name not in said and value not in (None, "", [], {})}
    return ", ".join(f"{name} {value}" for name, value in rest.items())


def _labels(versions: Mapping[str, Sequence[str]]) -> str:
    held = [f"{label} on {version}" for version, labels in versions.items() for label in labels]
    return ", ".join(sorted(held)) or "none"


def _labels_now(secret: NamedSecret) -> dict[str, list[str]] | None:
    """Version -> its labels, by Secrets Manager; None where it does not say."""
    return None if secret.described is None else dict(secret.described.get("VersionIdsToStages") or {})


def _function(secret: NamedSecret) -> str | None:
    return None if secret.described is None else secret.described.get("RotationLambdaARN")


def _rest(record: Record, said: Mapping[str, Any]) -> dict[str, Any]:
    """What else the row holds, as it is written there."""
    rest = {name: record[name] for name in sorted(record) if name not in said and name != "actions"}
    alive = {"alive_until": from_epoch(record["alive_until"])} if "alive_until" in record else {}
    return rest | alive
