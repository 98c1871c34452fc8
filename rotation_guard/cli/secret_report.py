"""Reports on secrets: one row for each secret, from an audit or a scan, the filters, and the Report of the rows."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from rich.style import Style

from rotation_guard.domain.audit.verdicts import NEEDS_ROTATION, OK, UNKNOWN, VERDICT_NAMES, Finding
from rotation_guard.domain.secret import read_version_date
from rotation_guard.domain.timestamps import to_iso

from .errors import UsageError
from .parsing import add_days, parse_span, parse_timestamp
from .report import JSON_VERSION, Records, Report
from .terminal import GREEN, PLAIN, RED, YELLOW, Column, Row

COLUMNS = (
    "secret_name",
    "status",
    "verdict",
    "attention",
    "reason",
    "age_days",
    "limit_days",
    "value_created_at",
    "due_at",
    "since",
    "owner",
    "secret_arn",
    "current_version_id",
    "checked_at",
)
CHANGE_COLUMNS = ("changed", "verdict_before", "value_created_at_before")
_TABLE_COLUMNS = (
    Column("SECRET"),
    Column("VERDICT"),
    Column("AGE", is_number=True),
    Column("LIMIT", is_number=True),
    Column("DUE"),
)
_MARKDOWN_COLUMNS = ("secret", "verdict", "attention", "age", "limit", "due", "owner", "reason")
_WITHOUT_LIMIT = frozenset({"pending_deletion", "replica", "exempt", "managed_elsewhere"})
"""Verdicts of secrets that are never due, or not in this account and Region."""


@dataclass(frozen=True, slots=True)
class SecretRow:
    """What a report shows of one secret."""

    secret_name: str
    secret_arn: str
    status: str
    verdict: str
    attention: bool
    reason: str
    age_days: int | None
    """Whole days since the current value was created, at the time of the report."""
    limit_days: int | None
    value_created_at: datetime | None
    due_at: datetime | None
    """When the value reaches its age limit."""
    since: datetime | None
    """When this verdict began; None in a scan."""
    owner: str | None
    current_version_id: str | None = None
    checked_at: datetime | None = None
    """When an audit last recorded it; None in a scan."""


@dataclass(frozen=True, slots=True)
class Change:
    """One secret at two times; None if it did not exist."""

    before: SecretRow | None
    after: SecretRow | None

    @property
    def row(self) -> SecretRow:
        """The secret now, or its last row if it is gone."""
        row = self.after or self.before
        if row is None:
            raise ValueError("before and after are both None")
        return row

    @property
    def kinds(self) -> tuple[str, ...]:
        """What changed: `appeared`, `vanished`, or some of `verdict`, `attention` and `value`; empty if nothing did."""
        if self.before is None:
            return ("appeared",)
        if self.after is None:
            return ("vanished",)
        compared = {"verdict": "verdict", "attention": "attention", "value": "current_version_id"}
        return tuple(kind for kind, name in compared.items() if getattr(self.before, name) != getattr(self.after, name))


@dataclass(frozen=True)
class Summary:
    """Rows, counted."""

    total: int = 0
    attention: int = 0
    status: Mapping[str, int] = field(default_factory=dict)
    verdicts: Mapping[str, int] = field(default_factory=dict)
    """The verdicts that occur, in the order of docs/audit.md."""


@dataclass(frozen=True)
class SecretFilter:
    """The criteria of a report; a secret must meet all of them."""

    verdicts: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    older_than: timedelta | None = None
    due_within: timedelta | None = None
    attention: bool = False

    def matches(self, row: SecretRow, at: datetime) -> bool:
        """Whether a secret meets the criteria at this time."""
        return (
            (not self.verdicts or row.verdict in self.verdicts)
            and (not self.owners or row.owner in self.owners)
            and (not self.attention or row.attention)
            and (self.older_than is None or _is_older(row, self.older_than, at))
            and (self.due_within is None or _is_due(row, self.due_within, at))
        )

    def apply(self, rows: Sequence[SecretRow], at: datetime) -> list[SecretRow]:
        """The rows that match, sorted."""
        return sort_rows(row for row in rows if self.matches(row, at))

    def warnings(self, rows: Sequence[SecretRow], at: datetime) -> list[str]:
        """One sentence if secrets do not match only because the age of their value is unknown."""
        if self.older_than is None and self.due_within is None:
            return []
        without_ages = SecretFilter(self.verdicts, self.owners, attention=self.attention)
        omitted = sum(
            row.status == UNKNOWN and without_ages.matches(row, at) and not self.matches(row, at) for row in rows
        )
        if not omitted:
            return []
        secrets = "The age of 1 secret is" if omitted == 1 else f"The ages of {omitted} secrets are"
        return [f"{secrets} unknown, so the report may be incomplete: --verdict unknown lists them."]

    def to_json(self) -> dict[str, Any]:
        """The `filters` of the JSON."""
        return {
            "verdict": list(self.verdicts),
            "owner": list(self.owners),
            "attention": self.attention,
            "older_than_days": _days(self.older_than),
            "due_within_days": _days(self.due_within),
        }


def parse_filter(
    verdicts: Sequence[str],
    owners: Sequence[str],
    older_than: str | None,
    due_within: str | None,
    attention: bool = False,
) -> SecretFilter:
    """The filter that these options describe."""
    for verdict in verdicts:
        if verdict not in VERDICT_NAMES:
            raise UsageError(f"--verdict must be one of {', '.join(VERDICT_NAMES)}, got {verdict!r}.")
    return SecretFilter(
        tuple(verdicts),
        tuple(owners),
        None if older_than is None else parse_span("--older-than", older_than),
        None if due_within is None else parse_span("--due-within", due_within),
        attention,
    )


def sort_rows(rows: Iterable[SecretRow]) -> list[SecretRow]:
    """Secrets that need attention first, then the oldest value first."""
    return sorted(
        rows, key=lambda row: (not row.attention, -1 if row.age_days is None else -row.age_days, row.secret_name)
    )


def from_finding(finding: Finding) -> SecretRow:
    """The row of a secret that was just evaluated."""
    secret, created_at = finding.secret, finding.dates.value_created_at
    return SecretRow(
        secret_name=secret.name,
        secret_arn=secret.arn,
        status=finding.status,
        verdict=finding.verdict,
        attention=finding.attention,
        reason=finding.reason,
        age_days=finding.age_days,
        limit_days=finding.limit_days,
        value_created_at=created_at,
        due_at=add_days(created_at, finding.limit_days),
        since=None,
        owner=secret.owner,
        current_version_id=secret.current_version_id,
    )


def from_record(record: Mapping[str, Any], at: datetime) -> SecretRow:
    """The row of a secret that an audit recorded, with the age of its value at this time."""
    # An old row may contain a placeholder date.
    created_at, limit = read_version_date(_optional_timestamp(record, "value_created_at")), record.get("limit_days")
    days = None if created_at is None else (at - created_at).days
    return SecretRow(
        secret_name=record["secret_name"],
        secret_arn=record.get("secret_arn", ""),
        status=record.get("status", UNKNOWN),
        verdict=record.get("verdict", UNKNOWN),
        attention=record.get("attention") in (True, "yes"),
        reason=record.get("reason", ""),
        age_days=days if days is not None and days >= 0 else None,
        limit_days=limit,
        value_created_at=created_at,
        due_at=_optional_timestamp(record, "due_at") or add_days(created_at, limit),
        since=_optional_timestamp(record, "since"),
        owner=record.get("owner"),
        current_version_id=record.get("current_version_id"),
        checked_at=_optional_timestamp(record, "checked_at"),
    )


@dataclass(frozen=True)
class SecretAnswer:
    """The secrets that match, and what the answer is based on."""

    source: Mapping[str, Any]
    """Its `kind`, and a `description` for people."""
    generated_at: datetime
    at: datetime
    """The time that the report is about."""
    settings: Mapping[str, Any]
    """The settings that the secrets were evaluated with, as far as they are known."""
    filters: Mapping[str, Any]
    rows: Sequence[SecretRow]
    warnings: Sequence[str] = ()
    """Why the report may be wrong or incomplete, one sentence each."""
    run: Mapping[str, Any] | None = None
    """The run of the audit that it is based on; None in a scan."""
    changes: Mapping[str, Change] | None = None
    """What changed, by secret; None without `--since`."""
    since: datetime | None = None


def build_secret_report(answer: SecretAnswer) -> Report:
    """The Report of these secrets."""
    summary = _summarize(answer.rows)
    return Report(
        headline=_headline(answer),
        columns=_TABLE_COLUMNS,
        rows=[_table_row(row, answer) for row in answer.rows],
        summary=_summary_sentence(summary),
        body=_body(answer, summary),
        csv=Records((*COLUMNS, *(CHANGE_COLUMNS if answer.changes is not None else ())), _csv_rows(answer)),
        markdown=_markdown_records(answer),
        warnings=answer.warnings,
        has_attention=summary.attention > 0,
    )


def _summarize(rows: Sequence[SecretRow]) -> Summary:
    verdicts = Counter(row.verdict for row in rows)
    status = Counter(row.status for row in rows)
    ordered = [*VERDICT_NAMES, *sorted(verdicts.keys() - set(VERDICT_NAMES))]
    return Summary(
        len(rows),
        sum(row.attention for row in rows),
        {name: status[name] for name in (OK, NEEDS_ROTATION, UNKNOWN)},
        {name: verdicts[name] for name in ordered if verdicts[name]},
    )


def _headline(answer: SecretAnswer) -> str:
    text = f"{answer.source['description']}, as of {answer.at:%Y-%m-%d %H:%M:%S} UTC"
    if answer.since is not None:
        text += f", changes since {answer.since:%Y-%m-%d %H:%M:%S} UTC"
    if answer.run is not None:
        text += f"; based on the run {answer.run['run_id']}, which checked {answer.run['checked']}"
    return f"{text}."


def _summary_sentence(summary: Summary) -> str:
    if not summary.total:
        return "No secrets match."
    verdicts = ", ".join(f"{name} {count}" for name, count in summary.verdicts.items())
    need = "needs" if summary.attention == 1 else "need"
    secrets = "secret" if summary.total == 1 else "secrets"
    return f"{summary.total} {secrets}: {verdicts}. {summary.attention} {need} attention."


def _describe_change(change: Change) -> str:
    if change.before is None or change.after is None:
        return change.kinds[0]
    phrases = {
        "verdict": f"was {change.before.verdict}",
        "value": "new value",
        "attention": "needs attention" if change.after.attention else "no longer needs attention",
    }
    return ", ".join(phrases[kind] for kind in change.kinds if kind != "attention" or "verdict" not in change.kinds)


def _table_row(row: SecretRow, answer: SecretAnswer) -> Row:
    age = "?" if row.age_days is None else str(row.age_days)
    limit = "?" if row.limit_days is None else str(row.limit_days)
    due = f"{row.due_at:%Y-%m-%d}" if row.due_at else ""
    notes = [f"({_describe_change(answer.changes[row.secret_name])})"] if answer.changes is not None else []
    notes += [row.reason] if row.attention else []
    notes += [f"Owner: {row.owner}."] if row.owner and row.attention else []
    cells = [(row.verdict, _style(row)), (age, PLAIN), (limit, PLAIN), (due, PLAIN)]
    return Row(row.secret_name, cells, " ".join(notes))


def _style(row: SecretRow) -> Style:
    if row.status == OK:
        return YELLOW if row.attention else GREEN
    return RED


def _body(answer: SecretAnswer, summary: Summary) -> dict[str, Any]:
    secrets = [_to_json(row) for row in answer.rows]
    if answer.changes is not None:
        for secret in secrets:
            change = answer.changes[secret["secret_name"]]
            before = None if change.before is None else _to_json(change.before)
            secret["change"] = {"kinds": list(change.kinds), "before": before}
    return {
        "version": JSON_VERSION,
        "generated_at": to_iso(answer.generated_at),
        "as_of": to_iso(answer.at),
        **({"since": to_iso(answer.since)} if answer.since else {}),
        "source": dict(answer.source),
        "run": answer.run,
        "warnings": list(answer.warnings),
        "settings": dict(answer.settings),
        "filters": dict(answer.filters),
        "summary": {
            "total": summary.total,
            "attention": summary.attention,
            "status": dict(summary.status),
            "verdicts": dict(summary.verdicts),
        },
        "secrets": secrets,
    }


def _csv_rows(answer: SecretAnswer) -> Iterator[list[object]]:
    for row in answer.rows:
        cells = list(_to_json(row).values())
        if answer.changes is not None:
            change = answer.changes[row.secret_name]
            before = {} if change.before is None else _to_json(change.before)
            cells += [" ".join(change.kinds), before.get("verdict"), before.get("value_created_at")]
        yield cells


def _markdown_records(answer: SecretAnswer) -> Records:
    columns, rows = list(_MARKDOWN_COLUMNS), [_markdown_cells(row) for row in answer.rows]
    if answer.changes is not None:
        columns.insert(1, "changed")
        for row, cells in zip(answer.rows, rows, strict=True):
            cells.insert(1, _describe_change(answer.changes[row.secret_name]))
    return Records(columns, rows)


def _markdown_cells(row: SecretRow) -> list[object]:
    due = row.due_at and f"{row.due_at:%Y-%m-%d}"
    attention = "yes" if row.attention else ""
    return [row.secret_name, row.verdict, attention, row.age_days, row.limit_days, due, row.owner, row.reason]


def _to_json(row: SecretRow) -> dict[str, Any]:
    return {name: to_iso(value) if isinstance(value := getattr(row, name), datetime) else value for name in COLUMNS}


def _is_older(row: SecretRow, limit: timedelta, at: datetime) -> bool:
    return row.value_created_at is not None and at - row.value_created_at > limit


def _is_due(row: SecretRow, within: timedelta, at: datetime) -> bool:
    if row.verdict in _WITHOUT_LIMIT or row.due_at is None:
        return False
    return timedelta(0) <= row.due_at - at <= within


def _days(span: timedelta | None) -> float | None:
    if span is None:
        return None
    return span.days if span == timedelta(days=span.days) else span / timedelta(days=1)


def _optional_timestamp(record: Mapping[str, Any], name: str) -> datetime | None:
    text = record.get(name)
    return parse_timestamp(text) if text else None
