"""The HTML page of a report: the secrets of an answer, and what thirteen months of runs and incidents say."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rotation_guard.domain.audit.secret_totals import tally_rows
from rotation_guard.domain.timestamps import read_timestamp
from rotation_guard.domain.wording import capitalize_first
from rotation_guard.html_report.facts import describe_run, list_register, list_settings
from rotation_guard.html_report.incidents import build_incidents
from rotation_guard.html_report.page import Incident, ReportPage, Run
from rotation_guard.html_report.trend import choose_weekly, first_month, list_weeks

from .deployment import Deployment
from .errors import CommandError
from .hub_reading import is_hub
from .identity import product_version
from .incident_table import IncidentTable
from .provenance import describe_subject, list_provenance
from .secret_answer import SecretAnswer
from .tables import AuditTables

_INCIDENTS_OUTPUT = "incidents_table_name"


@dataclass(frozen=True)
class PageHistory:
    """What a deployment recorded in the period of the trend."""

    runs: Sequence[Run] = ()
    incidents: Sequence[Incident] | None = None
    """None if they cannot be read, or the deployment has no remediation."""
    notes: Sequence[str] = ()
    unreadable: Sequence[str] = ()
    """What could not be read, one sentence each."""


def read_page_history(deployments: Sequence[Deployment], at: datetime, now: datetime) -> PageHistory:
    """The runs and incidents of the period that ends at this time; what cannot be read is named, and left out."""
    histories = [_read_history(deployment, at, now) for deployment in deployments if not is_hub(deployment)]
    hubs = len(deployments) - len(histories)
    notes = [note for history in histories for note in history.notes]
    if hubs:
        notes.append("The trend and the incidents of the members of a hub are in the tables of each account.")
    incidents = [history.incidents for history in histories if history.incidents is not None]
    return PageHistory(
        [run for history in histories for run in history.runs],
        [incident for part in incidents for incident in part] if incidents else None,
        notes,
        [sentence for history in histories for sentence in history.unreadable],
    )


def _read_history(deployment: Deployment, at: datetime, now: datetime) -> PageHistory:
    unreadable: list[str] = []
    notes: list[str] = []
    runs: list[Run] = []
    incidents: Sequence[Incident] | None = None
    try:
        runs = choose_weekly(_read_runs(AuditTables(deployment), deployment.name, at), at)
    except CommandError as error:
        unreadable.append(f"The trend is missing. {error}")
    if not deployment.outputs.get(_INCIDENTS_OUTPUT):
        notes.append(f"{deployment.name} has no table of incidents, so the report contains none of its own.")
        return PageHistory(runs, None, notes, unreadable)
    try:
        records, states = IncidentTable(deployment).incidents_since(first_month(at))
        incidents, left_out = build_incidents(records, states, at, now)
        notes.extend(left_out)
    except CommandError as error:
        unreadable.append(f"The incidents are missing. {error}")
    return PageHistory(runs, incidents, notes, unreadable)


def build_page(answer: SecretAnswer, history: PageHistory | None = None) -> ReportPage:
    """The page of this answer; without a history, as for a scan, it has no trend and no incidents."""
    unread = [*answer.unreadable, *(history.unreadable if history else ())]
    return ReportPage(
        subject=describe_subject(answer),
        headline=f"{answer.headline}." if answer.headline else "The secrets could not be counted.",
        at=answer.at,
        generated_at=answer.generated_at,
        secrets=answer.rows,
        # What the headline counts, whatever is listed.
        tally=answer.tally or tally_rows(answer.rows),
        provenance=list(_list_facts(answer)),
        settings=[
            *(() if answer.has_several_parts else list_settings(answer.parts[0].settings)),
            *_filters(answer.filters),
        ],
        warnings=[*unread, *answer.warning_sentences],
        exemptions=list_register(answer.rows, answer.at),
        runs=history.runs if history else None,
        incidents=history.incidents if history else None,
        notes=history.notes if history else ["A scan evaluates this moment only: it has no trend and no incidents."],
    )


def _read_runs(tables: AuditTables, name: str, at: datetime) -> Iterator[Run]:
    records = tables.last_complete_runs(list_weeks(at))
    manual = (run for run in tables.manual_runs(first_month(at), at) if run.get("complete") and run.get("finished_at"))
    for record in (*records, *manual):
        started_at = read_timestamp(record.get("started_at"))
        if started_at is not None:
            yield Run(started_at, *(record.get(name, 0) for name in ("checked", "flagged", "unknown")), deployment=name)


def _list_facts(answer: SecretAnswer) -> Iterator[tuple[str, str]]:
    """What the page is based on: of one account, a fact each; of several, what every format says."""
    if answer.has_several_parts:
        yield from ((capitalize_first(label), text) for label, text in list_provenance(answer))
        return
    [part] = answer.parts
    alias = f" ({part.identity.account_alias})" if part.identity.account_alias else ""
    yield "Account", f"{part.identity.account_id or 'unknown'}{alias}"
    yield "Region", part.identity.region or "unknown"
    if part.run is not None:
        yield "Run", describe_run(part.run)
    yield "Read by", part.identity.caller_arn or "unknown"
    yield "Product", f"rotation-guard {product_version() or 'of a checkout'}"


def _filters(filters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    chosen = {name: value for name, value in filters.items() if value}
    for name, value in chosen.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else "yes" if value is True else str(value)
        yield f"Filter: {name.replace('_', ' ')}", text
    if not chosen:
        yield "Filters", "none: all secrets"
